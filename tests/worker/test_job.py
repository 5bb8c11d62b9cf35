"""The folder of a worker on another machine: its own, and gone when it has ended."""

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from support.endings import STATES, Ending
from support.fakes import make_spec

from experiments.config.folders import SearchFolder, lock
from experiments.worker.job import NEW_SECONDS, PREFIX, Job, work_remotely
from experiments.worker.process import DONE


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def left(temporary: Path, name: str, age: float) -> Path:
    """The folder of an earlier worker, with a lock that nobody holds."""
    folder = temporary / f"{PREFIX}{name}"
    (folder / "trials").mkdir(parents=True)
    (folder / "lock").touch()
    time = (folder / "lock").stat().st_mtime - age
    os.utime(folder / "lock", (time, time))
    return folder


def test_it_removes_its_folder_and_those_of_killed_workers(temporary: Path) -> None:
    dead, held, new = (left(temporary, name, age) for name, age in (("a", 100), ("b", 100), ("c", NEW_SECONDS / 2)))
    other = lock(held / "lock")
    other.acquire()
    os.utime(held / "lock", (0, 0))
    seen: list[Path] = []

    def make(folder: SearchFolder, *_: Any) -> Ending:
        assert (folder.path / "task" / "own.py").read_text() == "x = 1"
        seen.append(folder.path)
        return Ending(STATES.index("done"), None)

    job = Job(make_spec().to_json(), "s", make, {"task/own.py": b"x = 1"})
    assert work_remotely(job, 0, "k", None, lambda message: None) == DONE
    assert seen and not seen[0].exists()
    assert (dead.exists(), held.exists(), new.exists()) == (False, True, True)
    other.release()
