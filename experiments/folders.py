"""Where a search's files lie: `searches/NAME/` in the current folder.

spec.json                     what is searched, written once
journal.jsonl                 when launchers began, and how they ended
study.journal  study.lock     Optuna's journal; the lock over proposing and appending
data/                         train and validation arrays for the workers, while it runs, if they are large
launcher.lock  workers/0.lock held by the living; the system releases them when a process dies
trials/0003/journal.jsonl     what happened in a trial; MLflow is brought to it
trials/0003/checkpoint.npz    its last epoch, to go on from
trials/0003/model.keras       its best epoch's model
"""

import json
import os
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from tracking.journal import Journal


class TrialFolder:
    """The files of one trial."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.number = int(path.name)
        self.journal = Journal(path / "journal.jsonl")
        self.checkpoint = path / "checkpoint.npz"
        self.model = path / "model.keras"
        self.lock = lock(path / "lock")

    def execution_model(self, execution: int) -> Path:
        """The best epoch's model of one execution, until the trial's end picks one of them."""
        return self.path / f"execution{execution}.keras"

    def execution_weights(self, execution: int) -> Path:
        """The best epoch's weights so far of the execution that runs."""
        return self.path / f"execution{execution}.npz"

    def clear(self) -> None:
        """Removes what only a running trial needs."""
        self.checkpoint.unlink(missing_ok=True)
        for path in self.path.glob("*execution*"):
            path.unlink()


class SearchFolder:
    """The files of one search."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.spec = path / "spec.json"
        self.journal = Journal(path / "journal.jsonl")
        self.study = path / "study.journal"
        self.data = path / "data"
        self.study_lock = lock(path / "study.lock")
        self.launcher_lock = lock(path / "launcher.lock")

    def trial(self, number: int) -> TrialFolder:
        return TrialFolder(self.path / "trials" / f"{number:04d}")

    def trials(self) -> list[TrialFolder]:
        return [TrialFolder(path) for path in sorted(self.path.glob("trials/[0-9]*"), key=lambda path: int(path.name))]

    def worker_lock(self, index: int) -> FileLock:
        (self.path / "workers").mkdir(exist_ok=True)
        return lock(self.path / "workers" / f"{index}.lock")

    def worker_log(self, index: int) -> Path:
        return self.path / "workers" / f"{index}.log"

    def wait_for_workers(self, seconds: float) -> None:
        """Returns when no worker of an earlier launcher lives; raises filelock.Timeout after `seconds`."""
        for path in self.path.glob("workers/*.lock"):
            lock(path).acquire(timeout=seconds).lock.release()


def lock(path: Path) -> FileLock:
    """A lock that the system releases when its holder dies, kill -9 included."""
    return FileLock(path, poll_interval=0.002)


def taken(wanted: FileLock, seconds: float = 0) -> bool:
    """True if this process has taken the lock within `seconds`, False if somebody else holds it."""
    try:
        wanted.acquire(timeout=seconds)
    except Timeout:
        return False
    return True


def write_atomically(path: Path, content: bytes) -> None:
    """The file has either its old content or all of the new one."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def write_json(path: Path, content: dict[str, Any]) -> None:
    write_atomically(path, json.dumps(content, indent=1).encode() + b"\n")
