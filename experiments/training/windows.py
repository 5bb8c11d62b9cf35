"""Cuts a long sequence into streams and windows for training, and into rows for scoring."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from experiments.tasks.base import Arrays, Task
from tracking.errors import BadInput


def streams(arrays: Arrays, count: int) -> Arrays:
    """Cuts a sequence `(time,)` into `count` contiguous streams `(count, time // count)`. The remainder is left out."""
    x, y = arrays
    length = len(x) // count
    return x[: count * length].reshape(count, length), y[: count * length].reshape(count, length)


def windows(part: np.ndarray, window: int) -> np.ndarray:
    """Cuts streams `(count, time)` into windows `(windows, window)`. The first windows of all streams come first."""
    count, steps = part.shape[0], part.shape[1] // window * window
    return part[:, :steps].reshape(count, -1, window).swapaxes(0, 1).reshape(-1, window)


def training_steps(task: Task, samples: int, batch: int) -> int:
    """Training steps of an epoch.

    Args:
        samples: of the training split; for a stream, its time steps.
        batch: samples of a training step; for a stream, the number of streams.
    """
    return samples // batch // task.steps if task.stream else -(-samples // batch)


def trained_steps(task: Task, samples: int, batch: int, epochs: int) -> int:
    """Time steps that each layer of a candidate is trained on: training steps times the length of a sequence."""
    return epochs * training_steps(task, samples, batch) * task.steps


class Rows(NamedTuple):
    """One long sequence as rows of the same length. The end of the last rows is padding.

    x, y and real are `(rows, time)`; `real` is False at padding. `window` divides the number of time steps.
    """

    x: np.ndarray
    y: np.ndarray
    real: np.ndarray
    window: int

    def windows(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """x, y and real of all rows, `window` time steps at a time, from left to right."""
        for start in range(0, self.x.shape[1], self.window):
            part = slice(start, start + self.window)
            yield self.x[:, part], self.y[:, part], self.real[:, part]


def rows(arrays: Arrays, count: int, window: int) -> Rows:
    """Cuts a sequence `(time,)` into `count` rows of whole windows. Each row begins where the row before it ends.

    Args:
        window: the most time steps of a window. No window is longer than a row.
    """
    steps = len(arrays[0])
    window = min(window, -(-steps // count))
    length = -(-steps // (count * window)) * window
    filled = [np.pad(part, (0, count * length - steps)) for part in (*arrays, np.ones(steps, bool))]
    x, y, real = (part.reshape(count, length) for part in filled)
    return Rows(x, y, real, window)


def check(task: Task, train: Arrays, val: Arrays, batch: int) -> None:
    """Raises BadInput if a stream is too short to train on or to score."""
    if not task.stream:
        return
    needed = batch * task.steps
    if len(train[0]) < needed:
        raise BadInput(
            f"batch, window: expected at least batch x window = {needed} characters to train on, got {len(train[0])};"
            " take a smaller --batch, a smaller -o window or a longer text"
        )
    if not len(val[0]):
        raise BadInput("val: expected at least 2 characters to score, got fewer")
