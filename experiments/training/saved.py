"""Model files as they are logged and exported."""

import importlib
from pathlib import Path
from typing import Any

from experiments.system.imports import import_keras
from tracking.deploy.classes import modules
from tracking.errors import DataError


def load(file: Path, compiled: bool = False) -> Any:
    """The model in a `.keras` file. Raises DataError, in one line, for a file that Keras cannot load.

    Args:
        compiled: with its optimizer, as it was logged.
    """
    import_keras()
    import keras

    for name in modules(file):
        importlib.import_module(name)
    try:
        return keras.models.load_model(file, compile=compiled)
    except Exception as error:  # Keras raises many kinds of errors for broken files
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        expected = f"{file.name}: expected the file of a model of stock Keras layers, as it was logged"
        raise DataError(f"{expected}; got one that Keras cannot load: {reason}") from None


def drop_optimizer(file: Path) -> None:
    """Writes the file again without the optimizer. Its two moments of each weight are two thirds of the file."""
    load(file).save(file)
