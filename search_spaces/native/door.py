"""The way of the kernels into TensorFlow: functions of Python with gradients written by hand.

TensorFlow gives the functions its own memory, and takes the memory of what they return.
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
        outputs, *ends, kept_states, kept = _forward(cell, x, mask, first, own, sequences, backwards)

        def gradients(*of_results: tf.Tensor) -> Tensors:
            empty = tf.zeros((0, 1, own[1].shape[0]))
            of_outputs, *of_ends = of_results if sequences else (empty, *of_results)
            found = _backward(cell, x, mask, own, kept_states, kept, of_outputs, of_ends, backwards, of_x)
            return found if of_x else found[1:]

        return (outputs, *ends) if sequences else tuple(ends), gradients

    results = list(apply(*([x] if of_x else []), *states, *weights))
    return (results.pop(0) if sequences else None), results


def _forward(
    cell: Cell, x: tf.Tensor, mask: tf.Tensor, states: Tensors, weights: Tensors, sequences: bool, backwards: bool
) -> Tensors:
    """Outputs, last states, all states and what is kept; see `sequence.forward`."""

    def forward(x: np.ndarray, mask: np.ndarray, *more: np.ndarray) -> list[np.ndarray]:
        first, weights = more[: cell.states], more[cell.states :]
        outputs, ends, every, kept = sequence.forward(cell, x, mask, weights, first, sequences, backwards)
        return [outputs, *ends, every, kept]

    kinds = [tf.float32] * (3 + cell.states)
    found = tf.numpy_function(forward, [x, mask, *states, *weights], kinds, stateful=False)
    batch, width = x.shape[0], weights[1].shape[0]
    _set_shapes(found, [(batch if sequences else 0, x.shape[1], width), *[(batch, width)] * cell.states])
    return found


def _backward(
    cell: Cell,
    x: tf.Tensor,
    mask: tf.Tensor,
    weights: Tensors,
    states: tf.Tensor,
    kept: tf.Tensor,
    of_outputs: tf.Tensor,
    of_ends: Tensors,
    backwards: bool,
    of_x: bool,
) -> Tensors:
    """The gradients of x, of the first states and of the weights; see `sequence.backward`."""

    def backward(*given: np.ndarray) -> list[np.ndarray]:
        x, mask, *weights, states, kept, of_outputs = given[:8]
        own = weights, states, kept, of_outputs, given[8:]
        of_inputs, of_first, of_weights = sequence.backward(cell, x, mask, *own, backwards, of_x)
        return [of_inputs, *of_first, *of_weights]

    given = [x, mask, *weights, states, kept, of_outputs, *of_ends]
    found = tf.numpy_function(backward, given, [tf.float32] * (4 + cell.states), stateful=False)
    shapes = [part.shape for part in (x, *of_ends, *weights)]
    _set_shapes(found, [shapes[0] if of_x else (0, *shapes[0][1:]), *shapes[1:]])
    return found


def _set_shapes(found: Tensors, shapes: Sequence[Any]) -> None:
    """TensorFlow does not know the shapes of what a function of Python returns."""
    for part, shape in zip(found, shapes, strict=False):
        part.set_shape(shape)
