"""A long sequence as rows: the streams and windows that training reads, the streams that a split is scored on."""

import numpy as np

from experiments.tasks.base import Arrays, Task

SCORING_STREAMS = 16  # a split is scored as so many contiguous streams, each from zero state ...
SCORING_STREAM = 2_048  # ... of at least so many steps


def streams(arrays: Arrays, count: int) -> Arrays:
    """One long sequence `(time,)` as `count` contiguous ones `(count, time // count)`."""
    x, y = arrays
    length = len(x) // count
    return x[: count * length].reshape(count, length), y[: count * length].reshape(count, length)


def windows(part: np.ndarray, window: int) -> np.ndarray:
    """Streams `(count, time)` as rows of `window` steps: first the first window of every stream, then the second."""
    count, steps = part.shape[0], part.shape[1] // window * window
    return part[:, :steps].reshape(count, -1, window).swapaxes(0, 1).reshape(-1, window)


def scored_arrays(task: Task, arrays: Arrays) -> Arrays:
    """A split as models are scored on it, whatever the batch of the search."""
    if not task.stream:
        return arrays
    return streams(arrays, max(1, min(SCORING_STREAMS, len(arrays[0]) // SCORING_STREAM)))


def check(task: Task, train: Arrays, val: Arrays, batch: int) -> None:
    """Raises ValueError if the data are too few to train and score on."""
    if not task.stream:
        return
    needed = batch * task.window  # type: ignore[attr-defined]
    if len(train[0]) < needed:
        raise ValueError(
            f"batch, window: expected at least batch x window = {needed} characters to train on, got {len(train[0])};"
            " take a smaller --batch, a smaller -o window or a longer text"
        )
    if not len(val[0]):
        raise ValueError("val: expected at least 2 characters to score, got fewer")
