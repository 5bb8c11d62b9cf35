"""An execution: one seeded training of a trial's model. It resumes from the checkpoint if there is one."""

import time
from typing import Any

import keras
import numpy as np
from keras_tuner.engine.trial import Trial
from keras_tuner.errors import FailedTrialError

from experiments.config.folders import TrialFolder
from experiments.config.spec import Spec
from experiments.config.units import parse_duration
from experiments.tasks.base import Arrays, Task
from experiments.training.measures import cost, measure_horizons, step_time, weight_copies
from experiments.training.samples import sample_shares
from experiments.training.tracing import REWRITTEN, rewrite_graphs
from experiments.training.training import (
    Training,
    read_state,
    save_model,
    seed_sequence,
    with_optimizer,
    with_weights,
)
from experiments.worker.checkpoints import Checkpoints
from experiments.worker.takeover import take_over
from experiments.worker.tuner import Execution, Pruned, SearchTuner
from search_spaces.architecture import layers, parameters
from search_spaces.plain import plain
from tracking.journal import Event, now
from tracking.text import format_duration


class RecurrentTuner(SearchTuner):
    """Trains recurrent models on a task.

    Args:
        train: the training split, x and y.
        val: the validation split.
        worker: the index of the worker.
        memory_limit: bytes; the launcher ends a worker that uses more. None for no limit.
        checkpoint_seconds: between two checkpoints of an execution; 0: each epoch has one.
    """

    training: type[Training] = Training

    def __init__(
        self,
        oracle: Any,
        hypermodel: Any,
        spec: Spec,
        task: Task,
        train: Arrays,
        val: Arrays,
        worker: int,
        memory_limit: int | None = None,
        checkpoint_seconds: float = 0.0,
    ) -> None:
        self.checkpoint_seconds = checkpoint_seconds
        self.spec, self.task, self.train, self.val = spec, task, train, val
        super().__init__(oracle, hypermodel, spec.executions, worker, memory_limit)
        self.time_limit = parse_duration("--trial-time-limit", spec.trial_time_limit)
        self.names = [parameter.name for parameter in self.oracle.get_space().space]

    def describe(self, values: dict[str, Any]) -> dict[str, Any]:
        return {"dropout": 0, **parameters(values, self.names)}

    def run_execution(self, trial: Trial, folder: TrialFolder, execution: int) -> Execution:
        started = time.perf_counter()
        training = self._build_training(trial, folder, execution)
        initial = weight_copies(training.model)
        # If the checkpoint is lost, epochs are trained again that the journal already has.
        recorded = {event["epoch"] for event in _events(folder, "epoch", execution)}
        if not execution and (continued := self.oracle.continued(trial.trial_id)):
            recorded |= take_over(folder, continued)
        earlier = self._resume(trial, training, folder, execution, recorded)
        checkpoints, seconds = Checkpoints(folder, execution, training, self.checkpoint_seconds), earlier
        reason = _launcher_stop_reason(folder, execution) or self._stop_reason(training, seconds)
        while training.epoch + 1 < self.spec.epochs and not reason:
            # A worker may have been killed after an epoch and before it asked the pruner. So the pruner is asked here.
            # It has seen all recorded epochs, also those after the checkpoint, which are trained again.
            if not execution and training.epoch >= max(recorded, default=0):
                self._prune(trial, training, checkpoints, seconds)
            logs = training.run_epoch()
            self._refuse_divergence(training.epoch, logs)
            seconds = earlier + time.perf_counter() - started
            spent = {"seconds": seconds, "training": training.training_seconds, "traced": training.epochs == 1}
            self._record_epoch(trial, folder, checkpoints.take(**spent, time=now()), recorded)
            reason = self._stop_reason(training, seconds)
        checkpoints.write()
        folder.journal.append("trained", execution=execution)
        best = with_weights(training.model, folder.execution_weights(execution, training.best_epoch))
        horizon = {} if self.spec.no_horizon else measure_horizons(best, initial, self.task, training.probe_samples)
        return {
            "score": training.best,
            "epoch": training.best_epoch,
            "seconds": earlier + time.perf_counter() - started,
            "samples": sample_shares(self.task, best, self.spec.seed),
            **step_time(_events(folder, "epoch", execution), training.batches.steps_per_epoch),
            **horizon,
            "stopped": reason,
        }

    def save_model(self, trial: Trial, folder: TrialFolder, kept: Event) -> None:
        model = self.hypermodel.build(trial.hyperparameters)
        path = folder.execution_weights(kept["execution"], kept["epoch"])
        save_model(with_optimizer(plain(with_weights(model, path)), path), folder.model)

    def _stop_reason(self, training: Training, seconds: float) -> str:
        """Why the training ends after this epoch: the patience or the time limit. "" if it continues.

        Args:
            seconds: of the execution so far, without the time between a kill and the resumption.
        """
        if training.epoch < 0:
            return ""
        if self.spec.patience and training.epoch - training.best_epoch >= self.spec.patience:
            return f"no better score for {self.spec.patience} epochs"
        if self.time_limit is not None and seconds > self.time_limit:
            return f"stopped at the trial time limit of {format_duration(self.time_limit)}"
        return ""

    def _prune(self, trial: Trial, training: Training, checkpoints: Checkpoints, seconds: float) -> None:
        """Raises Pruned if the oracle prunes the trial. Another trial may go on from its checkpoint."""
        if self.oracle.should_prune(trial.trial_id):
            checkpoints.write()
            reason = f"{self.spec.pruner}, after {training.epoch + 1} epochs"
            raise Pruned(reason=reason, epoch=training.best_epoch, seconds=seconds)

    def _build_training(self, trial: Trial, folder: TrialFolder, execution: int) -> Training:
        """Builds the model from the execution's seed and writes the "built" event."""
        keras.utils.clear_session()
        seeds = self.seeds(trial, folder, execution)
        keras.utils.set_random_seed(int(seed_sequence(self.spec.seed, *seeds).generate_state(1)[0]))
        # A kernel adds in its own order. A trial that goes on ends with the same numbers only if it keeps its kernel.
        self.hypermodel.begun = _first_kernel(self.oracle.continued(trial.trial_id) or folder)
        model = self.hypermodel.build(trial.hyperparameters)
        name, reason = self.hypermodel.kernel(layers(trial.hyperparameters.values))
        rewrite_graphs(name in REWRITTEN)
        costs = cost(model, self.task, self.spec.batch)
        spec = self.spec
        about = spec.batch, spec.seed, seeds, spec.buckets
        training = self.training(model, self.task, self.train, self.val, *about)
        kernel = {"kernel": name, "kernel_reason": reason, "steps_per_execution": training.trained.steps_per_execution}
        folder.journal.append("built", **costs, **kernel)
        return training

    def seeds(self, trial: Trial, folder: TrialFolder, execution: int) -> tuple[int, int]:
        """What the random numbers of an execution depend on, beside the seed of the search."""
        return (self.oracle.continued(trial.trial_id) or folder).number, execution

    def _resume(
        self, trial: Trial, training: Training, folder: TrialFolder, execution: int, recorded: set[int]
    ) -> float:
        """Restores the checkpoint of an earlier attempt and records its epoch; returns the seconds up to it."""
        if read_state(folder.checkpoint).get("execution") != execution:
            return 0.0
        state = training.load(folder.checkpoint)
        self._record_epoch(trial, folder, state, recorded)
        return float(state["seconds"])

    def _record_epoch(self, trial: Trial, folder: TrialFolder, state: dict[str, Any], recorded: set[int]) -> None:
        """Writes the "epoch" event of a checkpoint unless the journal has it, and reports the score to the oracle.

        The event has `seconds` since the execution began, seconds of `training` without scoring, and `traced`: whether
        TensorFlow traced and compiled in this epoch.

        Args:
            state: of the checkpoint.
            recorded: epochs that the journal has; the epoch is added.
        """
        names = ("execution", "epoch", "seconds", "training", "traced", "time")
        fields = {name: state[name] for name in names if name in state}
        if state["epoch"] not in recorded:
            folder.journal.append("epoch", metrics=state["logs"], **fields)
            recorded.add(state["epoch"])
        if state["execution"] == 0:
            self.oracle.update_trial(trial.trial_id, state["logs"], state["epoch"])

    def _refuse_divergence(self, epoch: int, logs: dict[str, float]) -> None:
        """Raises FailedTrialError if a value of the epoch is not finite."""
        for name, value in logs.items():
            if not np.isfinite(value):
                raise FailedTrialError(f"diverged in epoch {epoch}: {name} is {value}")


def _launcher_stop_reason(folder: TrialFolder, execution: int) -> str:
    """Why the launcher has stopped an execution, or "" if it has not."""
    return next((str(event["reason"]) for event in _events(folder, "stop", execution)), "")


def _first_kernel(folder: TrialFolder) -> tuple[str, str] | None:
    """The kernel that a trial began with, and why; None if it has not begun."""
    built = [event for event in folder.journal.events() if event["event"] == "built"]
    return (built[0]["kernel"], built[0]["kernel_reason"]) if built else None


def _events(folder: TrialFolder, kind: str, execution: int) -> list[Event]:
    """The events of one kind and one execution in the trial's journal."""
    return [event for event in folder.journal.events() if event["event"] == kind and event["execution"] == execution]
