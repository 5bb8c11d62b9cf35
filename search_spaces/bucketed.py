"""Trains on batches that are cut behind their longest sample, so that padding takes little time.

What is cut away is padding, so the loss and its gradients are the same, up to float errors. XLA compiles for each
number of time steps. So a batch is not cut to its own length, but to that of the smallest bucket that it fits in.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from search_spaces.halves import SOURCE, TARGET


class Bucketed(keras.Model):
    """Computes what `model` computes, with its weights, its optimizer and its loss. Steps that are cut away give 0.

    It reads a pair: x, as `model` reads it, and int32 `(sides,)`, the time steps of the longest sample in x. An encoder
    and a decoder have two sides, the source and the target. Another model has one.

    Args:
        model: compiled, without a memory.
        buckets: the time steps of each bucket, `(sides,)`, rising. The last one is as long as x.
    """

    def __init__(self, model: keras.Model, buckets: Sequence[tuple[int, ...]]) -> None:
        super().__init__(name="bucketed")
        self.buckets = buckets
        self.sides: Any = model
        if len(buckets[0]) == 2:
            self.sides = keras.Model([model.get_layer(name).input for name in (SOURCE, TARGET)], model.output)
        self.compile(model.optimizer, model.loss)
        self.built = True

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor], training: bool | None = None) -> tf.Tensor:
        x, needed = inputs
        bounds, longest = tf.constant(self.buckets), self.buckets[-1]
        steps = bounds[tf.argmax(tf.reduce_all(bounds >= needed, axis=1))]  # of the first bucket that is long enough
        cut = [part[:, : steps[side]] for side, part in enumerate(tf.split(x, longest, axis=1))]
        found = self.sides(cut if len(cut) > 1 else cut[0], training=training)
        if found.shape.rank == 2:  # one answer for each sample
            return found
        return tf.pad(found, [[0, 0], [0, longest[-1] - steps[-1]], [0, 0]])
