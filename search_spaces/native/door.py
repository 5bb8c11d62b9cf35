"""The way of the kernels into TensorFlow: functions of Python with gradients written by hand.

TensorFlow gives the functions its own memory, and takes the memory of what they return. It needs 25 microseconds for
each array that a function returns. So a function returns one array where it can, and TensorFlow divides it. It copies
the gradients of the weights then, which are small. It does not copy the last states.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from search_spaces.native import sequence
from search_spaces.native.sequence import Cell

Tensors = Sequence[tf.Tensor]


def run(
    cell: Cell, x: tf.Tensor, mask: Any, states: Tensors, weights: Tensors, sequences: bool, backwards: bool, of_x: bool
) -> tuple[tf.Tensor | None, list[tf.Tensor]]:
    """(outputs at every step, or None; the last states) for x `(batch, time, features)`.

    Args:
        mask: `(batch, time)`, or None.
        states: before the first step, each `(batch, width)`.
        weights: kernel, recurrent kernel and bias.
        sequences: the outputs are wanted at every step.
        backwards: x is read from its last step to its first.
        of_x: the gradient of x can be asked for. Without it there is none.
    """
    count, mask = len(states), tf.zeros((0, 0), tf.bool) if mask is None else tf.cast(mask, tf.bool)
    data = [] if of_x else [tf.stop_gradient(x)]

    @tf.custom_gradient
    def apply(*given: tf.Tensor) -> tuple[Tensors, Callable[..., Tensors]]:
        x, *more = [*data, *given]
        first, own = more[:count], more[count:]
        outputs, record = _forward(cell, x, mask, first, own, sequences, backwards)
        ends = [record[number - count] for number in range(count)]

        def gradients(*of_results: tf.Tensor) -> Tensors:
            empty = tf.zeros((0, 1, own[1].shape[0]))
            of_outputs, *of_ends = of_results if sequences else (empty, *of_results)
            found = _backward(cell, x, mask, own, record, of_outputs, of_ends, backwards, of_x)
            return found if of_x else found[1:]

        return (outputs, *ends) if sequences else tuple(ends), gradients

    results = list(apply(*([x] if of_x else []), *states, *weights))
    return (results.pop(0) if sequences else None), results


def _forward(
    cell: Cell, x: tf.Tensor, mask: tf.Tensor, states: Tensors, weights: Tensors, sequences: bool, backwards: bool
) -> tuple[tf.Tensor | None, tf.Tensor]:
    """The outputs, or None, and the record; see `sequence.forward`."""

    def forward(x: np.ndarray, mask: np.ndarray, *more: np.ndarray) -> list[np.ndarray]:
        first, weights = more[: cell.states], more[cell.states :]
        return list(sequence.forward(cell, x, mask, weights, first, sequences, backwards)[0 if sequences else 1 :])

    batch, width = x.shape[0], weights[1].shape[0]
    shapes = [(batch, x.shape[1], width)] if sequences else []
    *outputs, record = _called(forward, [x, mask, *states, *weights], [*shapes, (None, batch, width)])
    return outputs[0] if sequences else None, record


def _backward(
    cell: Cell,
    x: tf.Tensor,
    mask: tf.Tensor,
    weights: Tensors,
    record: tf.Tensor,
    of_outputs: tf.Tensor,
    of_ends: Tensors,
    backwards: bool,
    of_x: bool,
) -> Tensors:
    """The gradients of x, or None, of the first states and of the weights; see `sequence.backward`."""

    def backward(*given: np.ndarray) -> list[np.ndarray]:
        x, mask, *weights, record, of_outputs = given[:7]
        more = weights, record, of_outputs, given[7:], backwards, of_x
        return list(sequence.backward(cell, x, mask, *more)[0 if of_x else 1 :])

    given = [x, mask, *weights, record, of_outputs, *of_ends]
    *of_inputs, found = _called(backward, given, [*([x.shape] if of_x else []), (None,)])
    sizes = [part.shape.num_elements() for part in weights]
    *own, first = tf.split(found, [*sizes, -1], num=len(sizes) + 1)
    of_weights = [tf.reshape(part, like.shape) for part, like in zip(own, weights, strict=True)]
    of_first = tf.unstack(tf.reshape(first, (len(of_ends), -1, weights[1].shape[0])), len(of_ends))
    return [*(of_inputs or [None]), *of_first, *of_weights]


def _called(function: Any, given: Tensors, shapes: Sequence[Any]) -> Tensors:
    """What a function of Python returns: float arrays of these shapes, which TensorFlow cannot know."""
    found = tf.nest.flatten(tf.numpy_function(function, given, [tf.float32] * len(shapes), stateful=False))
    for part, shape in zip(found, shapes, strict=True):
        part.set_shape(shape)
    return found
