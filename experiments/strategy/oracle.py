"""A Keras Tuner oracle whose memory is an Optuna study on disk.

Workers share only that study. One lock lets one worker at a time ask for a trial. A new trial is one line in Optuna's
journal.

The worker of a trial holds the trial's lock. The system releases the lock when the process dies. A trial is lost if it
is RUNNING in the study and its lock is free. The next worker that asks gets the lost trial again, under its old number.
"""

from contextlib import AbstractContextManager
from functools import cached_property
from typing import Any

import keras_tuner
import optuna
from keras_tuner.engine.trial import Trial, TrialStatus
from optuna.trial import TrialState

from experiments.config.folders import SearchFolder, TrialFolder, try_acquire
from experiments.config.spec import STRATEGIES
from experiments.strategy.continuations import CONTINUES, Past, clear, due
from experiments.strategy.deaths import lost_end
from experiments.strategy.points import distribution, key
from experiments.strategy.proposals import Proposals
from experiments.strategy.pruning import should_prune
from experiments.strategy.study import check_new, open_study, past, tell
from tracking.candidates import candidate_in
from tracking.errors import BadInput
from tracking.journal import Event
from tracking.ranking import Candidate, Preference, may_last


class StudyOracle(keras_tuner.Oracle):
    """Answers Keras Tuner's calls from an Optuna study.

    Args:
        folder: the search's folder with the study, the locks and the trials.
        objective: name and direction of the score.
        strategy: random, grid or tpe.
        max_trials: how many trials the search has in all.
        seed: of the proposals; 0 is a seed.
        hyperparameters: the space, if it is known before the first model is built.
        session: names the launcher that started this worker. With it `deaths` counts only the workers that
            died while their launcher lived on.
        pruner: an Optuna pruner for `should_prune`; by default no trial is pruned.
        allocate: how many trials each cell gets; see allocation.py. Unless it is best, each cell ends with a candidate
            that is trained to the end; see continuations.py.
        wish: the search's --prefer, which adds to the models that are kept.

    Raises BadInput for an unknown strategy.
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
        allocate: str = "best",
        wish: Preference | None = None,
    ) -> None:
        if strategy not in STRATEGIES:
            raise BadInput(f"oracle: expected one of {', '.join(STRATEGIES)}, got {strategy!r}")
        super().__init__(objective=objective, max_trials=max_trials, hyperparameters=hyperparameters)
        self.verbose, self.pruner = 0, pruner or optuna.pruners.NopPruner()
        self.folder, self.strategy, self.search_seed, self.session = folder, strategy, seed, session
        self.allocate, self.wish = allocate, wish
        # Of the trials that this process has looked at so far, so that an ask costs the same after many trials.
        self.looked = 0  # how many trials
        self.begun = 0  # how many of them do not continue others
        self.tried: set[Any] = set()  # the keys of their points; none is proposed again
        self.claimed: dict[str, TrialFolder] = {}  # of the trials whose locks this process holds, by trial id
        self.ongoing_trials: dict[str, Trial] = {}  # by tuner id
        # Every worker opens the study, and the first one makes it. Without the lock two workers could make one each.
        with folder.study_lock:
            self.storage, self.study = open_study(folder, objective.direction)

    def create_trial(self, tuner_id: str) -> Trial:
        """The next trial of a worker: a lost one, else a new one. Its status is STOPPED if no trial is left."""
        if tuner_id in self.ongoing_trials:
            return self.ongoing_trials[tuner_id]
        # Two workers that ask at the same time would get the same number and perhaps the same point. With the lock the
        # second one asks after the first one has stored its trial.
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
        """(id, values) of a trial whose worker died, or None. If a lost trial has ended, the study is told its end."""
        running = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        held = {folder.number for folder in self.claimed.values()}
        if not (others := [frozen for frozen in running if frozen.number not in held]):
            return None
        regular = [one for one in self.study.get_trials(deepcopy=False) if CONTINUES not in one.user_attrs]
        unplanned = {trial.number for trial in regular[self.max_trials :]}  # --trials was lowered
        for frozen in others:
            if frozen.number in unplanned:
                continue
            trial_folder = self.folder.trial(frozen.number)
            trial_folder.path.mkdir(parents=True, exist_ok=True)
            # A living worker holds the lock of its trial. If the lock is free, the worker is dead.
            if not try_acquire(trial_folder.lock):
                continue
            trial_folder.journal.repair()
            end = lost_end(trial_folder.journal, self.session)
            if end is None:
                return self._claim(trial_folder), frozen.params
            self._tell(trial_folder, end)
        return None

    def _tell(self, trial_folder: TrialFolder, end: Event) -> None:
        """Tells the study how a trial has ended, removes the files that only running trials need, and frees its lock.

        The checkpoint of a cell's best pruned trial stays where it may be continued.
        """
        if end["outcome"] != "pruned" or not self.finished_cells:
            trial_folder.clear()
        tell(self.study, trial_folder.number, end)
        if self.finished_cells:
            clear(self.folder, self._past(), self.finished_cells)
        trial_folder.lock.release()

    def _past(self) -> list[Past]:
        minimize = self.objective.direction != "max"
        return [past(trial, minimize) for trial in self.study.get_trials(deepcopy=False)]

    @property
    def finished_cells(self) -> list[str]:
        """The cells that each end with a candidate that is trained to the end."""
        return [] if self.allocate == "best" else list(self.proposals.sizes)

    def _new_trial(self) -> tuple[str, dict[str, Any]] | None:
        """(id, values) of a new trial, or None if there are `max_trials` or the space has no more points."""
        trials = self.study.get_trials(deepcopy=False)
        new, self.looked = trials[self.looked :], len(trials)
        self.begun += sum(CONTINUES not in trial.user_attrs for trial in new)
        self.tried.update(key(trial.params) for trial in new)
        values = self.proposals.next(trials, self.tried) if self.begun < self.max_trials else None
        if values is not None:
            return self._store(len(trials), values, {})
        if self.finished_cells and (found := due(self._past(), self.finished_cells)):
            return self._store(len(trials), trials[found[0].number].params, {CONTINUES: found[0].number})
        return None

    def _store(self, number: int, values: dict[str, Any], about: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Makes a new trial in the study; returns (id, values)."""
        trial_folder = self.folder.trial(number)
        trial_folder.path.mkdir(parents=True, exist_ok=True)
        # The lock is taken before the study has the trial. A trial in the study whose lock is free would count as lost.
        trial_folder.lock.acquire()
        check_new(trial_folder, self.folder)
        known = {parameter.name: distribution(parameter) for parameter in self.proposals.space.space}
        template = optuna.trial.create_trial(
            state=TrialState.RUNNING,
            params=values,
            distributions={name: known[name] for name in values},
            user_attrs=about,
        )
        self.storage.create_new_trial(self.study._study_id, template)
        return self._claim(trial_folder), values

    @cached_property
    def proposals(self) -> Proposals:
        """The proposals. They are made at the first new trial, because the space is declared by then."""
        minimize = self.objective.direction != "max"
        return Proposals(self.strategy, self.get_space(), self.search_seed, minimize, self.allocate)

    def _claim(self, trial_folder: TrialFolder) -> str:
        """Notes that this process works on the trial; returns the trial's id."""
        self.claimed[trial_folder.path.name] = trial_folder
        return trial_folder.path.name

    def update_trial(self, trial_id: str, metrics: dict[str, float], step: int = 0) -> Trial:
        """Reports the objective's value after an epoch. A second report of the same epoch changes nothing.

        A trial that continues another one reports nothing. Pruners would see the same training twice.

        Args:
            step: the epoch, counted from 0 as Keras Tuner does. The study counts from 1, as Optuna's pruners expect.
        """
        value, frozen = metrics.get(self.objective.name), self._frozen(trial_id)
        if value is not None and step + 1 not in frozen.intermediate_values and CONTINUES not in frozen.user_attrs:
            self.storage.set_trial_intermediate_value(frozen._trial_id, step + 1, value)
        return self.trials[trial_id]

    def should_prune(self, trial_id: str) -> bool:
        """True if the reported scores of the trial are not worth further epochs."""
        frozen = self._frozen(trial_id)
        return CONTINUES not in frozen.user_attrs and should_prune(self.pruner, self.study, frozen)

    def continued(self, trial_id: str) -> TrialFolder | None:
        """The folder of the pruned trial that a trial continues, or None."""
        number = self._frozen(trial_id).user_attrs.get(CONTINUES)
        return None if number is None else self.folder.trial(number)

    def end_trial(self, trial: Trial) -> None:
        """Reads the end of the trial from its journal, tells it to the study and releases the trial's lock."""
        trial_folder = self.claimed.pop(trial.trial_id)
        end = trial_folder.journal.events()[-1]
        trial.score = end.get("score")
        self._tell(trial_folder, end)
        self.ongoing_trials = {tuner: other for tuner, other in self.ongoing_trials.items() if other is not trial}

    def _frozen(self, trial_id: str) -> optuna.trial.FrozenTrial:
        storage_id = self.storage.get_trial_id_from_study_id_trial_number(self.study._study_id, int(trial_id))
        return self.storage.get_trial(storage_id)

    def may_win(self, candidate: Candidate) -> bool:
        """False if the model of a candidate will not be kept: one whose model is on disk is better in every way."""
        others = [candidate_in(trial.number, trial.journal.events()) for trial in self.folder.with_models()]
        return may_last(candidate, [*filter(None, others)], self.objective.direction, self.wish)

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
        """How many trials the search may still start, besides those that continue others."""
        trials = self.study.get_trials(deepcopy=False)
        return self.max_trials - sum(CONTINUES not in trial.user_attrs for trial in trials)

    def group(self) -> AbstractContextManager[None]:
        """A block in which the lines of the study wait, and at whose end they are written together."""
        return self.storage.file.group()

    def save(self) -> None:
        """Does nothing: every change is written to the study at once."""

    def reload(self) -> None:
        """Does nothing: the constructor opens the study that is on disk."""
