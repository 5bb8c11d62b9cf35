"""Gated recurrent unit (Cho et al. 2014, arXiv:1406.1078) in its `reset_after` form, the one cuDNN computes.

z, r = sigmoid(x[t] W + b + h[t-1] U + b'); n = tanh(x[t] W + b + r (h[t-1] U + b')); h[t] = z h[t-1] + (1 - z) n: in
Keras z keeps.
"""

from typing import Any

import keras
import tensorflow as tf

from search_spaces import initializers, scan
from search_spaces.scan import Tensors

CUDNN = True
XLA_COSTS, XLA_SAVES = 0.5, 9e-5  # seconds to compile; a time step, of training at width 32


@keras.saving.register_keras_serializable("recurrent_search")
class ScannedGRU(scan.Scanned, keras.layers.GRU):
    """`keras.layers.GRU` with the kernel `xla`; gates in Keras' order z, r, n."""

    @staticmethod
    def forward_pass(x: tf.Tensor, states: Tensors, weights: Tensors, mask: Any) -> tuple[Tensors, Tensors]:
        kernel, recurrent, bias = weights

        def step(inputs: Tensors, states: Tensors) -> tuple[Tensors, Tensors]:
            (inputs_z, inputs_r, inputs_n), (h,) = tf.split(inputs[0], 3, 1), states
            z, r, n = tf.split(tf.matmul(h, recurrent) + bias[1], 3, 1)
            z, r, unreset = tf.sigmoid(inputs_z + z), tf.sigmoid(inputs_r + r), n
            n = tf.tanh(inputs_n + r * unreset)
            return (z * h + (1 - z) * n,), (z, r, n, unreset)

        return scan.forward(step, [scan.product(x, kernel) + bias[0]], states, 4, mask)

    @staticmethod
    def backward_pass(
        x: tf.Tensor, states: Tensors, weights: Tensors, mask: Any, kept: Tensors, ends: Tensors, outputs: Any
    ) -> Tensors:
        hs, *gates = kept
        back, earlier = scan.transposed(weights[1], 3), scan.before(states[0], hs)

        def step(inputs: Tensors, gradients: Tensors) -> tuple[Tensors, Tensors]:
            (h, z, r, n, unreset), (dh,) = inputs, gradients
            dn = dh * (1 - z) * (1 - n * n)
            dz, dr, dunreset = dh * (h - n) * z * (1 - z), dn * unreset * r * (1 - r), dn * r
            of_h = tf.add_n([tf.matmul(*pair) for pair in zip((dz, dr, dunreset), back, strict=True)])
            return (dh * z + of_h,), (dz, dr, dn, dunreset)

        first, (dz, dr, dn, dunreset) = scan.backward(step, [earlier, *gates], ends, outputs, 4, mask)
        of_x, of_kernel = scan.gradients(x, weights[0], (dz, dr, dn))
        of_recurrent = scan.weight_gradient(earlier, (dz, dr, dunreset))
        of_bias = [scan.bias_gradient((dz, dr, last)) for last in (dn, dunreset)]
        return (of_x, *first, of_kernel, of_recurrent, tf.stack(of_bias))


def layer(
    width: int,
    return_sequences: bool,
    name: str,
    kernel: str = "loop",
    init: str = "default",
    bias: float | None = None,
    longest: int = 2,
) -> keras.layers.Layer:
    """`bias` is that of the gate that keeps, 0 by default; chrono sets it by itself, from `longest`."""
    made, start = ScannedGRU if kernel == "xla" else keras.layers.GRU, initializers.per_gate(init)
    if init == "chrono":
        start["bias_initializer"] = initializers.KeepChrono(longest)
    elif bias is not None:
        start["bias_initializer"] = initializers.KeepBias(bias)
    return made(width, return_sequences=return_sequences, reset_after=True, name=name, **start)
