"""The environment variables with which commands and workers run."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from experiments.system.console import in_notebook
from experiments.system.imports import FOREIGN, KERAS_BACKEND, NUMBA_FOLDER, set_variables

QUIET = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "PYTHONWARNINGS": "ignore",
    "GRPC_VERBOSITY": "NONE",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "PYTHONSAFEPATH": "1",  # a worker does not import a user's signal.py from the current folder
}


def set_environment() -> None:
    """Sets the variables of this process, before anything imports TensorFlow. Child processes inherit them."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    set_variables()
    if os.path.expanduser("~") == "~":  # no HOME, and the system does not know the user
        # MLflow asks for a home when it is imported, and raises an error if there is none. Nothing can be kept in this.
        os.environ["HOME"] = os.devnull


def _import_bars() -> None:
    """Imports the bars of progress that MLflow uses. In a notebook they warn of a package that we do without."""
    if in_notebook():
        with warnings.catch_warnings(), suppress(ImportError):
            warnings.simplefilter("ignore")
            import tqdm.auto  # noqa: F401


@contextmanager
def environment() -> Iterator[None]:
    """Sets the variables for a block of somebody else's program, which gets its own ones back."""
    from tracking.store import SETTINGS  # it imports SQLite, which help texts do without

    names = (*QUIET, KERAS_BACKEND, NUMBA_FOLDER, *FOREIGN, *SETTINGS, "HOME")
    before = {name: os.environ.get(name) for name in names}
    set_environment()
    _import_bars()
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
