"""What an execution is: one seeded training of a trial's model, from its checkpoint on if there is one."""

import time
from typing import Any

import keras
import numpy as np
from keras_tuner.engine.trial import Trial
from keras_tuner.errors import FailedTrialError

from experiments.config.folders import TrialFolder
from experiments.config.spec import Spec
from experiments.config.units import parse_duration
from experiments.strategy.oracle import StudyOracle
from experiments.tasks.base import Arrays, Task
from experiments.training.measures import cost, horizons, pace, weights
from experiments.training.sampling import shares
from experiments.training.tracing import rewrite_graphs
from experiments.training.training import Training, read_state, save_model, seed_sequence, with_weights
from experiments.worker.tuner import Execution, Pruned, SearchTuner
from search_spaces.architecture import layers, parameters
from search_spaces.plain import plain
from tracking.journal import Event, now
from tracking.text import format_duration


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
