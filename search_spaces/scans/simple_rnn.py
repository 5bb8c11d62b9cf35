"""The plain recurrent cell as a scan, tanh or relu; its equation stands in cells/simple_rnn.py."""

import functools
from typing import Any

import keras
import tensorflow as tf

from search_spaces import scan
from search_spaces.scan import Tensors

SQUASH = {"tanh": tf.tanh, "relu": tf.nn.relu}
# The derivative of each, as a function of its output h.
SLOPE = {"tanh": lambda h: 1 - h * h, "relu": lambda h: tf.cast(h > 0, h.dtype)}


@keras.saving.register_keras_serializable("recurrent_search")
class ScannedSimpleRNN(scan.Scanned, keras.layers.SimpleRNN):
    """`keras.layers.SimpleRNN`, tanh or relu, with the kernel `xla`."""

    gates_of_inputs = gates_of_states = (0,)

    @property
    def forward_pass(self) -> Any:
        return _forward[keras.activations.serialize(self.activation)]

    @property
    def backward_pass(self) -> Any:
        return _backward[keras.activations.serialize(self.activation)]


def _forward_pass(
    activation: str, x: tf.Tensor, states: Tensors, weights: Tensors, mask: Any
) -> tuple[Tensors, Tensors]:
    kernel, recurrent, bias = weights

    def step(inputs: Tensors, states: Tensors) -> tuple[Tensors, Tensors]:
        (x,), (h,) = inputs, states
        return (SQUASH[activation](tf.matmul(x, kernel) + tf.matmul(h, recurrent) + bias),), ()

    return scan.forward(step, [x], states, 0, mask)


def _backward_pass(
    activation: str,
    states: Tensors,
    recurrent: tf.Tensor,
    mask: Any,
    kept: Tensors,
    ends: Tensors,
    outputs: Any,
) -> tuple[Tensors, Tensors]:
    back = tf.transpose(recurrent)

    def step(inputs: Tensors, gradients: Tensors) -> tuple[Tensors, Tensors]:
        found = gradients[0] * SLOPE[activation](inputs[0])
        return (tf.matmul(found, back),), (found,)

    return scan.backward(step, kept, ends, outputs, 1, mask)


_forward = {name: functools.partial(_forward_pass, name) for name in SQUASH}
_backward = {name: functools.partial(_backward_pass, name) for name in SQUASH}
