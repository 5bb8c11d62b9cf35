"""Trains one model, an epoch at a time. Training can resume after every epoch.

The random numbers of an epoch are a function of (seed, trial, execution, epoch). A killed and resumed training ends
with the same weights as one that was never killed.
"""

import io
import json
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from experiments.system.files import replacing, write_bytes
from experiments.tasks.base import Arrays, Task
from experiments.training import buckets
from experiments.training.adam import update_at_once
from experiments.training.batches import Batches, Windows
from experiments.training.gradients import GradientNorms
from experiments.training.scoring import Scorer
from experiments.training.tracing import trace_as_one
from experiments.training.windows import streams
from search_spaces.bucketed import Bucketed
from search_spaces.scan import scanned
from search_spaces.streams import carrying, copy_weights, reset

STEPS_PER_EXECUTION = 16  # training steps that TensorFlow runs in one call from Python
TRAINING_SEEDS = 1  # spawn key; data have 0, proposals have 2


def seed_sequence(seed: int, *key: int) -> np.random.SeedSequence:
    """The random numbers of training for a key: (trial, execution) or (trial, execution, epoch)."""
    return np.random.SeedSequence(seed, spawn_key=(TRAINING_SEEDS, *key))


class Training:
    """The training of one execution.

    `model` is scored and saved. `trained` is the model that is fitted: `model` itself, or one that cuts its batches and
    has the same weights, or for a stream a copy that carries its state from one window to the next.

    Args:
        model: compiled.
        task: gives the metric, and says whether the data are a stream.
        train: the training split, x and y, as `task.split` gives it.
        val: the validation split.
        batch: samples of a training step; for a stream, the number of streams.
        seed: of the search.
        seeds: (trial, execution).
        count: of buckets, the lengths that batches are cut to; 1: no batch is cut.
    """

    def __init__(
        self,
        model: keras.Sequential,
        task: Task,
        train: Arrays,
        val: Arrays,
        batch: int,
        seed: int,
        seeds: tuple[int, int],
        count: int = 1,
    ) -> None:
        self.model, self.task, self.batch, self.seed, self.seeds = model, task, batch, seed, seeds
        self.compiled = min(batch, len(train[0])) if scanned(model) else 0  # XLA compiles for every size of batch
        self.scorer = Scorer(task, model, val, self.compiled)
        self.batches: Batches | Windows
        self.buckets, lengths = buckets.of(task, train, count)
        if task.stream:
            self.batches = Windows(streams(train, batch), task.steps)
            self.trained = carrying(model, batch, None)
        else:
            self.batches = self._batches(train, lengths)
            self.trained = Bucketed(model, self.buckets) if self.buckets else model
        self.trained.steps_per_execution = min(STEPS_PER_EXECUTION, self.batches.steps_per_epoch)
        self.trained.optimizer.build(self.trained.trainable_variables)
        update_at_once(self.trained.optimizer)
        self.norms = GradientNorms(self.trained.optimizer, self.batches.steps_per_epoch)
        trace_as_one(self.trained)
        self.length = train[0].shape[1] if not task.stream else 0
        self.epoch, self.best, self.best_epoch = -1, float("nan"), -1
        self.logs: dict[str, float] = {}
        self.epochs = 0  # the number of epochs that this process has trained
        self.training_seconds = 0.0  # of the last epoch, without the scoring

    @property
    def probe_samples(self) -> int:
        """For how many samples of the task's length the kernel is compiled. 0 if it is compiled for another input."""
        fits = self.length == self.task.steps and self.task.padding is None
        return self.compiled if fits else 0

    def run_epoch(self) -> dict[str, float]:
        """Trains one epoch and scores it; returns the training loss, the validation score and the gradient norms.

        A loss that is not finite gives the score NaN.
        """
        self.epoch += 1
        self.epochs += 1
        rng = np.random.default_rng(seed_sequence(self.seed, *self.seeds, self.epoch))
        self._seed_dropout(rng)
        batches = self.batches
        loss = self._fit(self._samples(batches, rng) if isinstance(batches, Batches) else self._windows(batches))
        if self.task.stream:
            copy_weights(self.trained, self.model)
        score = float(self.scorer.score()) if np.isfinite(loss) else float("nan")  # a user's score may be NumPy's type
        self.logs = {"loss": loss, f"val_{self.task.metric}": score, **self.norms.summary()}
        return self.logs

    def _seed_dropout(self, rng: np.random.Generator) -> None:
        for layer in (self.trained if self.task.stream else self.model).layers:
            if isinstance(layer, keras.layers.Dropout) and layer.rate > 0:
                layer.seed_generator.state.assign(rng.integers(2**31, size=2).astype("uint32"))

    def _samples(self, batches: Batches, rng: np.random.Generator) -> tf.data.Dataset:
        """The samples in a new order. An online task draws new samples for every epoch after the first one."""
        if self.task.online and self.epoch:
            fresh = self.task.split("train", self.seed, self.epoch)
            lengths = buckets.sample_lengths(self.task, fresh) if self.buckets else None
            self.batches = batches = self._batches(fresh, lengths)
        if not self.buckets:
            return batches.shuffled(rng.permutation(batches.samples))
        return batches.shuffled(buckets.shuffled(self.bucket_of, self.batch, rng))

    def _batches(self, train: Arrays, lengths: np.ndarray | None) -> Batches:
        """The batches of samples. With their lengths each sample gets its bucket."""
        if lengths is not None:
            self.bucket_of = buckets.places(lengths, self.buckets)
        return Batches(train, self.batch, self.task.class_weights, lengths)

    def _windows(self, windows: Windows) -> tf.data.Dataset:
        """The windows in order, from a state of zero. Row i of each batch belongs to stream i."""
        reset(self.trained)
        return windows.dataset

    def _fit(self, batches: tf.data.Dataset) -> float:
        started = time.perf_counter()
        history = self.trained.fit(batches, shuffle=False, verbose=0).history
        self.training_seconds = time.perf_counter() - started
        return float(history["loss"][0])

    def improved(self) -> bool:
        """True if the score of the last epoch is the best so far. It is then stored as `best` and `best_epoch`."""
        score = self.logs[f"val_{self.task.metric}"]
        better = score < self.best if self.task.direction == "min" else score > self.best
        if not (better or np.isnan(self.best)):
            return False
        self.best, self.best_epoch = score, self.epoch
        return True

    def state(self, **more: Any) -> dict[str, Any]:
        """What a checkpoint says of the last epoch, beside its arrays.

        Args:
            more: further fields, for `read_state`.
        """
        return {"epoch": self.epoch, "best": self.best, "best_epoch": self.best_epoch, "logs": self.logs, **more}

    def packed(self, state: dict[str, Any]) -> bytes:
        """The content of a checkpoint: the state, the weights, and the variables of the optimizer."""
        arrays: Any = {f"variable{index}": np.asarray(value) for index, value in enumerate(self._variables())}
        buffer = io.BytesIO()
        np.savez(buffer, state=np.frombuffer(json.dumps(state).encode(), np.uint8), **arrays)
        return buffer.getvalue()

    def save(self, path: Path, **more: Any) -> None:
        """Writes a checkpoint by atomic rename."""
        write_bytes(path, self.packed(self.state(**more)))

    def load(self, path: Path) -> dict[str, Any]:
        """Restores a checkpoint; returns its state. Training goes on with the next epoch."""
        with np.load(path, allow_pickle=False) as file:
            state: dict[str, Any] = json.loads(file["state"].tobytes())
            for index, variable in enumerate(self._variables()):
                variable.assign(file[f"variable{index}"])
        copy_weights(self.trained, self.model)
        self.epoch, self.best, self.best_epoch = state["epoch"], state["best"], state["best_epoch"]
        self.logs = state["logs"]
        return state

    def _variables(self) -> list[Any]:
        return [*self.trained.trainable_variables, *self.trained.optimizer.variables]


