"""Imports Keras without the packages that its searches do not use."""

import sys
from types import ModuleType
from typing import cast

# Keras and TensorFlow import these if they are installed: Keras for its scikit-learn wrappers, for data frames and for
# plots, Keras Tuner for its own oracles. This takes 1.2 of 3.4 seconds in every process.
OPTIONAL = ("matplotlib", "pandas", "scipy", "sklearn")


def import_keras() -> None:
    """Imports TensorFlow, Keras and Keras Tuner as if the optional packages were not installed.

    Later imports find the packages again. A package that has been imported already stays.
    """
    hidden = [name for name in OPTIONAL if name not in sys.modules]
    modules: dict[str, ModuleType | None] = cast("dict[str, ModuleType | None]", sys.modules)
    modules.update(dict.fromkeys(hidden))  # an import of a module that is None raises ModuleNotFoundError
    try:
        import keras_tuner  # noqa: F401
        import tensorflow  # noqa: F401
    finally:
        for name in hidden:
            del sys.modules[name]
