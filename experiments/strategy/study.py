"""The Optuna study of a search: opens it, locks its journal, and tells it how trials have ended."""

import math
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal._file import BaseJournalFileLock
from optuna.trial import FrozenTrial, TrialState

from experiments.config.folders import SearchFolder, TrialFolder, lock
from experiments.config.spec import Spec
from experiments.strategy.allocation import cell_of
from experiments.strategy.continuations import CONTINUES, Past
from tracking.errors import SearchStateError
from tracking.journal import Event, cut_torn_line

NAME = "search"
STATES = {"completed": TrialState.COMPLETE, "failed": TrialState.FAIL, "pruned": TrialState.PRUNED}

optuna.logging.set_verbosity(optuna.logging.ERROR)


class JournalLock(BaseJournalFileLock):
    """The lock that a process holds while it appends to Optuna's journal.

    Optuna's own locks are files. The file of a killed process stays and blocks all other processes for 30 seconds. The
    system releases this lock when its process dies.
    """

    def __init__(self, journal: Path) -> None:
        self.journal, self.lock = journal, lock(journal.with_name(f"{journal.name}.lock"))

    def acquire(self) -> bool:
        self.lock.acquire()
        # A full disk may have torn the last line. The next line would be appended to it. Then nobody could open the
        # study.
        try:
            cut_torn_line(self.journal)
        except OSError:
            self.lock.release()
            raise
        return True

    def release(self) -> None:
        self.lock.release()


class GroupedFile(JournalFileBackend):
    """Optuna's journal, in which one process may write several lines at once.

    Each line that is written alone waits for the disk. Only the desk groups lines, and no other process may write then.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), lock_obj=JournalLock(path))
        self.grouping = False
        self.pending: list[dict[str, Any]] = []  # lines that are not in the file yet
        self.lines = 0  # how many lines of the file were read

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        number = log_number_from
        if not self.pending or number < self.lines:
            for log in super().read_logs(number):
                number += 1
                yield log
            self.lines = max(self.lines, number)
        yield from self.pending[number - self.lines :]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        if self.grouping:
            self.pending += logs
        else:
            super().append_logs(logs)

    @contextmanager
    def group(self) -> Iterator[None]:
        """Writes the lines of a block together at its end."""
        self.grouping = True
        try:
            yield
        finally:
            self.grouping, logs, self.pending = False, self.pending, []
            if logs:
                super().append_logs(logs)
                for _ in super().read_logs(self.lines):  # Optuna's reader notes where each line begins
                    self.lines += 1


class StudyStorage(JournalStorage):
    """Optuna's storage over the search's `study.journal`."""

    def __init__(self, folder: SearchFolder) -> None:
        self.file = GroupedFile(folder.study)
        super().__init__(self.file)


def open_study(folder: SearchFolder, direction: str) -> tuple[StudyStorage, optuna.Study]:
    """The study and its storage. A study that does not exist is made. The caller holds the search's study lock.

    Args:
        direction: min or max.
    """
    opened = StudyStorage(folder)
    study = optuna.create_study(
        storage=opened,
        study_name=NAME,
        direction="maximize" if direction == "max" else "minimize",
        sampler=optuna.samplers.RandomSampler(),
        load_if_exists=True,
    )
    return opened, study


def check_new(trial: TrialFolder, search: SearchFolder) -> None:
    """Raises SearchStateError if a trial that the study does not have has a journal: the study is lost, or older.

    The trial would be written behind the end of another one, and points that were tried would be tried again.
    """
    if trial.journal.events():
        raise SearchStateError(
            f"--resume: expected {search.study} with all trials of the search, got one without trial {trial.path.name};"
            f" bring the file back, or begin a new search"
        )


def past(trial: FrozenTrial, minimize: bool) -> Past:
    """What has become of a trial, for continuations.py."""
    outcome = next((outcome for outcome, state in STATES.items() if state == trial.state), "running")
    reported = trial.intermediate_values
    loss = math.inf if not reported else reported[max(reported)] * (1 if minimize else -1)
    return Past(trial.number, cell_of(trial.params), outcome, loss, CONTINUES in trial.user_attrs)


def tell(study: optuna.Study, number: int, end: Event) -> None:
    """Tells the study how a trial has ended. A second call for the same trial changes nothing.

    Args:
        number: of the trial.
        end: the "end" event of the trial's journal.
    """
    state = STATES[end["outcome"]]
    values = [end["score"]] if state == TrialState.COMPLETE else None
    study.tell(number, values, state=state, skip_if_finished=True)


def tell_ends(folder: SearchFolder) -> None:
    """Tells the study the ends that only the journals know. No worker of the search may be alive.

    A worker writes the end of a trial to the journal first and to the study second. A kill between the two leaves the
    trial RUNNING in the study.
    """
    if not folder.study.exists():
        return
    continued = folder.spec.exists() and Spec.read(folder).finished_cells  # a new trial may continue a pruned one
    # A worker that asks for a lost trial also tells its end. The lock lets only one process do so at a time.
    # Optuna raises KeyError if a kill came before the first line of the study.
    with folder.study_lock, suppress(KeyError):
        study = optuna.load_study(study_name=NAME, storage=StudyStorage(folder))
        for frozen in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            trial_folder = folder.trial(frozen.number)
            events = trial_folder.journal.events()
            if events and events[-1]["event"] == "end":
                if not (continued and events[-1]["outcome"] == "pruned"):
                    trial_folder.clear()
                tell(study, frozen.number, events[-1])
