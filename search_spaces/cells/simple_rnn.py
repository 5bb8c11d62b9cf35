"""The plain recurrent cell: h[t] = tanh(x[t] W + h[t-1] U + b) (Elman 1990).

Its gradient shrinks or grows by a factor at every step: the signal is lost after some tens of steps. The recurrent
matrix starts orthogonal (Saxe et al. 2013, arXiv:1312.6120), Keras' default.
"""

import functools
from typing import Any

import keras
import tensorflow as tf

from search_spaces import cudnn, scan
from search_spaces.scan import Tensors

CUDNN = True
IRNN_STDDEV = 1e-3  # of the input weights
XLA_COSTS, XLA_SAVES = 0.3, 3.5e-5  # seconds to compile a size of batch; a time step, of training at width 32

SQUASH = {"tanh": tf.tanh, "relu": tf.nn.relu}
SLOPE = {"tanh": lambda h: 1 - h * h, "relu": lambda h: tf.cast(h > 0, h.dtype)}  # at the output h


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


def layer(
    width: int, return_sequences: bool, name: str, kernel: str = "loop", init: str = "default"
) -> keras.layers.Layer:
    """`identity` is the IRNN, whose state stays as it is until inputs change it (Le et al. 2015, arXiv:1504.00941)."""
    made = {"xla": ScannedSimpleRNN, "cudnn": cudnn.SimpleRNN}.get(kernel, keras.layers.SimpleRNN)
    start = {"activation": "relu", "recurrent_initializer": "identity"} if init == "identity" else {}
    if start:
        start["kernel_initializer"] = keras.initializers.RandomNormal(stddev=IRNN_STDDEV)
    return made(width, return_sequences=return_sequences, name=name, **start)
