"""A long sequence as rows: the streams and windows that training reads, the rows that a split is scored on."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from experiments.tasks.base import Arrays, Task
from tracking.errors import BadInput


def streams(arrays: Arrays, count: int) -> Arrays:
    """One long sequence `(time,)` as `count` contiguous ones `(count, time // count)`."""
    x, y = arrays
    length = len(x) // count
    return x[: count * length].reshape(count, length), y[: count * length].reshape(count, length)


def windows(part: np.ndarray, window: int) -> np.ndarray:
    """Streams `(count, time)` as rows of `window` steps: first the first window of every stream, then the second."""
    count, steps = part.shape[0], part.shape[1] // window * window
    return part[:, :steps].reshape(count, -1, window).swapaxes(0, 1).reshape(-1, window)


def training_steps(task: Task, samples: int, batch: int) -> int:
    """Batches of an epoch over `samples` samples, or over a sequence of so many steps."""
    return samples // batch // task.steps if task.stream else -(-samples // batch)


class Rows(NamedTuple):
    """One long sequence as rows of one length, the last ones filled up: x, y and which steps are real."""

    x: np.ndarray
    y: np.ndarray
    real: np.ndarray
    window: int

    def windows(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """The rows from left to right, `window` steps at a time."""
        for start in range(0, self.x.shape[1], self.window):
            part = slice(start, start + self.window)
            yield self.x[:, part], self.y[:, part], self.real[:, part]


def rows(arrays: Arrays, count: int, window: int) -> Rows:
    """A sequence `(time,)` in `count` rows, each going on where the one before ends, of whole windows."""
    steps = len(arrays[0])
    window = min(window, -(-steps // count))
    length = -(-steps // (count * window)) * window
    filled = [np.pad(part, (0, count * length - steps)) for part in (*arrays, np.ones(steps, bool))]
    x, y, real = (part.reshape(count, length) for part in filled)
    return Rows(x, y, real, window)


def check(task: Task, train: Arrays, val: Arrays, batch: int) -> None:
    """Raises BadInput if the data are too few to train and score on."""
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
