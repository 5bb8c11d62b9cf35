"""The gated recurrent unit as a scan; its equations stand in cells/gru.py."""

from typing import Any

import keras
import tensorflow as tf

from search_spaces import scan
from search_spaces.scan import Tensors


@keras.saving.register_keras_serializable("recurrent_search")
class ScannedGRU(scan.Scanned, keras.layers.GRU):
    """`keras.layers.GRU` with the kernel `xla`. It keeps z, r, n, in Keras' order, and the part of n that r scales."""

    gates_of_inputs, gates_of_states = (0, 1, 2), (0, 1, 3)

    @staticmethod
    def forward_pass(x: tf.Tensor, states: Tensors, weights: Tensors, mask: Any) -> tuple[Tensors, Tensors]:
        kernel, recurrent, bias = weights

        def step(inputs: Tensors, states: Tensors) -> tuple[Tensors, Tensors]:
            (x,), (h,) = inputs, states
            of_z, of_r, of_n = tf.split(tf.matmul(x, kernel) + bias[0], 3, 1)
            z, r, scaled = tf.split(tf.matmul(h, recurrent) + bias[1], 3, 1)
            z, r = tf.sigmoid(of_z + z), tf.sigmoid(of_r + r)
            n = tf.tanh(of_n + r * scaled)
            return (z * h + (1 - z) * n,), (z, r, n, scaled)

        return scan.forward(step, [x], states, 4, mask)

    @staticmethod
    def backward_pass(
        states: Tensors, recurrent: tf.Tensor, mask: Any, kept: Tensors, ends: Tensors, outputs: Any
    ) -> tuple[Tensors, Tensors]:
        hs, *gates = kept
        back = tf.transpose(recurrent)

        def step(inputs: Tensors, gradients: Tensors) -> tuple[Tensors, Tensors]:
            (h, z, r, n, scaled), (dh,) = inputs, gradients
            dn = dh * (1 - z) * (1 - n * n)
            dz, dr, dscaled = dh * (h - n) * z * (1 - z), dn * scaled * r * (1 - r), dn * r
            return (dh * z + tf.matmul(tf.concat([dz, dr, dscaled], 1), back),), (dz, dr, dn, dscaled)

        return scan.backward(step, [scan.before(states[0], hs), *gates], ends, outputs, 4, mask)
