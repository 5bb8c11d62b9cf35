"""The Optuna study of a search on disk: how it is opened, written and told of trials that have ended."""

from contextlib import suppress
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal._file import BaseJournalFileLock
from optuna.trial import TrialState

from experiments.config.folders import SearchFolder, lock
from tracking.journal import Event, cut_torn_line

NAME = "search"
STATES = {"completed": TrialState.COMPLETE, "failed": TrialState.FAIL, "pruned": TrialState.PRUNED}

optuna.logging.set_verbosity(optuna.logging.ERROR)


class JournalLock(BaseJournalFileLock):
    """What a process holds while it appends to Optuna's journal.

    Optuna's own locks are files that stay behind when their holder is killed, and then stall everybody for 30 s; and to
    a line that a full disk has torn the next one would be glued, after which nobody can open the study.
    """

    def __init__(self, journal: Path) -> None:
        self.journal, self.lock = journal, lock(journal.with_name(f"{journal.name}.lock"))

    def acquire(self) -> bool:
        self.lock.acquire()
        try:
            cut_torn_line(self.journal)
        except OSError:
            self.lock.release()
            raise
        return True

    def release(self) -> None:
        self.lock.release()


def storage(folder: SearchFolder) -> JournalStorage:
    return JournalStorage(JournalFileBackend(str(folder.study), lock_obj=JournalLock(folder.study)))


def open_study(folder: SearchFolder, direction: str) -> tuple[JournalStorage, optuna.Study]:
    """The study, made if there is none; to be called under the search's study lock."""
    opened = storage(folder)
    study = optuna.create_study(
        storage=opened,
        study_name=NAME,
        direction="maximize" if direction == "max" else "minimize",
        sampler=optuna.samplers.RandomSampler(),
        load_if_exists=True,
    )
    return opened, study


def tell(study: optuna.Study, number: int, end: Event) -> None:
    """Tells the study how a trial has ended, as its journal says; a second time changes nothing."""
    state = STATES[end["outcome"]]
    values = [end["score"]] if state == TrialState.COMPLETE else None
    study.tell(number, values, state=state, skip_if_finished=True)


def settle(folder: SearchFolder) -> None:
    """Tells the study of trials whose ends a kill has kept from it; to be called when no worker lives."""
    if not folder.study.exists():
        return
    with folder.study_lock, suppress(KeyError):  # a kill before the study's first line
        study = optuna.load_study(study_name=NAME, storage=storage(folder))
        for frozen in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            trial = folder.trial(frozen.number)
            events = trial.journal.events()
            if events and events[-1]["event"] == "end":
                trial.clear()
                tell(study, frozen.number, events[-1])
