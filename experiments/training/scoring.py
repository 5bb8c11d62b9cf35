"""Scores a model on a split as a search does, and a saved model on the data of a search."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from experiments.tasks.base import Arrays, Task
from experiments.tasks.loading import find
from experiments.tasks.loading.digest import check_digest
from experiments.training.windows import Rows, rows

BATCH = 256
STREAMS = 16  # rows that a long sequence is read in at the most ...
STREAM = 2_048  # ... of at least so many steps
WINDOW = 512  # steps whose outputs are held at a time, at the most
OUTPUTS = 2**24  # values of a model's outputs that are held at a time
CLOSE = 1e-6  # states that are as near give the same score


class Scorer:
    """The task's metric of `model` on a split, as often as its weights change.

    A sequence is read from zero state to its end, the state carried all the way. To do so many rows at a time, each
    row begins with the state that the row before ended with in the last pass, until these no longer change: a cell
    forgets, so two passes are the rule, and after as many passes as there are rows it is exact for any cell.

    Args:
        compiled: samples that the model's kernel has been compiled for: no other number is then computed at a time.
    """

    def __init__(self, task: Task, model: Any, arrays: Arrays, compiled: int = 0) -> None:
        self.task, self.model, self.arrays = task, model, arrays
        self.batch = min(BATCH, len(arrays[0]))
        self.predict = model.predict_on_batch
        if compiled and not task.stream:
            self.batch = -(-self.batch // compiled) * compiled
            self.predict = _by_batches(model, compiled)
        if task.stream:
            from search_spaces.streams import carrying

            window = max(1, min(WINDOW, OUTPUTS // (STREAMS * task.outputs)))
            self.rows: Rows = rows(arrays, max(1, min(STREAMS, len(arrays[0]) // STREAM)), window)
            self.reader = carrying(model, len(self.rows.x), None)

    def score(self) -> float:
        x, y = self.arrays
        if not self.task.stream:
            return self.task.summary(np.concatenate([self._judge(x[part], y[part]) for part in self._parts()]))
        from search_spaces.streams import copy_weights, states

        copy_weights(self.model, self.reader)
        starts = [np.zeros(state.shape, np.float32) for state in states(self.reader)]
        for _ in self.rows.x:
            found, ends = self._read(starts)
            following = [np.concatenate([np.zeros_like(end[:1]), end[:-1]]) for end in ends]
            if all(np.allclose(*pair, rtol=0, atol=CLOSE) for pair in zip(starts, following, strict=True)):
                break
            starts = following
        return found

    def _parts(self) -> list[slice]:
        """The samples, a batch at a time."""
        return [slice(start, start + self.batch) for start in range(0, len(self.arrays[0]), self.batch)]

    def _judge(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """A smaller last batch is filled up: another shape would be traced anew."""
        full = x if len(x) == self.batch else np.resize(x, (self.batch, *x.shape[1:]))
        return self.task.judge(y, self.predict(full)[: len(x)])

    def _read(self, starts: list[np.ndarray]) -> tuple[float, list[np.ndarray]]:
        """(the metric, the states at the end of each row) of one pass."""
        from search_spaces.streams import states

        for state, start in zip(states(self.reader), starts, strict=True):
            state.assign(start)
        judged = []
        for x, y, real in self.rows.windows():
            outputs = self.reader.predict_on_batch(x)
            if real.any():
                judged.append(self.task.judge(y[real], outputs[real]))
        return self.task.summary(np.concatenate(judged)), [state.numpy() for state in states(self.reader)]


def _by_batches(model: Any, batch: int) -> Callable[[np.ndarray], np.ndarray]:
    """Outputs `(samples, …)` of x `(samples, time, …)`, `batch` samples at a time, in one call."""
    import tensorflow as tf

    @tf.function(autograph=False)
    def predict(x: tf.Tensor) -> tf.Tensor:
        parts = tf.reshape(x, (-1, batch, *x.shape[1:]))
        outputs = tf.map_fn(lambda part: model(part, training=False), parts, fn_output_signature=model.compute_dtype)
        return tf.reshape(outputs, tf.concat([[-1], tf.shape(outputs)[2:]], 0))

    return lambda x: np.asarray(predict(x))


def scorer(spec: dict[str, Any]) -> Callable[[Path, str], float]:
    """A function from a `.keras` file and a split to the task's metric.

    Raises ValueError if the data are no longer those of the search.
    """
    task = find.make(spec["task"], spec["options"])
    check_digest([task.split(name, spec["seed"]) for name in ("train", "val")], spec["digest"])

    def score(file: Path, split: str) -> float:
        import keras

        return Scorer(task, keras.models.load_model(file), task.split(split, spec["seed"])).score()

    return score
