"""Long short-term memory as a scan; its equations stand in cells/lstm.py."""

from typing import Any

import keras
import tensorflow as tf

from search_spaces import scan
from search_spaces.scan import Tensors


@keras.saving.register_keras_serializable("recurrent_search")
class ScannedLSTM(scan.Scanned, keras.layers.LSTM):
    """`keras.layers.LSTM` with the kernel `xla`. It keeps i, f, g, o, in Keras' order."""

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
