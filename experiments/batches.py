"""Batches of arrays, as one pipeline for all epochs: Keras makes a new one at every `fit`, which takes 50 ms."""

import numpy as np
import tensorflow as tf

from experiments.tasks.base import Arrays


class Batches:
    """Reads x and y in batches, in the order that `shuffled` was told last; the last batch may be smaller."""

    def __init__(self, arrays: Arrays, batch: int) -> None:
        x, y = (tf.constant(part) for part in arrays)
        self.samples = len(arrays[0])
        self.steps = -(-self.samples // batch)
        self.order = tf.Variable(np.arange(self.samples), trainable=False)

        def take(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            rows = self.order[step * batch : (step + 1) * batch]
            return tf.gather(x, rows), tf.gather(y, rows)

        self.dataset = tf.data.Dataset.range(self.steps).map(take)

    def shuffled(self, order: np.ndarray) -> tf.data.Dataset:
        """The batches of an epoch that reads the samples in `order` (samples,)."""
        self.order.assign(order)
        return self.dataset
