"""Everything that runs: searches, tasks, the command line, and Python's way in, `from experiments import search`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.api import Found, open_search, search

__all__ = ["Found", "open_search", "search"]


def __getattr__(name: str) -> Any:
    """Imports the API when it is asked for, so that `import experiments` alone loads nothing (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from experiments import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
