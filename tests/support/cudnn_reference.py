"""What TensorFlow's operation CudnnRNNV3 computes, in NumPy: cuDNN's documented equations, one layer, one direction.

Parameters are one vector: for every gate the input weights W `(units, features)`, for every gate the recurrent weights
R `(units, units)`, for every gate a bias b of the input, for every gate a bias d of the state (NVIDIA, cuDNN API
reference: cudnnRNNMode_t has the equations, cudnnGetRNNWeightParams the order of the gates):

    rnn_tanh, rnn_relu   h' = f(W x + R h + b + d)
    lstm  i, f, c, o     c' = f c + i tanh(W_c x + R_c h + b_c + d_c); h' = o tanh(c')
    gru   r, i, n        n = tanh(W_n x + b_n + r (R_n h + d_n)); h' = (1 - i) n + i h

All x are `(batch, time, features)`. Behind the end of a sequence outputs are zeros and states stay.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

GATES = {"rnn_tanh": 1, "rnn_relu": 1, "lstm": 4, "gru": 3}
Array = Any


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


@dataclass
class Parameters:
    """Views of their vector: W `(gates, units, features)`, R `(gates, units, units)`, b and d `(gates, units)`."""

    w: Array
    r: Array
    b: Array
    d: Array

    @classmethod
    def of(cls, vector: Array, mode: str, features: int, units: int) -> "Parameters":
        gates = GATES[mode]
        shapes = (gates, units, features), (gates, units, units), (gates, units), (gates, units)
        ends = np.cumsum([np.prod(shape) for shape in shapes])
        if vector.shape != (ends[-1],):
            raise ValueError(f"vector: expected shape ({ends[-1]},), got {vector.shape}")
        parts = np.split(vector, ends[:-1])
        return cls(*(part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)))

    def vector(self) -> Array:
        return np.concatenate([part.ravel() for part in (self.w, self.r, self.b, self.d)])


def forward(mode: str, x: Array, h: Array, c: Array, vector: Array, lengths: Array) -> tuple[Array, Array, Array, list]:
    """Outputs `(batch, time, units)`, the last h and c `(batch, units)`, and what `backward` reads of every step."""
    p = Parameters.of(vector, mode, x.shape[2], h.shape[1])
    outputs, kept = np.zeros((*x.shape[:2], h.shape[1])), []
    for t in range(x.shape[1]):
        of_x = np.einsum("bf,guf->gbu", x[:, t], p.w) + p.b[:, None]
        of_h = np.einsum("bv,guv->gbu", h, p.r) + p.d[:, None]
        new_h, new_c, gates = _step(mode, of_x, of_h, h, c)
        real = (t < lengths)[:, None]
        kept.append((h, c, new_c, of_h, gates, real))
        outputs[:, t] = np.where(real, new_h, 0)
        h, c = np.where(real, new_h, h), np.where(real, new_c, c)
    return outputs, h, c, kept


def _step(mode: str, of_x: Array, of_h: Array, h: Array, c: Array) -> tuple[Array, Array, Array]:
    if mode == "lstm":
        i, f, o = (sigmoid(of_x[gate] + of_h[gate]) for gate in (0, 1, 3))
        g = np.tanh(of_x[2] + of_h[2])
        new_c = f * c + i * g
        return o * np.tanh(new_c), new_c, np.stack([i, f, g, o])
    if mode == "gru":
        r, i = sigmoid(of_x[:2] + of_h[:2])
        n = np.tanh(of_x[2] + r * of_h[2])
        return (1 - i) * n + i * h, c, np.stack([r, i, n])
    new_h = np.tanh(of_x + of_h) if mode == "rnn_tanh" else np.maximum(of_x + of_h, 0)
    return new_h[0], c, new_h


def backward(
    mode: str, x: Array, vector: Array, kept: list, d_outputs: Array, dh: Array, dc: Array
) -> tuple[Array, Array, Array, Array]:
    """Gradients of x, of the first h and c, and of the parameters, from those of the outputs and the last h and c."""
    p = Parameters.of(vector, mode, x.shape[2], dh.shape[1])
    dx, found = np.zeros_like(x), Parameters(*(np.zeros_like(part) for part in (p.w, p.r, p.b, p.d)))
    for t in reversed(range(x.shape[1])):
        h, c, new_c, of_h, gates, real = kept[t]
        here, here_c = np.where(real, dh + d_outputs[:, t], 0), np.where(real, dc, 0)
        of_x, of_state, old_h, old_c = _step_back(mode, here, here_c, h, c, new_c, of_h, gates)
        found.w += np.einsum("gbu,bf->guf", of_x, x[:, t])
        found.r += np.einsum("gbu,bv->guv", of_state, h)
        found.b += of_x.sum(1)
        found.d += of_state.sum(1)
        dx[:, t] = np.einsum("gbu,guf->bf", of_x, p.w)
        old_h = old_h + np.einsum("gbu,guv->bv", of_state, p.r)
        dh, dc = np.where(real, old_h, dh), np.where(real, old_c, dc)
    return dx, dh, dc, found.vector()


def _step_back(
    mode: str, dh: Array, dc: Array, h: Array, c: Array, new_c: Array, of_h: Array, gates: Array
) -> tuple[Array, Array, Array, Array]:
    """Gradients of W x + b and of R h + d, each `(gates, batch, units)`, and of the old h and c past the weights."""
    if mode == "lstm":
        i, f, g, o = gates
        squashed = np.tanh(new_c)
        dc = dc + dh * o * (1 - squashed**2)
        before = dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g**2), dh * squashed * o * (1 - o)
        return np.stack(before), np.stack(before), np.zeros_like(dh), dc * f
    if mode == "gru":
        r, i, n = gates
        dn = dh * (1 - i) * (1 - n**2)
        first = dn * of_h[2] * r * (1 - r), dh * (h - n) * i * (1 - i)
        return np.stack([*first, dn]), np.stack([*first, dn * r]), dh * i, dc
    found = dh * (1 - gates**2 if mode == "rnn_tanh" else gates > 0)
    return found, found, np.zeros_like(dh), dc


def operation(
    input: Any,
    input_h: Any,
    input_c: Any,
    params: Any,
    is_training: bool,
    rnn_mode: str,
    sequence_lengths: Any,
    time_major: bool,
) -> tuple[Any, ...]:
    """Stands in for `tf.raw_ops.CudnnRNNV3`, gradient included, eagerly and in graphs; computes in float64."""
    if time_major or not is_training:
        raise ValueError("operation: expected batches first and training, got something else")
    dtype, states = input.dtype, (input_h, input_c if rnn_mode == "lstm" else tf.zeros_like(input_h))

    def ran(x: Array, h: Array, c: Array, vector: Array, lengths: Array, *found: Array) -> list[Array]:
        x, h, c, vector, *found = (part.astype(np.float64) for part in (x, h, c, vector, *found))
        *results, kept = forward(rnn_mode, x, h[:, 0], c[:, 0], vector, lengths)
        if found:
            results = backward(rnn_mode, x, vector, kept, found[0], found[1][:, 0], found[2][:, 0])
            results = [results[0], results[1][:, None], results[2][:, None], results[3]]
        else:
            results = [results[0], results[1][:, None], results[2][:, None]]
        return [part.astype(dtype.as_numpy_dtype) for part in results]

    @tf.custom_gradient
    def run(x: Any, h: Any, c: Any, vector: Any) -> Any:
        given = x, h, c, vector

        def gradient(*found: Any) -> Any:
            results = tf.numpy_function(ran, [*given, sequence_lengths, *found], [dtype] * 4)
            return [tf.ensure_shape(part, like.shape) for part, like in zip(results, given, strict=True)]

        outputs, *ends = tf.numpy_function(ran, [*given, sequence_lengths], [dtype] * 3)
        outputs = tf.ensure_shape(outputs, (*x.shape[:2], h.shape[-1]))
        return (outputs, *(tf.ensure_shape(end, h.shape) for end in ends)), gradient

    nothing = tf.zeros(0)  # what the real one keeps for its gradient
    return (*run(input, *states, params), nothing, nothing)
