"""What is made once in a run of the tests, by whichever of pytest's processes needs it first."""

import os
import pickle
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from tracking.root import follow

LOCKED_SECONDS = 1_200  # more than whatever is made here takes, also on a busy machine


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Any]) -> Any:
    """What `make(folder)` has returned, with a folder `name` that all processes of pytest share.

    A `make` that raises is not called again: each test that needs it fails with the same words.
    """
    place = shared(factory) / name
    result, failure = place.with_suffix(".pickle"), place.with_suffix(".failed")
    # The processes of pytest-xdist need the same search at the same time, and only one of them may make it.
    # The system frees the lock of a process that dies, and the timeout ends the wait for a process that hangs.
    with FileLock(place.with_suffix(".lock"), timeout=LOCKED_SECONDS):
        if failure.exists():
            pytest.fail(failure.read_text("utf-8"))
        if not result.exists():
            shutil.rmtree(place, ignore_errors=True)  # of a process that died while it was making it
            place.mkdir()
            try:
                made = pickle.dumps(make(place))
            except BaseException as error:
                failure.write_text(f"{name} cannot be made: {error!r}", "utf-8")
                raise
            result.write_bytes(made)
    return pickle.loads(result.read_bytes())


def shared(factory: pytest.TempPathFactory) -> Path:
    """The temporary folder that all processes of this run of pytest share."""
    mine = factory.getbasetemp().resolve()
    return mine.parent if "PYTEST_XDIST_WORKER" in os.environ else mine


def copied(folder: Path, to: Path) -> Path:
    """A copy of a folder with searches and their store, which names itself wherever the original named itself.

    A test may change it, and disturbs no test of another process.
    """
    copy_store(folder, to)
    follow(to / "mlflow.db")
    for file in (*to.rglob("*.json"), *to.rglob("*.jsonl")):
        file.write_text(file.read_text("utf-8").replace(str(folder), str(to)), "utf-8")
    return to


def copy_store(folder: Path, to: Path) -> Path:
    """A copy of a folder in which this process may have a database open.

    A process of its own makes it. A process that reads the files of a database itself loses its locks on them when it
    closes them (POSIX; "How To Corrupt An SQLite Database File", 2.2). The next command would take the database for one
    that nobody has open, and would remove the log of writes that this process goes on with.
    """
    to.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-R", f"{folder}/.", to], check=True)
    return to
