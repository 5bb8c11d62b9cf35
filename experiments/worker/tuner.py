"""The Keras Tuner tuner: what a worker does with one trial.

Keras Tuner's own `search()` loop asks the oracle for a trial, calls `run_trial`, and tells the oracle how it ended.
Here every step is in the trial's journal before it is acted on.
"""

import math
import os
import statistics
import sys
from typing import Any

import keras_tuner
import psutil
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.errors import FatalError

from experiments.config.folders import FULL_DISK, TrialFolder
from experiments.strategy.oracle import StudyOracle
from experiments.system.resources import process_memory
from experiments.worker.process import RETIRED
from search_spaces.architecture import architecture
from tracking.journal import Event

Execution = dict[str, Any]  # the fields of an "execution" event
GROWN = 2**30  # bytes that a worker may grow by, over what it has after its first trial, before a fresh one follows


class Pruned(Exception):
    """Ends a trial that is not worth further epochs; `fields` are those of its "end" event."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(fields.get("reason", ""))
        self.fields = fields


class SearchTuner(keras_tuner.Tuner):
    """Keras Tuner's loop over a `StudyOracle`, with a journal per trial; subclasses say what an execution is."""

    oracle: StudyOracle

    def __init__(self, oracle: StudyOracle, hypermodel: Any, executions: int, worker: int) -> None:
        super().__init__(oracle, hypermodel, directory=str(oracle.folder.path), project_name=".")
        self.tuner_id = f"worker{worker}"
        self.executions, self.worker = executions, worker
        self.usual = 0  # bytes of memory after the first trial
        self.memory_limit: int | None = None  # bytes, beyond which the launcher ends this process with its trial

    def run_execution(self, trial: Trial, folder: TrialFolder, execution: int) -> Execution:
        """Trains once; returns at least the `score`. Raises Pruned."""
        raise NotImplementedError

    def save_model(self, trial: Trial, folder: TrialFolder, kept: Event) -> None:
        """Writes the model of the execution that is kept; `kept` is its event."""

    def describe(self, values: dict[str, Any]) -> dict[str, Any]:
        """The parameters under which MLflow shows a trial's values."""
        return {"architecture": architecture(values), **values}

    def on_trial_begin(self, trial: Trial) -> None:
        folder = self.oracle.claimed[trial.trial_id]
        attempt = 1 + sum(event["event"] == "start" for event in folder.journal.events())
        values = trial.hyperparameters.values
        folder.journal.append(
            "start",
            trial=trial.trial_id,
            attempt=attempt,
            session=self.oracle.session,
            worker=self.worker,
            pid=os.getpid(),
            values=values,
            parameters=self.describe(values),
        )

    def run_trial(self, trial: Trial, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Runs the executions that the journal does not have yet; the score is their mean.

        Raises FatalError, at which Keras Tuner stops, if the disk is full: every later trial would fail as this one.
        """
        try:
            return self._run_executions(trial)
        except OSError as error:
            if error.errno not in FULL_DISK:
                raise
            raise FatalError("the disk is full") from error

    def _run_executions(self, trial: Trial) -> dict[str, float]:
        folder = self.oracle.claimed[trial.trial_id]
        events = folder.journal.events()
        for event in events:  # a kill between journal and study leaves an epoch that the study does not know
            if event["event"] == "epoch" and event["execution"] == 0:
                self.oracle.update_trial(trial.trial_id, event["metrics"], event["epoch"])
        done = [event for event in events if event["event"] == "execution"]
        for execution in range(len(done), self.executions):
            try:
                found = self.run_execution(trial, folder, execution)
            except Pruned as pruned:
                folder.journal.append("end", outcome="pruned", score=None, **pruned.fields)
                folder.clear()
                return {self.oracle.objective.name: math.nan}  # for Keras Tuner; the oracle reads the journal
            done.append(folder.journal.append("execution", execution=execution, **found))
        self._end(trial, folder, done)
        return {self.oracle.objective.name: statistics.fmean(event["score"] for event in done)}

    def _end(self, trial: Trial, folder: TrialFolder, done: list[Event]) -> None:
        scores = [event["score"] for event in done]
        kept = sorted(done, key=lambda event: event["score"])[(len(done) - 1) // 2]  # the lower median
        if self.oracle.may_win(statistics.fmean(scores)):
            self.save_model(trial, folder, kept)
        folder.journal.append(
            "end",
            outcome="completed",
            score=statistics.fmean(scores),
            spread=statistics.stdev(scores) if len(scores) > 1 else None,
            model_score=kept["score"],
            execution=kept["execution"],
            epoch=kept.get("epoch"),
            samples=kept.get("samples", {}),
            seconds=sum(event.get("seconds", 0.0) for event in done),
            **{name: kept[name] for name in ("ms_per_step", "horizon") if name in kept},
            **({"reason": kept["stopped"]} if kept.get("stopped") else {}),
        )
        folder.clear()

    def on_trial_end(self, trial: Trial) -> None:
        folder = self.oracle.claimed[trial.trial_id]
        if trial.status != TrialStatus.COMPLETED:
            folder.journal.append("end", outcome="failed", score=None, **_failure(trial.message or ""))
            folder.clear()
        super().on_trial_end(trial)
        self._retire()

    def _retire(self) -> None:
        """TensorFlow keeps something of every model: a worker that has grown too large makes room for a fresh one.

        It does so half way to the limit, so that what earlier trials left never costs a later one its life.
        """
        size = process_memory(psutil.Process())
        self.usual = self.usual or size
        room = GROWN if self.memory_limit is None else min(GROWN, (self.memory_limit - self.usual) // 2)
        if size > self.usual + room:
            sys.exit(RETIRED)

    def _populate_initial_space(self) -> None:
        """Declares the space without building models: Keras Tuner builds one per conditional branch, twice."""
        space = self.oracle.get_space()
        self.hypermodel.declare_hyperparameters(space)
        self.oracle.update_space(space)

    def save(self) -> None:
        """Nothing to do: study and journals are all the state there is."""


def _failure(message: str) -> dict[str, str]:
    """The last line of a traceback as the reason, and the end of the whole."""
    lines = [line for line in message.strip().splitlines() if line.strip()]
    reason = lines[-1].strip() if lines else "unknown error"
    return {"reason": reason.removeprefix("keras_tuner.src.errors.FailedTrialError: "), "error": message[-5000:]}
