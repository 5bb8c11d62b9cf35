"""Batches of arrays, as one pipeline for all epochs: Keras makes a new one at every `fit`, which takes 50 ms.

Memory-mapped arrays are read where they lie: all workers read the same pages.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from experiments.tasks.base import Arrays

ALIGNMENT = 64  # bytes; TensorFlow ends the process over a tensor that begins elsewhere


class Batches:
    """Reads x and y in batches, in the order that `shuffled` was told last; the last batch may be smaller."""

    def __init__(self, arrays: Arrays, batch: int) -> None:
        x, y = (_tensor(part) for part in arrays)
        self.samples = len(arrays[0])
        self.steps = -(-self.samples // batch)
        self.order = tf.Variable(np.arange(self.samples), trainable=False)

        def take(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            rows = self.order[step * batch : (step + 1) * batch]
            return tf.gather(x, rows), tf.gather(y, rows)

        self.dataset = _pipeline(self.steps, take)

    def shuffled(self, order: np.ndarray) -> tf.data.Dataset:
        """The batches of an epoch that reads the samples in `order` (samples,)."""
        self.order.assign(order)
        return self.dataset


class Windows:
    """Reads streams x and y `(streams, time)` together, `window` steps at a time, from left to right."""

    def __init__(self, arrays: Arrays, window: int) -> None:
        x, y = (_tensor(part) for part in arrays)
        self.steps = x.shape[1] // window

        def take(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            part = slice(step * window, (step + 1) * window)
            return tf.ensure_shape(x[:, part], (len(x), window)), tf.ensure_shape(y[:, part], (len(y), window))

        self.dataset = _pipeline(self.steps, take)


def _pipeline(steps: int, take: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]) -> tf.data.Dataset:
    # TensorFlow's rewriting of the pipeline would copy x and y, and has nothing to gain on a worker's one core. Nor has
    # AutoGraph anything to convert in `take`; a worker would leave its file in /tmp.
    options = tf.data.Options()
    options.experimental_optimization.apply_default_optimizations = False
    options.autotune.enabled = False
    take = tf.autograph.experimental.do_not_convert(take)
    return tf.data.Dataset.range(steps).map(take).with_options(options)


def _tensor(part: np.ndarray) -> tf.Tensor:
    """Over a mapped file's own memory, which begins on a page as TensorFlow needs it; else a copy."""
    if isinstance(part, np.memmap) and part.ctypes.data % ALIGNMENT == 0:
        return tf.experimental.dlpack.from_dlpack(part.__dlpack__())
    return tf.constant(part)
