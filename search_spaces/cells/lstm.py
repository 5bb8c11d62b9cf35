"""Long short-term memory (Hochreiter & Schmidhuber 1997) with a forget gate that starts open (Gers et al. 2000).

i, f, o = sigmoid(x[t] W + h[t-1] U + b), g = tanh(…); c[t] = f c[t-1] + i g; h[t] = o tanh(c[t]). Keras' defaults keep
the cuDNN kernel usable: tanh, sigmoid gates, a bias, no recurrent dropout, no unrolling.
"""

from typing import Any

import keras
import tensorflow as tf

from search_spaces import initializers, scan
from search_spaces.scan import Tensors

CUDNN = True
XLA_COSTS, XLA_SAVES = 0.9, 6.5e-5  # seconds to compile a size of batch; a time step, of training at width 32


@keras.saving.register_keras_serializable("recurrent_search")
class ScannedLSTM(scan.Scanned, keras.layers.LSTM):
    """`keras.layers.LSTM` with the kernel `xla`; gates in Keras' order i, f, g, o."""

    gates_of_inputs = gates_of_states = 0, 1, 2, 3

    @staticmethod
    def forward_pass(x: tf.Tensor, states: Tensors, weights: Tensors, mask: Any) -> tuple[Tensors, Tensors]:
        kernel, recurrent, bias = weights

        def step(inputs: Tensors, states: Tensors) -> tuple[Tensors, Tensors]:
            (x,), (h, c) = inputs, states
            i, f, g, o = tf.split(tf.matmul(x, kernel) + tf.matmul(h, recurrent) + bias, 4, 1)
            i, f, g, o = tf.sigmoid(i), tf.sigmoid(f), tf.tanh(g), tf.sigmoid(o)
            c = f * c + i * g
            return (o * tf.tanh(c), c), (i, f, g, o)

        return scan.forward(step, [x], states, 4, mask)

    @staticmethod
    def backward_pass(
        states: Tensors, recurrent: tf.Tensor, mask: Any, kept: Tensors, ends: Tensors, outputs: Any
    ) -> tuple[Tensors, Tensors]:
        _, cs, *gates = kept
        back = tf.transpose(recurrent)

        def step(inputs: Tensors, gradients: Tensors) -> tuple[Tensors, Tensors]:
            (c, earlier, i, f, g, o), (dh, dc) = inputs, gradients
            squashed = tf.tanh(c)
            dc = dc + dh * o * (1 - squashed * squashed)
            di, df, dg = dc * g * i * (1 - i), dc * earlier * f * (1 - f), dc * i * (1 - g * g)
            found = di, df, dg, dh * squashed * o * (1 - o)
            return (tf.matmul(tf.concat(found, 1), back), dc * f), found

        return scan.backward(step, [cs, scan.before(states[1], cs), *gates], ends, outputs, 4, mask)


def layer(
    width: int,
    return_sequences: bool,
    name: str,
    kernel: str = "loop",
    init: str = "default",
    bias: float | None = None,
    longest: int = 2,
) -> keras.layers.Layer:
    """`bias` is that of the forget gate, 1 by default; chrono sets it by itself, from `longest`."""
    made, start = ScannedLSTM if kernel == "xla" else keras.layers.LSTM, initializers.per_gate(init)
    if init == "chrono":
        start |= {"bias_initializer": initializers.Chrono(longest), "unit_forget_bias": False}
    elif bias is not None:
        start |= {"bias_initializer": initializers.ForgetBias(bias), "unit_forget_bias": False}
    return made(width, return_sequences=return_sequences, name=name, **start)
