"""The Keras Tuner tuner: what a worker does with one trial.

Keras Tuner's own `search()` loop asks the oracle for a trial, calls `run_trial`, and tells the oracle how it ended.
Here every step is in the trial's journal before it is acted on.
"""

import math
import os
import statistics
import sys
import time
from typing import Any

import keras
import keras_tuner
import numpy as np
import psutil
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.errors import FailedTrialError, FatalError

from experiments.config.folders import FULL_DISK, TrialFolder
from experiments.config.spec import Spec
from experiments.config.units import parse_duration
from experiments.engines.local import RETIRED
from experiments.strategy.oracle import StudyOracle
from experiments.system.resources import process_memory
from experiments.tasks.base import Arrays, Task
from experiments.training.measures import cost, horizons, pace, weights
from experiments.training.sampling import shares
from experiments.training.tracing import rewrite_graphs
from experiments.training.training import Training, read_state, save_model, seed_sequence, with_weights
from search_spaces.architecture import architecture, layers, parameters
from search_spaces.plain import plain
from tracking.journal import Event, now
from tracking.text import format_duration

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


class RecurrentTuner(SearchTuner):
    """Trains recurrent models on a task."""

    def __init__(
        self,
        oracle: StudyOracle,
        hypermodel: Any,
        spec: Spec,
        task: Task,
        train: Arrays,
        val: Arrays,
        worker: int,
    ) -> None:
        self.spec, self.task, self.train, self.val = spec, task, train, val
        super().__init__(oracle, hypermodel, spec.executions, worker)
        self.time_limit = parse_duration("--trial-time-limit", spec.trial_time_limit)
        self.names = [parameter.name for parameter in self.oracle.get_space().space]

    def describe(self, values: dict[str, Any]) -> dict[str, Any]:
        return {"dropout": 0, **parameters(values, self.names)}

    def run_execution(self, trial: Trial, folder: TrialFolder, execution: int) -> Execution:
        started = time.perf_counter()
        training = self._training(trial, folder, execution)
        initial = weights(training.model)
        written = {
            event["epoch"] for event in _events(folder, "epoch", execution)
        }  # a checkpoint may be lost, lines are not
        before = self._go_on(trial, training, folder, execution, written)
        seconds, stopped = before, _stop(folder, execution) or self._enough(training, before)
        while training.epoch + 1 < self.spec.epochs and not stopped:
            if not execution and training.epoch >= 0:  # also where a kill came before the pruner was asked
                self._prune(trial, training, seconds)
            logs = training.run_epoch()
            self._refuse_divergence(training.epoch, logs)
            seconds = before + time.perf_counter() - started
            self._epoch_line(trial, folder, self._save(training, folder, execution, seconds), written)
            stopped = self._enough(training, seconds)
        folder.journal.append("trained", execution=execution)
        best = training.best_model(folder.execution_weights(execution, training.best_epoch))
        sees = {} if self.spec.no_horizon else horizons(best, initial, self.task, training.probe_samples)
        seconds = before + time.perf_counter() - started
        samples = shares(self.task, best, self.spec.seed)
        found = {"score": training.best, "epoch": training.best_epoch, "seconds": seconds, "samples": samples}
        return {
            **found,
            **pace(_events(folder, "epoch", execution), training.batches.steps),
            **sees,
            "stopped": stopped,
        }

    def save_model(self, trial: Trial, folder: TrialFolder, kept: Event) -> None:
        model = self.hypermodel.build(trial.hyperparameters)
        path = folder.execution_weights(kept["execution"], kept["epoch"])
        save_model(plain(with_weights(model, path)), folder.model)

    def _enough(self, training: Training, seconds: float) -> str:
        """Why the training ends after this epoch, or ""."""
        if training.epoch < 0:
            return ""
        if self.spec.patience and training.epoch - training.best_epoch >= self.spec.patience:
            return f"no better score for {self.spec.patience} epochs"
        if self.time_limit is not None and seconds > self.time_limit:
            return f"stopped at the trial time limit of {format_duration(self.time_limit)}"
        return ""

    def _prune(self, trial: Trial, training: Training, seconds: float) -> None:
        if self.oracle.prunes(trial.trial_id):
            reason = f"{self.spec.pruner}, after {training.epoch + 1} epochs"
            raise Pruned(reason=reason, epoch=training.best_epoch, seconds=seconds)

    def _training(self, trial: Trial, folder: TrialFolder, execution: int) -> Training:
        keras.utils.clear_session()
        seeds = (int(trial.trial_id), execution)
        keras.utils.set_random_seed(int(seed_sequence(self.spec.seed, *seeds).generate_state(1)[0]))
        model = self.hypermodel.build(trial.hyperparameters)
        name, reason = self.hypermodel.kernel(layers(trial.hyperparameters.values))
        rewrite_graphs(name != "xla")
        costs = cost(model, self.task, self.spec.batch)
        training = Training(model, self.task, self.train, self.val, self.spec.batch, self.spec.seed, seeds)
        how = {"kernel": name, "kernel_reason": reason, "steps_per_execution": training.trained.steps_per_execution}
        folder.journal.append("built", **costs, **how)
        return training

    def _go_on(self, trial: Trial, training: Training, folder: TrialFolder, execution: int, written: set[int]) -> float:
        """Loads what an earlier attempt left, and writes the line it may lack; returns the seconds it had spent."""
        if read_state(folder.checkpoint).get("execution") != execution:
            return 0.0
        state = training.load(folder.checkpoint)
        self._epoch_line(trial, folder, state, written)
        return float(state["seconds"])

    def _save(self, training: Training, folder: TrialFolder, execution: int, seconds: float) -> dict[str, Any]:
        """A checkpoint with all that the epoch's line will say; the weights of its best epoch lie there before it."""
        before = training.best_epoch
        if training.improved():
            training.keep(folder.execution_weights(execution, training.epoch))
        spent = {"seconds": seconds, "training": training.seconds, "traced": training.epochs == 1}
        line = {"execution": execution, **spent, "time": now()}
        state = training.save(folder.checkpoint, **line)
        if training.best_epoch != before:
            folder.execution_weights(execution, before).unlink(missing_ok=True)
        return state

    def _epoch_line(self, trial: Trial, folder: TrialFolder, state: dict[str, Any], written: set[int]) -> None:
        """What a checkpoint says of its epoch, once: `seconds` since the execution began, `training` in its steps.

        `traced`: TensorFlow has traced and compiled in it.

        Args:
            written: epochs that have their lines.
        """
        names = ("execution", "epoch", "seconds", "training", "traced", "time")
        line = {name: state[name] for name in names if name in state}
        if line["epoch"] not in written:
            folder.journal.append("epoch", metrics=state["logs"], **line)
            written.add(line["epoch"])
        if line["execution"] == 0:
            self.oracle.update_trial(trial.trial_id, state["logs"], line["epoch"])

    def _refuse_divergence(self, epoch: int, logs: dict[str, float]) -> None:
        for name, value in logs.items():
            if not np.isfinite(value):
                raise FailedTrialError(f"diverged in epoch {epoch}: {name} is {value}")


def _stop(folder: TrialFolder, execution: int) -> str:
    """Why the launcher has stopped an execution, or ""."""
    return next((str(event["reason"]) for event in _events(folder, "stop", execution)), "")


def _events(folder: TrialFolder, kind: str, execution: int) -> list[Event]:
    """Of one kind, of one execution."""
    return [event for event in folder.journal.events() if event["event"] == kind and event["execution"] == execution]


def _failure(message: str) -> dict[str, str]:
    """The last line of a traceback as the reason, and the end of the whole."""
    lines = [line for line in message.strip().splitlines() if line.strip()]
    reason = lines[-1].strip() if lines else "unknown error"
    return {"reason": reason.removeprefix("keras_tuner.src.errors.FailedTrialError: "), "error": message[-5000:]}
