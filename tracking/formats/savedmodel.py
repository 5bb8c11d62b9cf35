"""TensorFlow's SavedModel in the layout that TensorFlow Serving reads: `savedmodel/1/`, the 1 is the version.

The endpoint `serve`, also the default signature, reads a batch of any size and of any length.
"""

from pathlib import Path
from typing import Any

from tracking.formats import Wanted

EXTRA = ""
RUNTIME = ("tensorflow",)
MODULES = ("tensorflow",)
BLOCKED = ("keras",)
FURTHER = ""
MEANT = "TensorFlow Serving, TensorFlow without Keras"
FOLDER = "savedmodel/1"


def write(model: Any, folder: Path, wanted: Wanted) -> list[str]:
    """Writes the folder; returns its name."""
    model.export(folder / FOLDER, format="tf_saved_model", verbose=False)
    return [FOLDER]
