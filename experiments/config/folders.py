"""Where a search's files lie: `searches/NAME/` in the current folder.

spec.json                     what is searched, written once
task.json                     what the record is told of its task and data, which may change
journal.jsonl                 when launchers began, and how they ended
study.journal  study.lock     Optuna's journal; the lock over proposing and appending
data/                         train and validation arrays for the workers, while it runs, if they are large
launcher.lock  workers/0.lock held by the living; the system releases them when a process dies
trials/0003/journal.jsonl     what happened in a trial; MLflow is brought to it
trials/0003/checkpoint.npz    its last epoch, to go on from
trials/0003/model.keras       its best epoch's model
"""

import errno
from pathlib import Path

from filelock import FileLock, Timeout

from tracking.journal import Journal

SEARCHES = Path("searches")
FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # no space, no quota, no larger file


class TrialFolder:
    """The files of one trial."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.number = int(path.name)
        self.journal = Journal(path / "journal.jsonl")
        self.checkpoint = path / "checkpoint.npz"
        self.model = path / "model.keras"
        self.lock = lock(path / "lock")

    def execution_weights(self, execution: int, epoch: int) -> Path:
        """The weights after an epoch of the execution that runs: kept of the best one so far."""
        return self.path / f"execution{execution}-epoch{epoch}.npz"

    def clear(self) -> None:
        """Removes what only a running trial needs, with what a kill or a full disk has left half written."""
        for pattern in ("checkpoint*", "*execution*", "new-*"):
            for path in self.path.glob(pattern):
                path.unlink(missing_ok=True)


class SearchFolder:
    """The files of one search."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.spec = path / "spec.json"
        self.task = path / "task.json"
        self.journal = Journal(path / "journal.jsonl")
        self.study = path / "study.journal"
        self.data = path / "data"
        self.study_lock = lock(path / "study.lock")
        self.launcher_lock = lock(path / "launcher.lock")

    def trial(self, number: int) -> TrialFolder:
        return TrialFolder(self.path / "trials" / f"{number:04d}")

    def trials(self) -> list[TrialFolder]:
        return [TrialFolder(path) for path in sorted(self.path.glob("trials/[0-9]*"), key=lambda path: int(path.name))]

    def begun_by(self, pid: int, session: str) -> bool:
        """True if that process, a worker of that launcher, has begun a trial."""
        events = (event for trial in self.trials() for event in trial.journal.events() if event["event"] == "start")
        return any((event.get("pid"), event.get("session")) == (pid, session) for event in events)

    def all_ended(self) -> bool:
        """True if no trial that was begun is still to be finished, and there is one."""
        last = [trial.journal.events()[-1:] for trial in self.trials()]
        return bool(last) and all(events and events[0]["event"] == "end" for events in last)

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
