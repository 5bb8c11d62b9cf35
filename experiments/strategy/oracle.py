"""A Keras Tuner oracle whose memory is an Optuna study on disk.

Workers share nothing but that study: each asks under one lock, a new trial is one line in Optuna's journal, and who
works on a trial holds its lock, which the system releases when a process dies. A trial that is RUNNING in the study
and whose lock is free was lost: the next worker that asks gets it again, under its own number.
"""

from functools import cached_property
from itertools import pairwise
from typing import Any

import keras_tuner
import optuna
from keras_tuner.engine.trial import Trial, TrialStatus
from optuna.trial import TrialState

from experiments.config.folders import SearchFolder, TrialFolder, taken
from experiments.config.spec import STRATEGIES
from experiments.strategy.points import distribution, key
from experiments.strategy.proposals import Proposals
from experiments.strategy.pruning import given_up
from experiments.strategy.study import open_study, tell
from tracking.errors import BadInput
from tracking.journal import Event

DEATHS = 3  # a trial whose worker died so often, without a new epoch in between, is not tried again


class StudyOracle(keras_tuner.Oracle):
    """Answers Keras Tuner's calls from an Optuna study.

    Args:
        folder: the search's folder; study, locks and trials lie there.
        objective: `keras_tuner.Objective`.
        strategy: random, grid or tpe.
        max_trials: how many trials the search has in all.
        seed: of the proposals; 0 is a seed.
        hyperparameters: the space, where it is known before the first build.
        session: names the launcher whose worker this is; tells its workers' deaths from the launcher's own.
        pruner: Optuna's, asked by `prunes`; by default no trial is pruned.
    """

    def __init__(
        self,
        folder: SearchFolder,
        objective: keras_tuner.Objective,
        strategy: str,
        max_trials: int,
        seed: int,
        hyperparameters: keras_tuner.HyperParameters | None = None,
        session: str = "",
        pruner: optuna.pruners.BasePruner | None = None,
    ) -> None:
        if strategy not in STRATEGIES:
            raise BadInput(f"oracle: expected one of {', '.join(STRATEGIES)}, got {strategy!r}")
        super().__init__(objective=objective, max_trials=max_trials, hyperparameters=hyperparameters)
        self.verbose, self.pruner = 0, pruner or optuna.pruners.NopPruner()
        self.folder, self.strategy, self.search_seed, self.session = folder, strategy, seed, session
        self.tried: set[Any] = set()  # the points of the study's first trials; none is tried twice
        self.claimed: dict[str, TrialFolder] = {}
        self.ongoing_trials: dict[str, Trial] = {}
        with folder.study_lock:
            self.storage, self.study = open_study(folder, objective.direction)

    def create_trial(self, tuner_id: str) -> Trial:
        """A lost trial, a new one, or one with status STOPPED when there is nothing left to start."""
        if tuner_id in self.ongoing_trials:
            return self.ongoing_trials[tuner_id]
        with self.folder.study_lock:
            found = self._lost_trial() or self._new_trial()
        if found is None:
            return Trial(self.get_space(), trial_id="none", status=TrialStatus.STOPPED)
        trial_id, values = found
        hyperparameters = self.get_space()
        hyperparameters.values = dict(values)
        self.ongoing_trials[tuner_id] = Trial(hyperparameters, trial_id=trial_id, status=TrialStatus.RUNNING)
        self.trials[trial_id] = self.ongoing_trials[tuner_id]
        return self.trials[trial_id]

    def _lost_trial(self) -> tuple[str, dict[str, Any]] | None:
        for frozen in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if frozen.number >= self.max_trials:  # --trials was lowered
                continue
            trial = self.folder.trial(frozen.number)
            trial.path.mkdir(parents=True, exist_ok=True)
            if not taken(trial.lock):
                continue
            trial.journal.repair()
            end = self._end_of(trial)
            if end is None:
                return self._claim(trial), frozen.params
            trial.clear()
            tell(self.study, frozen.number, end)
            trial.lock.release()
        return None

    def _end_of(self, trial: TrialFolder) -> Event | None:
        """How a trial without a worker ended: as its journal says, or failed if it has killed too many workers."""
        events = trial.journal.events()
        if events and events[-1]["event"] == "end":
            return events[-1]
        if deaths(events, self.session) < DEATHS:
            return None
        return trial.journal.append("end", outcome="failed", score=None, reason=f"killed its worker {DEATHS} times")

    def _new_trial(self) -> tuple[str, dict[str, Any]] | None:
        trials = self.study.get_trials(deepcopy=False)
        if len(trials) >= self.max_trials:
            return None
        self.tried.update(key(trial.params) for trial in trials[len(self.tried) :])
        values = self.proposals.next(trials, self.tried)
        if values is None:
            return None
        trial = self.folder.trial(len(trials))
        trial.path.mkdir(parents=True, exist_ok=True)
        trial.lock.acquire()
        known = {parameter.name: distribution(parameter) for parameter in self.proposals.space.space}
        template = optuna.trial.create_trial(
            state=TrialState.RUNNING, params=values, distributions={name: known[name] for name in values}
        )
        self.storage.create_new_trial(self.study._study_id, template)
        return self._claim(trial), values

    @cached_property
    def proposals(self) -> Proposals:
        return Proposals(self.strategy, self.get_space(), self.search_seed, self.objective.direction != "max")

    def _claim(self, trial: TrialFolder) -> str:
        self.claimed[trial.path.name] = trial
        return trial.path.name

    def update_trial(self, trial_id: str, metrics: dict[str, float], step: int = 0) -> Trial:
        """Reports the objective's value after an epoch; a step that is known already changes nothing.

        Keras Tuner's steps count from 0, those of the study are epochs behind a trial: Optuna's pruners begin there.
        """
        value, frozen = metrics.get(self.objective.name), self._frozen(trial_id)
        if value is not None and step + 1 not in frozen.intermediate_values:
            self.storage.set_trial_intermediate_value(frozen._trial_id, step + 1, value)
        return self.trials[trial_id]

    def prunes(self, trial_id: str) -> bool:
        """True if the trial, by what it has reported, is not worth further epochs."""
        return given_up(self.pruner, self.study, self._frozen(trial_id))

    def end_trial(self, trial: Trial) -> None:
        """Tells the study what the trial's journal says, and lets go of the trial."""
        folder = self.claimed.pop(trial.trial_id)
        end = folder.journal.events()[-1]
        trial.score = end.get("score")
        tell(self.study, folder.number, end)
        folder.lock.release()
        self.ongoing_trials = {key: value for key, value in self.ongoing_trials.items() if value is not trial}

    def _frozen(self, trial_id: str) -> optuna.trial.FrozenTrial:
        storage_id = self.storage.get_trial_id_from_study_id_trial_number(self.study._study_id, int(trial_id))
        return self.storage.get_trial(storage_id)

    def may_win(self, score: float) -> bool:
        """False if a finished trial is better."""
        done = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        scores = [trial.values[0] for trial in done]
        return not scores or (score >= max(scores) if self.objective.direction == "max" else score <= min(scores))

    def get_best_trials(self, num_trials: int = 1) -> list[Trial]:
        """The completed trials with the best scores, best first."""
        done = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        done.sort(key=lambda frozen: frozen.values[0], reverse=self.objective.direction == "max")
        return [self._as_trial(frozen) for frozen in done[:num_trials]]

    def _as_trial(self, frozen: optuna.trial.FrozenTrial) -> Trial:
        hyperparameters = self.get_space()
        hyperparameters.values = dict(frozen.params)
        trial = Trial(hyperparameters, f"{frozen.number:04d}", TrialStatus.COMPLETED)
        trial.score = frozen.value
        return trial

    def remaining_trials(self) -> int:
        return self.max_trials - len(self.study.get_trials(deepcopy=False))

    def save(self) -> None:
        """Nothing to do: every change is in the study before it is acted on."""

    def reload(self) -> None:
        """Nothing to do: the constructor opens the study as it is."""


def deaths(events: list[Event], session: str) -> int:
    """How often a trial's worker died while its launcher (`session`) lived on, since the last finished epoch."""
    sessions: list[str] = []
    for event in events:
        if event["event"] == "epoch":
            sessions = sessions[-1:]
        elif event["event"] == "start":
            sessions.append(event["session"])
    return sum(one == following for one, following in pairwise([*sessions, session]))