def continue_from(training: Training, model: keras.Model) -> None:
    """Begins a training with the weights of a model, and with the state of its optimizer if it has one.

    With a schedule of the learning rate the optimizer begins anew. Both count the same steps, and Adam would take steps
    of a quarter of the size if it had old moments and counted from 0.
    """
    copy_weights(model, training.model)
    copy_weights(model, training.trained)
    optimizer = training.trained.optimizer
    scheduled = isinstance(optimizer.get_config()["learning_rate"], dict)
    if not scheduled and model.optimizer and len(model.optimizer.variables) == len(optimizer.variables):
        _assign(optimizer.variables, model.optimizer.variables)


def with_weights(model: keras.Model, path: Path) -> keras.Model:
    """Gives `model` the weights of a checkpoint; returns it."""
    _assign(model.trainable_variables, _arrays(path, slice(len(model.trainable_variables))))
    return model


def with_optimizer(model: keras.Model, path: Path) -> keras.Model:
    """Gives the optimizer of `model` the state that it has in a checkpoint; returns the model.

    A file of weights of an earlier version has no such state. The optimizer then begins anew.
    """
    if state := _arrays(path, slice(len(model.trainable_variables), None)):
        _assign(model.optimizer.variables, state)
    return model


def _arrays(path: Path, part: slice) -> list[np.ndarray]:
    """Some arrays of a checkpoint: first those of the weights, then those of the optimizer."""
    with np.load(path, allow_pickle=False) as file:
        return [file[name] for name in [name for name in file.files if name != "state"][part]]


def _assign(variables: list[Any], arrays: list[np.ndarray]) -> None:
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def read_state(path: Path) -> dict[str, Any]:
    """The state of a checkpoint, without its arrays; {} if there is no checkpoint."""
    if not path.exists():
        return {}
    with np.load(path, allow_pickle=False) as file:
        return dict(json.loads(file["state"].tobytes()))


def save_model(model: keras.Model, path: Path) -> None:
    """Writes a `.keras` file by atomic rename."""
    with replacing(path) as temporary:
        model.save(temporary)
