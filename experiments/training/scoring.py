"""Scores a model on a split. A search and the export of a saved model score in the same way."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.tasks.base import NOT_SCORED, Arrays, Task
from experiments.tasks.loading import find, metrics
from experiments.tasks.loading.checks import check_scored
from experiments.tasks.loading.copied import Copy
from experiments.tasks.loading.places import Source, source_of
from experiments.training.saved import load
from experiments.training.windows import Rows, rows
from tracking.deploy.samples import Samples

BATCH = 256
MAX_ROWS = 16  # the most rows of a long sequence
MIN_ROW_STEPS = 2_048  # the fewest time steps of a row, if there is more than one row
MAX_WINDOW = 512  # the most time steps whose outputs are in memory at once
MAX_OUTPUTS = 2**24  # the most numbers in the outputs that are in memory at once
# Nearly equal start states of a row give the same score.
# States that differ by less than this, a few rounding errors of float32, count as unchanged.
STATE_TOLERANCE = 1e-6
# Two kernels, or two sizes of batch, add in different orders. Their outputs differ by up to this share of the largest.
ROUNDING = 2.0**-21  # 4 rounding errors of float32
MAX_LOGIT = 64.0  # larger ones of bits are rare


class Scorer:
    """Computes the task's metric of `model` on a split. `score` may be called again after the weights have changed.

    The score of a long sequence is that of one reading from its first step to its last, from a state of zero. Such a
    reading would be slow, so the sequence is cut into rows that are read in parallel, in several passes. Each pass
    starts a row from the end state that its left neighbour had in the pass before. The passes stop when these states no
    longer change. Two passes are usual because cells forget. After as many passes as there are rows the states are
    exact for every cell.

    Args:
        model: reads `(batch, time, features)`, or `(batch, time)` of tokens.
        arrays: x and y of the split; `(time,)` for a long sequence.
        compiled: for how many samples the model's kernel has been compiled. The model then reads only batches of that
            size. 0 if the kernel is not compiled.
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

            window = max(1, min(MAX_WINDOW, MAX_OUTPUTS // (MAX_ROWS * task.outputs)))
            self.rows: Rows = rows(arrays, max(1, min(MAX_ROWS, len(arrays[0]) // MIN_ROW_STEPS)), window)
            self.reader = carrying(model, len(self.rows.x), None)

    def score(self) -> float:
        """The metric with the current weights of the model."""
        return self.task.summary(self.judged())

    def judged(self) -> np.ndarray:
        """What the task says of every answer with the current weights; see `Task.judge`."""
        x, y = self.arrays
        if not self.task.stream:
            return np.concatenate([self._judge(x[part], y[part]) for part in self._batches()])
        from search_spaces.streams import copy_weights, states

        copy_weights(self.model, self.reader)
        starts = [np.zeros(state.shape, np.float32) for state in states(self.reader)]
        for _ in self.rows.x:
            judged, ends = self._read_rows(starts)
            following = [np.concatenate([np.zeros_like(end[:1]), end[:-1]]) for end in ends]
            if all(np.allclose(*pair, rtol=0, atol=STATE_TOLERANCE) for pair in zip(starts, following, strict=True)):
                break
            starts = following
        return judged

    def _batches(self) -> list[slice]:
        """The indices of the samples, by batches."""
        return [slice(start, start + self.batch) for start in range(0, len(self.arrays[0]), self.batch)]

    def _judge(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """What the task says of one batch; see `Task.judge`."""
        # TensorFlow would trace the model again for a smaller last batch. So it is filled up to the usual size.
        full = x if len(x) == self.batch else np.resize(x, (self.batch, *x.shape[1:]))
        return self.task.judge(y, self.predict(full)[: len(x)])

    def _read_rows(self, starts: list[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
        """One pass: (what the task says, the rows' end states). Start and end states are `(rows, width)` each."""
        from search_spaces.streams import states

        for state, start in zip(states(self.reader), starts, strict=True):
            state.assign(start)
        judged = []
        for x, y, real in self.rows.windows():
            outputs = self.reader.predict_on_batch(x)
            if real.any():
                judged.append(self.task.judge(y[real], outputs[real]))
        return np.concatenate(judged), [state.numpy() for state in states(self.reader)]


def _by_batches(model: Any, batch: int) -> Callable[[np.ndarray], np.ndarray]:
    """A function from x `(samples, time, …)` to outputs `(samples, …)`. It reads `batch` samples at a time.

    The number of samples is a multiple of `batch`. All batches are read in one call of TensorFlow.
    """
    import tensorflow as tf

    @tf.function(autograph=False)
    def predict(x: tf.Tensor) -> tf.Tensor:
        parts = tf.reshape(x, (-1, batch, *x.shape[1:]))
        outputs = tf.map_fn(lambda part: model(part, training=False), parts, fn_output_signature=model.compute_dtype)
        return tf.reshape(outputs, tf.concat([[-1], tf.shape(outputs)[2:]], 0))

    return lambda x: np.asarray(predict(x))


def grain(task: Task, y: np.ndarray, judged: np.ndarray) -> float:
    """How much rounding alone may change a score, besides the part that is proportional to the score.

    Rounding moves the outputs, which changes a mean squared error. A logit that moves by d changes the bits that an
    answer costs by less than the share d, since 1 - p < -ln p. If every answer is right or wrong, rounding may turn one
    answer.

    Args:
        judged: what the task says of the answers; see `Task.judge`.
    """
    rows = np.asarray(judged, np.float64)
    if rows.ndim == 2:  # answers and what was answered
        return metrics.turned(task.metric, rows)
    if isinstance(task, metrics.Measured) and task.loss == "mse":
        y = task.in_units(y)
    if task.metric == "mae":
        return ROUNDING * float(np.nanmax(np.abs(y)))
    if task.loss == "mse" and (type(task).judge is Task.judge or isinstance(task, metrics.Measured)):
        moved = ROUNDING * float(np.nanmax(np.abs(y)))  # NaN where none is asked
        return moved * (2 * math.sqrt(rows.mean()) + moved)
    if task.loss == "binary" and type(task).judge is Task.judge:
        return ROUNDING * MAX_LOGIT * float(rows.mean())
    return max(1.0, float(np.ptp(rows))) / len(rows) if np.array_equal(rows, np.round(rows)) else 0.0


def answers(task: Task) -> dict[str, Any]:
    """What the outputs of a model are: numbers, bits, or classes with a label for each output.

    The labels of a language model are its vocabulary.
    """
    if task.loss != "categorical":
        return {"answer": "numbers" if task.loss == "mse" else "bits"}
    labels = [] if "vocabulary" in task.preprocessing() else [task.answer(label) for label in range(task.outputs)]
    return {"answer": "classes", "labels": labels}


def scorer(
    spec: dict[str, Any],
    folders: Sequence[Path] = (Path(),),
    given: Sequence[Source] = (),
    copy: Copy | None = None,
) -> "SavedScorer":
    """What scores saved models of a search.

    Args:
        spec: the spec of a search, as a dictionary.
        folders, given, copy: where its data and its code may lie; see `places.source_of`.

    Raises DataError if the data are no longer those of the search.
    """
    return SavedScorer(find.make(*source_of(spec, folders, given, copy), spec.get("reading", 1), copy), spec["seed"])


class SavedScorer:
    """Scores models in files, on the data of a seed. Without a seed they are those of the search.

    Called with a `.keras` file and the name of a split it returns the task's metric and its `grain`.
    """

    def __init__(self, task: Task, seed: int) -> None:
        self.task, self.seed = task, seed

    def __call__(self, file: Path, split: str, seed: int | None = None) -> tuple[float, float]:
        arrays = self._arrays(split, seed)
        judged = Scorer(self.task, load(file), arrays).judged()
        return float(self.task.summary(judged)), grain(self.task, arrays[1], judged)

    def samples(self, most: int, seed: int | None = None) -> Samples:
        """The beginning of the validation split for other runtimes. The outputs have about `most` numbers."""
        task, (x, y) = self.task, self._arrays("val", seed)
        given = np.not_equal(y, NOT_SCORED) if task.loss != "mse" else ~np.isnan(y)
        scored = np.asarray(given if task.loss == "categorical" else given.any(axis=-1))
        if task.stream:
            found = Samples(x[None], y[None], scored[None], lambda y, outputs: task.score(y[0], outputs[0]))
        else:
            found = Samples(x, y, scored, task.score)
        return found.first(most // task.outputs * (1 if task.per_step else x.shape[1]))

    def about(self) -> dict[str, Any]:
        """What a card says of the task: its answers, its typed options, the steps of a sequence, the licence."""
        fields = {field.name: getattr(self.task, field.name) for field in dataclasses.fields(self.task)}
        typed = {name: value for name, value in fields.items() if isinstance(value, bool | int | float)}
        return {**answers(self.task), "options": typed, "steps": self.task.steps, "licence": self.task.licence}

    def _arrays(self, split: str, seed: int | None) -> Arrays:
        arrays = self.task.split(split, self.seed if seed is None else seed)
        check_scored(self.task, split, arrays[1])
        return arrays
