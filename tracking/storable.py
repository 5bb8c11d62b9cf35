"""Texts that MLflow's store and JSON can hold.

Python gives a lone surrogate for each byte of a file name or an argument that is not UTF-8. SQLite and UTF-8 have no
such characters.
"""

from tracking.errors import BadInput


def is_storable(text: str) -> bool:
    return text == storable(text)


def storable(text: str) -> str:
    """The text with an escape, for example \\udce9, for each character that cannot be stored."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def check_storable(argument: str, text: str) -> None:
    """Raises BadInput for a text that cannot be stored."""
    if not is_storable(text):
        raise BadInput(f"{argument}: expected a name in UTF-8, which the record can hold, got {text[:200]!r}")
