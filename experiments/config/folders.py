"""The files of a search. They lie in `searches/NAME/` in the current folder.

spec.json                     what is searched; --resume may change --trials and the limits
task.json                     what MLflow shows of the task and the data; may change
task/                         the code of a user's task, as it has run
journal.jsonl                 when launchers began, and how they ended
study.journal  study.lock     Optuna's journal; the lock for asking the study for a trial
data/                         train and validation arrays while the search runs, if they are large
launcher.lock  workers/0.lock held by the launcher and by each worker
workers/0.log                 what the worker has printed
trials/0003/lock              held by the worker of the trial
trials/0003/journal.jsonl     what happened in the trial; MLflow shows the same
trials/0003/checkpoint.npz    the last epoch; training resumes from it
trials/0003/model.keras       the model of the best epoch, kept if no other one of its cell is both better and smaller
finals/                       the finals, a folder like this one (see finals.py); all their models are kept
trained-0003-20-weights/      trial 0003, trained for 20 more epochs by `recurrent train`; a folder like finals/

The system releases the locks of a process that dies.
"""

import errno
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tracking.journal import Journal, trial_numbers
from tracking.text import did_you_mean

if TYPE_CHECKING:
    from filelock import FileLock

SEARCHES = Path("searches")
TRAINED = "trained-"  # begins the name of the folder of a trial that is trained further
POLL_SECONDS = 0.002  # a process that waits for a lock looks again after this time
FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # no space, no quota, no larger file


def no_search(argument: str, name: str) -> str:
    """The message that the current folder has no search of this name."""
    known = sorted(path.parent.name for path in SEARCHES.glob("*/spec.json"))
    some = f" ({', '.join(known[:10])})" if known else ""
    return f"{argument}: expected a search in {SEARCHES}/{some}, got {name!r}{did_you_mean(name, known)}"


def is_running(argument: str, name: str) -> str:
    """The message that the search of this name is running now."""
    return f"{argument}: expected a search that is not running, got {name!r}, which is"


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
        """The checkpoint of an epoch of an execution, with its weights. It exists only for the best epoch so far."""
        return self.path / f"execution{execution}-epoch{epoch}.npz"

    def clear(self) -> None:
        """Removes the files that only a running trial needs, and the half-written files of a kill or a full disk."""
        for pattern in ("checkpoint*", "*execution*", "new-*"):
            for path in self.path.glob(pattern):
                path.unlink(missing_ok=True)


class SearchFolder:
    """The files of one search."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.spec = path / "spec.json"
        self.task = path / "task.json"
        self.code = path / "task"
        self.journal = Journal(path / "journal.jsonl")
        self.study = path / "study.journal"
        self.data = path / "data"
        self.plan = path / "plan.json"  # of finals, and of a trial that is trained further
        self.start = path / "start.keras"  # the model with whose weights a trial is trained further
        self.study_lock = lock(path / "study.lock")
        self.launcher_lock = lock(path / "launcher.lock")

    @property
    def finals(self) -> "SearchFolder":
        """The folder of the search's finals."""
        return SearchFolder(self.path / "finals")

    def trained(self, training: str) -> "SearchFolder":
        """The folder of a trial that is trained further, by the name that `finals.training_name` gives."""
        return SearchFolder(self.path / f"{TRAINED}{training}")

    def all_trained(self) -> dict[str, "SearchFolder"]:
        """The folders of all trials that were trained further, by the names of these trainings."""
        found = sorted(path.parent for path in self.path.glob(f"{TRAINED}*/plan.json"))
        return {path.name.removeprefix(TRAINED): SearchFolder(path) for path in found}

    def trial(self, number: int) -> TrialFolder:
        return TrialFolder(self.path / "trials" / f"{number:04d}")

    def trials(self) -> list[TrialFolder]:
        return [self.trial(number) for number in trial_numbers(self.path / "trials")]

    def with_models(self) -> list[TrialFolder]:
        """The trials whose models are kept."""
        return [trial for trial in self.trials() if trial.model.exists()]

    def begun_by(self, key: str, session: str) -> bool:
        """True if the worker `key` of the launcher `session` has begun a trial."""
        events = (event for trial in self.trials() for event in trial.journal.events() if event["event"] == "start")
        return any((event.get("key"), event.get("session")) == (key, session) for event in events)

    def is_held(self) -> bool:
        """True if a launcher runs the search now."""
        if not (self.path / "launcher.lock").exists():
            return False
        # A running launcher holds this lock, and the system releases it when the launcher dies. If the lock can be
        # acquired here, no launcher runs. It is released at once, so that a launcher may begin.
        with suppress(OSError):  # somebody else's folder
            if not try_acquire(self.launcher_lock):
                return True
            self.launcher_lock.release()
        return False

    def size(self) -> int:
        """Bytes of all files."""
        found = 0
        for path in self.path.rglob("*"):
            with suppress(OSError):  # a running search removes files
                found += path.stat().st_size if path.is_file() else 0
        return found

    def all_ended(self) -> bool:
        """True if there are trials and all of them have ended."""
        last = [trial.journal.events()[-1:] for trial in self.trials()]
        return bool(last) and all(events and events[0]["event"] == "end" for events in last)

    def worker_lock(self, index: int) -> "FileLock":
        (self.path / "workers").mkdir(exist_ok=True)
        return lock(self.path / "workers" / f"{index}.lock")

    def worker_log(self, index: int) -> Path:
        return self.path / "workers" / f"{index}.log"

    def last_words(self, index: int) -> str:
        """The last line of a worker's log."""
        return self.worker_log(index).read_text("utf-8", "replace").rstrip().rpartition("\n")[2]

    def wait_for_workers(self, seconds: float) -> None:
        """Waits until no worker of an earlier launcher is alive. Raises filelock.Timeout after `seconds` per worker."""
        # A living worker holds its lock. If the lock can be acquired, the worker is dead.
        for path in (*self.path.glob("workers/*.lock"), *self.path.glob("*/workers/*.lock")):
            lock(path).acquire(timeout=seconds).lock.release()


def lock(path: Path) -> "FileLock":
    """A lock between processes. The system releases it when its holder dies, also by kill -9."""
    from filelock import FileLock  # imported here: the lists of commands and tasks need no lock

    return FileLock(path, poll_interval=POLL_SECONDS)


def try_acquire(wanted: "FileLock", seconds: float = 0) -> bool:
    """True if this process has acquired the lock within `seconds`, False if another process still holds it."""
    from filelock import Timeout

    try:
        wanted.acquire(timeout=seconds)
    except Timeout:
        return False
    return True
