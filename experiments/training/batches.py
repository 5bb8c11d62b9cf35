"""Batches of arrays from one TensorFlow pipeline for all epochs. Keras would make a new one in each `fit`, in 50 ms.

Memory-mapped arrays are not copied. All workers of a search read the same pages of memory.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from experiments.tasks.base import Arrays

ALIGNMENT = 64  # bytes; TensorFlow ends the process if the address of a tensor is not a multiple of it


class Batches:
    """Batches of samples, in the order of the last call of `shuffled`. The last batch of an epoch may be smaller.

    Args:
        arrays: x and y, whose first axis is the samples.
        batch: samples of a batch.
        weights: how much an answer counts in the loss, `(classes,)` by its class; None: all count alike. A step whose
            numbers are NaN counts nothing, and the others so much more that the mean weight stays 1.
        lengths: of each sample, `(samples, sides)`. A batch then has a pair in place of x: x, and the lengths of the
            longest sample in it. None: x alone.
    """

    def __init__(
        self, arrays: Arrays, batch: int, weights: np.ndarray | None = None, lengths: np.ndarray | None = None
    ) -> None:
        x, y = (_tensor(part) for part in arrays)
        self.samples = len(arrays[0])
        self.steps_per_epoch = -(-self.samples // batch)
        # All numbers of a step are there, or none is.
        share = float(np.isfinite(arrays[1][..., 0]).mean()) if arrays[1].dtype.kind == "f" else 1.0
        self.order = tf.Variable(np.arange(self.samples), trainable=False)

        def take(step: tf.Tensor) -> tuple[Any, ...]:
            rows = self.order[step * batch : (step + 1) * batch]
            answers, read = tf.gather(y, rows), tf.gather(x, rows)
            if lengths is not None:
                read = read, tf.reduce_max(tf.gather(lengths, rows), axis=0)
            if share < 1:
                asked = tf.math.is_finite(answers)
                return read, tf.where(asked, answers, 0), tf.cast(asked[..., 0], answers.dtype) / share
            counts = () if weights is None else (tf.gather(weights, tf.maximum(answers, 0)),)  # -1 is not scored
            return read, answers, *counts

        self.dataset = _pipeline(self.steps_per_epoch, take)

    def shuffled(self, order: np.ndarray) -> tf.data.Dataset:
        """The batches of one epoch in the order `order`, an array `(samples,)` of the indices of all samples."""
        self.order.assign(order)
        return self.dataset


class Windows:
    """Batches of windows. Batch i has time steps i * window to (i + 1) * window of every stream.

    Args:
        arrays: streams x and y, each `(streams, time)`.
        window: time steps of a batch.
    """

    def __init__(self, arrays: Arrays, window: int) -> None:
        x, y = (_tensor(part) for part in arrays)
        self.steps_per_epoch = x.shape[1] // window

        def take(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            part = slice(step * window, (step + 1) * window)
            return tf.ensure_shape(x[:, part], (len(x), window)), tf.ensure_shape(y[:, part], (len(y), window))

        self.dataset = _pipeline(self.steps_per_epoch, take)


def _pipeline(steps: int, take: Callable[[tf.Tensor], tuple[Any, ...]]) -> tf.data.Dataset:
    """The dataset of `take(0)` to `take(steps - 1)`."""
    # TensorFlow's optimizations of the pipeline would copy x and y. They gain nothing on the one core of a worker.
    # AutoGraph has nothing to convert in `take`. It would leave a file in /tmp for each worker.
    options = tf.data.Options()
    options.experimental_optimization.apply_default_optimizations = False
    options.autotune.enabled = False
    take = tf.autograph.experimental.do_not_convert(take)
    return tf.data.Dataset.range(steps).map(take).with_options(options)


def _tensor(part: np.ndarray) -> tf.Tensor:
    """A tensor that uses the memory of a mapped file if that is aligned, else a tensor with a copy."""
    if isinstance(part, np.memmap) and part.ctypes.data % ALIGNMENT == 0:
        return tf.experimental.dlpack.from_dlpack(part.__dlpack__())
    return tf.constant(part)
