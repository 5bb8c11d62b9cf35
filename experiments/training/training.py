"""Trains one model, an epoch at a time, so that every epoch is a place to go on from.

What is random in an epoch is a function of (seed, trial, execution, epoch) alone: a run that was killed and went on
ends with the same weights as one that was not.
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
from experiments.training.batches import Batches, Windows
from experiments.training.gradients import GradientNorms
from experiments.training.scoring import Scorer
from experiments.training.tracing import trace_as_one
from experiments.training.windows import streams
from search_spaces.scan import scanned
from search_spaces.streams import carrying, copy_weights, reset

STEPS_PER_EXECUTION = 16  # training steps between two looks of Python's
TRAINING_SEEDS = 1  # spawn key: apart from the seeds of data (0) and of proposals (2)


def seed_sequence(seed: int, *key: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(seed, spawn_key=(TRAINING_SEEDS, *key))


class Training:
    """One execution: `model` is scored and saved; of streams a copy of it (`trained`) carries the state in training.

    Args:
        task: gives the metric, and says whether the data are a stream.
        train: the training split as `task.split` gives it.
        val: the validation split.
        seeds: (trial, execution), with `seed` the source of all that is random.
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
    ) -> None:
        self.model, self.task, self.batch, self.seed, self.seeds = model, task, batch, seed, seeds
        self.compiled = min(batch, len(train[0])) if scanned(model) else 0  # XLA would compile another size, too
        self.scorer = Scorer(task, model, val, self.compiled)
        self.batches: Batches | Windows
        if task.stream:
            self.batches = Windows(streams(train, batch), task.steps)
            self.trained = carrying(model, batch, None)
        else:
            self.batches = Batches(train, batch)
            self.trained = model
        self.trained.steps_per_execution = min(STEPS_PER_EXECUTION, self.batches.steps)
        self.trained.optimizer.build(self.trained.trainable_variables)
        self.norms = GradientNorms(self.trained.optimizer, self.batches.steps)
        trace_as_one(self.trained)
        self.length = train[0].shape[1] if not task.stream else 0
        self.epoch, self.best, self.best_epoch = -1, float("nan"), -1
        self.logs: dict[str, float] = {}
        self.epochs = 0  # that this process has trained
        self.seconds = 0.0  # of the last epoch, inside training steps

    @property
    def probe_samples(self) -> int:
        """Samples of the task's length, without a state or a mask, that the kernel is compiled for, or 0."""
        like = self.length == self.task.steps and self.task.padding is None
        return self.compiled if like else 0

    def run_epoch(self) -> dict[str, float]:
        """Trains and scores; returns the epoch's training loss, validation score and gradient norms."""
        self.epoch += 1
        self.epochs += 1
        rng = np.random.default_rng(seed_sequence(self.seed, *self.seeds, self.epoch))
        self._seed_dropout(rng)
        read = self.batches
        loss = self._fit(self._samples(read, rng) if isinstance(read, Batches) else self._windows(read))
        if self.task.stream:
            copy_weights(self.trained, self.model)
        found = float(self.scorer.score()) if np.isfinite(loss) else float("nan")  # a user's summary may be NumPy's
        self.logs = {"loss": loss, f"val_{self.task.metric}": found, **self.norms.summary()}
        return self.logs

    def _seed_dropout(self, rng: np.random.Generator) -> None:
        for layer in self.trained.layers:
            if isinstance(layer, keras.layers.Dropout) and layer.rate > 0:
                layer.seed_generator.state.assign(rng.integers(2**31, size=2).astype("uint32"))

    def _samples(self, batches: Batches, rng: np.random.Generator) -> tf.data.Dataset:
        if self.task.online and self.epoch:
            self.batches = batches = Batches(self.task.split("train", self.seed, self.epoch), self.batch)
        return batches.shuffled(rng.permutation(batches.samples))

    def _windows(self, windows: Windows) -> tf.data.Dataset:
        """In order, row i of each batch going on with stream i."""
        reset(self.trained)
        return windows.dataset

    def _fit(self, batches: tf.data.Dataset) -> float:
        started = time.perf_counter()
        history = self.trained.fit(batches, verbose=0).history
        self.seconds = time.perf_counter() - started
        return float(history["loss"][0])

    def improved(self) -> bool:
        """Notes the last epoch's score; True if it is the best so far."""
        last = self.logs[f"val_{self.task.metric}"]
        better = last < self.best if self.task.direction == "min" else last > self.best
        if not (better or np.isnan(self.best)):
            return False
        self.best, self.best_epoch = last, self.epoch
        return True

    def save(self, path: Path, **more: Any) -> dict[str, Any]:
        """Writes a checkpoint: the file is either the old one or the whole new one. Returns its state."""
        state = {"epoch": self.epoch, "best": self.best, "best_epoch": self.best_epoch, "logs": self.logs, **more}
        arrays: Any = {f"variable{index}": np.asarray(value) for index, value in enumerate(self._variables())}
        buffer = io.BytesIO()
        np.savez(buffer, state=np.frombuffer(json.dumps(state).encode(), np.uint8), **arrays)
        write_bytes(path, buffer.getvalue())
        return state

    def keep(self, path: Path) -> None:
        """Writes the last epoch's weights, by atomic rename. A `.keras` file takes five times as long."""
        buffer = io.BytesIO()
        np.savez(buffer, *(np.asarray(value) for value in self.model.trainable_variables))
        write_bytes(path, buffer.getvalue())

    def best_model(self, path: Path) -> keras.Model:
        """The model with the weights of `keep`."""
        return with_weights(self.model, path)

    def load(self, path: Path) -> dict[str, Any]:
        """Goes on from a checkpoint; returns its state."""
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


def with_weights(model: keras.Model, path: Path) -> keras.Model:
    """The model, with the weights that `Training.keep` has written."""
    with np.load(path, allow_pickle=False) as file:
        for name, variable in zip(file.files, model.trainable_variables, strict=True):
            variable.assign(file[name])
    return model


def read_state(path: Path) -> dict[str, Any]:
    """A checkpoint's state without its arrays; {} where there is no checkpoint."""
    if not path.exists():
        return {}
    with np.load(path, allow_pickle=False) as file:
        return dict(json.loads(file["state"].tobytes()))


def save_model(model: keras.Model, path: Path) -> None:
    """Writes a `.keras` file by atomic rename."""
    with replacing(path) as temporary:
        model.save(temporary)
