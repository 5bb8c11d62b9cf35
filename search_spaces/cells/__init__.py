"""The recurrent cells: one file each, found by its name.

A cell's file has `layer(width, return_sequences, name, kernel)`, which makes a Keras layer with input and output
`(batch, time, features)` (`(batch, features)` without `return_sequences`); `CUDNN`, whether it can run on cuDNN; and
what its kernel `xla` costs and saves (see kernels.py). What else `layer` takes says how its weights begin: `init`, and
of a gated cell the `bias` of the gate that keeps, or for chrono the `longest` dependency (see recipe.py).
"""

import importlib
from pathlib import Path
from types import ModuleType

from search_spaces.errors import SpaceError


def names() -> list[str]:
    """Every cell there is, plainest first."""
    found = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem != "__init__")
    return sorted(found, key=lambda name: name != "simple_rnn")


def load(name: str) -> ModuleType:
    """The cell's module; imports Keras."""
    if name not in names():
        raise SpaceError(f"cells: expected some of {', '.join(names())}, got {name!r}")
    return importlib.import_module(f"search_spaces.cells.{name}")
