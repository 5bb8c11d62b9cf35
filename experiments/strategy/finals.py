"""A Keras Tuner oracle that proposes finals: fixed candidates from fixed seeds, in a fixed order.

It has no study. The journals of the finals say what has ended, and a final whose lock is held is running. The system
releases the lock when the worker dies. The next worker that asks then gets the final again.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus

from experiments.config.finals import Final, Plan
from experiments.config.folders import SearchFolder, TrialFolder, try_acquire
from experiments.strategy.deaths import lost_end
from tracking.ranking import Candidate


class FinalsOracle(keras_tuner.Oracle):
    """Answers Keras Tuner's calls from the plan of the finals.

    Args:
        folder: of the finals.
        objective: name and direction of the score.
        plan: what the finals are.
        hyperparameters: the space of the search.
        session: names the launcher that started this worker.
    """

    def __init__(
        self,
        folder: SearchFolder,
        objective: keras_tuner.Objective,
        plan: Plan,
        hyperparameters: keras_tuner.HyperParameters,
        session: str,
    ) -> None:
        super().__init__(objective=objective, max_trials=len(plan.finals), hyperparameters=hyperparameters)
        self.verbose, self.folder, self.plan, self.session = 0, folder, plan, session
        self.claimed: dict[str, TrialFolder] = {}  # of the finals whose locks this process holds, by id
        self.ongoing_trials: dict[str, Trial] = {}  # by tuner id

    def final(self, trial_id: str) -> Final:
        """What a trial of this oracle is."""
        return self.plan.finals[int(trial_id)]

    def create_trial(self, tuner_id: str) -> Trial:
        """The first final that has not ended and that no worker runs. Its status is STOPPED if there is none."""
        if tuner_id in self.ongoing_trials:
            return self.ongoing_trials[tuner_id]
        # The folders of finals must come in the order of their numbers. So one worker at a time makes them.
        with self.folder.study_lock:
            folder = next(filter(self._claim, map(self.folder.trial, range(len(self.plan.finals)))), None)
        if folder is None:
            return Trial(self.get_space(), trial_id="none", status=TrialStatus.STOPPED)
        trial_id, hyperparameters = folder.path.name, self.get_space()
        hyperparameters.values = dict(self.plan.values[self.final(trial_id).candidate])
        self.claimed[trial_id] = folder
        self.trials[trial_id] = Trial(hyperparameters, trial_id=trial_id, status=TrialStatus.RUNNING)
        self.ongoing_trials[tuner_id] = self.trials[trial_id]
        return self.trials[trial_id]

    def _claim(self, folder: TrialFolder) -> bool:
        """True if this process has the lock of a final that has not ended."""
        folder.path.mkdir(parents=True, exist_ok=True)
        if _has_ended(folder) and not folder.checkpoint.exists():
            return False
        # A living worker holds the lock of its final. If the lock is free, the worker is dead, or there was none.
        if not try_acquire(folder.lock):
            return False
        folder.journal.repair()
        if lost_end(folder.journal, self.session) is None:
            return True
        self._release(folder)
        return False

    def _release(self, folder: TrialFolder) -> None:
        """Frees a final that has ended. Its model stays."""
        folder.clear()
        folder.lock.release()

    def end_trial(self, trial: Trial) -> None:
        """Frees the lock of a final whose journal has its end."""
        folder = self.claimed.pop(trial.trial_id)
        trial.score = folder.journal.events()[-1].get("score")
        self._release(folder)
        self.ongoing_trials = {tuner: other for tuner, other in self.ongoing_trials.items() if other is not trial}

    def update_trial(self, trial_id: str, metrics: dict[str, float], step: int = 0) -> Trial:
        """Does nothing: the journal has the score of each epoch."""
        return self.trials[trial_id]

    def should_prune(self, trial_id: str) -> bool:
        """False: all seeds of a final count."""
        return False

    def continued(self, trial_id: str) -> None:
        """A final continues no other trial."""

    def may_win(self, candidate: Candidate) -> bool:
        """False: a final has written its model already, since the test score is that of the file."""
        return False

    def group(self) -> AbstractContextManager[None]:
        """An empty block: there is no study whose lines could wait."""
        return nullcontext()

    def save(self) -> None:
        """Does nothing: the plan and the journals have the whole state."""

    def reload(self) -> None:
        """Does nothing: every call reads the journals."""


def _has_ended(folder: TrialFolder) -> bool:
    events: list[Any] = folder.journal.events()
    return bool(events) and events[-1]["event"] == "end"
