"""Loads the kernels. `python -m search_spaces.native.ready` compiles them."""

import functools
import importlib
import importlib.util
import os

from search_spaces.native import compiled
from search_spaces.native.sequence import Cell

NAMES = ("simple_rnn", "lstm", "gru")  # the cells that have a kernel


def missing() -> str:
    """Why the kernels cannot be loaded, as far as that is known without loading them; "" if nothing is known."""
    if not importlib.util.find_spec("numba"):
        return "Numba is not installed"
    off = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")
    return "NUMBA_DISABLE_JIT forbids Numba to compile" if off else ""


@functools.cache
def load() -> None:
    """Imports the kernels. Numba compiles them, in about 20 s, or finds what it has compiled before, in half a second.

    Raises whatever Numba raises on a processor or with a version that it does not fit.
    """
    import numba
    from numba.core.config import reload_config

    reload_config()  # Numba reads its variables again when they have changed, and would take our folder back
    before = numba.config.CACHE_DIR
    with compiled.kept() as place:
        from search_spaces.native import options

        options.OPTIONS["cache"] = place is not None
        numba.config.CACHE_DIR = str(place or "")
        try:
            for name in (*NAMES, "weights"):
                importlib.import_module(f"search_spaces.native.{name}")
        finally:
            numba.config.CACHE_DIR = before


def cell(module: str, name: str = "CELL") -> Cell:
    """A cell as the kernels compute it, by its file in this folder and its name there."""
    load()
    found: Cell = getattr(importlib.import_module(f"search_spaces.native.{module}"), name)
    return found


if __name__ == "__main__":
    load()
