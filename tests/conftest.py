"""What holds for all tests: a quiet TensorFlow, the order of the files, the fixtures that many rooms use."""

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
# A user's Python keeps the bytecode of what it imports. Without it every process compiles the project once more.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
os.environ["RECURRENT_NO_REPORT"] = "1"  # a search in this process makes no report; see support/searching.py
pytest.register_assert_rewrite("support")

from support.old_search import old  # noqa: E402
from support.searching import exported, exported_language, language, recurrent, searched, served  # noqa: E402
from support.servers import servers  # noqa: E402

from experiments.system.cache_folder import cache_folder  # noqa: E402
from experiments.system.environment import QUIET  # noqa: E402
from search_spaces.native.compiled import NUMBA_FOLDER  # noqa: E402

# Tests have caches of their own. Only what Numba has compiled is shared, since each time would take half a minute.
os.environ.setdefault(NUMBA_FOLDER, str(cache_folder("native") or ""))

# Files of these rooms run whole searches and take minutes. They begin, so that the processes of pytest end together.
LONG = ("launcher", "worker", "tracking", "config", "cli", "api", "search_spaces", "training", "strategy", "tasks")

__all__ = ["exported", "exported_language", "language", "old", "recurrent", "searched", "served", "servers"]


@pytest.fixture(autouse=True)
def same_environment() -> Iterator[None]:
    """The variables of QUIET and HOME, which a command sets for its process, are taken back after each test.

    A test may not leave the name of its store to the tests after it, for example by `mlflow.set_tracking_uri`.
    """
    before = {name: os.environ.get(name) for name in (*QUIET, "HOME")}
    store = os.environ.get("MLFLOW_TRACKING_URI")
    yield
    for name, value in before.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
    assert os.environ.get("MLFLOW_TRACKING_URI") == store, "this test changed MLFLOW_TRACKING_URI"


@pytest.fixture
def untraced() -> Iterator[None]:
    """TensorFlow runs functions without tracing them, which is faster for a few short steps."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def before_fork() -> None:
    """A forked worker collects garbage, and TensorFlow's objects of other tests cannot be freed without its threads."""
    gc.freeze()


def pytest_collection_finish() -> None:
    """The collections that Keras asks for before each model need not look at what imports have made."""
    gc.collect()
    gc.freeze()


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config.option, "loadscopereorder"):  # pytest-xdist would begin with the files that have the most tests
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: place(item.path))


def place(file: Path) -> int:
    room = file.relative_to(Path(__file__).parent).parts[0]
    return LONG.index(room) if room in LONG else len(LONG)
