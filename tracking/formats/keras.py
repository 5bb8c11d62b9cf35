"""Keras' own file, `model.keras`: stock layers alone. It is the model that the search has logged, and the others are
made from it."""

from pathlib import Path
from typing import Any

from tracking.formats import Wanted

EXTRA = ""
RUNTIME = ("keras", "tensorflow")
MODULES = ("keras", "tensorflow")
BLOCKED: tuple[str, ...] = ()
FURTHER = ""
MEANT = "Python with Keras; training it further"
FILE = "model.keras"


def write(model: Any, folder: Path, wanted: Wanted) -> list[str]:
    """The file is there already; the model was loaded from it."""
    return [FILE]
