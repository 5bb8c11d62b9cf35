"""Imports Keras without the packages that its searches do not use, and with the settings that a search needs."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, cast

from experiments.system.cache_folder import cache_folder
from search_spaces.native.compiled import NUMBA_FOLDER
from tracking.errors import BadInput

# Keras, TensorFlow and Keras Tuner import these if they are installed. They need them for scikit-learn wrappers, data
# frames, plots and Keras Tuner's own oracles. This takes 1.2 of 3.4 seconds in every process.
OPTIONAL = ("matplotlib", "pandas", "scipy", "sklearn")
# What a search computes with, whatever a user's keras.json and variables say.
SETTINGS: dict[str, Any] = {"backend": "tensorflow", "floatx": "float32", "epsilon": 1e-7}
SETTINGS |= {"image_data_format": "channels_last", "tensor_float_32": False}
KERAS_BACKEND = "KERAS_BACKEND"  # the variable that names the backend
# A user may have set these variables for other work with Keras. The first two shorten trainings. The third one chooses
# another kind of module. The last three make every tuner a part of Keras Tuner's own distributed search.
FOREIGN = (
    *("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH", "KERAS_NNX_ENABLED"),
    *("KERASTUNER_TUNER_ID", "KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT"),
)


def set_variables() -> None:
    """Sets this process's variables for Keras and Numba as a search needs them. Child processes inherit them."""
    os.environ[KERAS_BACKEND] = SETTINGS["backend"]
    for name in FOREIGN:
        os.environ.pop(name, None)
    # Where the kernels of search_spaces/native are kept. A process may go to another folder later.
    if place := os.environ.get(NUMBA_FOLDER) or cache_folder("native"):
        os.environ[NUMBA_FOLDER] = os.path.abspath(place)


def import_keras() -> None:
    """Imports TensorFlow, Keras and Keras Tuner with our settings, as if the optional packages were not installed.

    Later imports find the packages again. A package that has been imported already stays.
    """
    set_variables()
    hidden = [name for name in OPTIONAL if name not in sys.modules]
    modules: dict[str, ModuleType | None] = cast("dict[str, ModuleType | None]", sys.modules)
    modules.update(dict.fromkeys(hidden))  # an import of a module that is None raises ModuleNotFoundError
    try:
        with _no_keras_json():
            import keras_tuner  # noqa: F401
            import tensorflow  # noqa: F401
    finally:
        for name in hidden:
            del sys.modules[name]
    _set_keras()


@contextmanager
def _no_keras_json() -> Iterator[None]:
    """Hides the user's keras.json from Keras, which reads it at its import and refuses some values."""
    if "keras" in sys.modules:
        yield
        return
    before = os.environ.get("KERAS_HOME")
    os.environ["KERAS_HOME"] = os.devnull  # a place where no file can be
    try:
        yield
    finally:
        del os.environ["KERAS_HOME"]
        if before is not None:
            os.environ["KERAS_HOME"] = before
    from keras.src.backend import config

    config._KERAS_DIR = before or _usual_home()  # where Keras keeps the data sets of a user's task


def _usual_home() -> str:
    """The folder of Keras without KERAS_HOME."""
    home = os.path.expanduser("~")
    return os.path.join(home if os.access(home, os.W_OK) else "/tmp", ".keras")


@contextmanager
def keras_kept() -> Iterator[None]:
    """Gives a program that uses Keras itself the settings back that `import_keras` changes inside.

    Raises BadInput if the program has imported Keras with another backend than TensorFlow.
    """
    if "keras" not in sys.modules:
        yield
        return
    import keras

    if keras.config.backend() != SETTINGS["backend"]:
        expected = f"keras: expected the backend {SETTINGS['backend']}, which KERAS_BACKEND sets before the import"
        raise BadInput(f"{expected}, got {keras.config.backend()!r}")
    names = ("floatx", "epsilon", "image_data_format", "max_epochs", "max_steps_per_epoch", "dtype_policy")
    before = {name: getattr(keras.config, name)() for name in names}
    import tensorflow as tf

    tensor_float_32 = tf.config.experimental.tensor_float_32_execution_enabled()
    try:
        yield
    finally:
        for name, value in before.items():
            getattr(keras.config, f"set_{name}")(value)
        tf.config.experimental.enable_tensor_float_32_execution(tensor_float_32)


def _set_keras() -> None:
    """Settings of a Keras that was imported before, for example by a user's task."""
    import keras
    import tensorflow as tf

    # With TensorFloat-32 a GPU keeps 10 bits of a factor. A model scored there would score otherwise on a CPU.
    tf.config.experimental.enable_tensor_float_32_execution(SETTINGS["tensor_float_32"])
    keras.config.set_floatx(SETTINGS["floatx"])
    keras.config.set_epsilon(SETTINGS["epsilon"])
    keras.config.set_image_data_format(SETTINGS["image_data_format"])
    keras.config.set_max_epochs(None)
    keras.config.set_max_steps_per_epoch(None)
    keras.config.set_dtype_policy(SETTINGS["floatx"])
