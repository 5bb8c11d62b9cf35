"""What cuDNN computes, from its documentation alone, in NumPy: in the place of TensorFlow's op where there is no GPU.

Parameters are one vector: for each gate its matrix W (units, features) for the input, then for each gate its matrix R
(units, units) for the state, then for each gate its bias b, then for each gate its bias b'. The gates are, in cuDNN's
order, i, f, g, o of an LSTM and r, z, n of a GRU, whose equations are

    h' = z h + (1 - z) n,   n = tanh(W x + b + r (R h + b'))

Gradients are central differences in double precision.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}
STEP = 1e-6
Arrays = tuple[np.ndarray, ...]


def sigmoid(a: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-a))


def unpack(params: np.ndarray, gates: int, features: int, units: int) -> list[np.ndarray]:
    """W (gates, units, features), R (gates, units, units), b and b' (gates, units)."""
    shapes = [(gates, units, features), (gates, units, units), (gates, units), (gates, units)]
    sizes = [int(np.prod(shape)) for shape in shapes]
    assert params.size == sum(sizes)
    parts = np.split(params, np.cumsum(sizes)[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def step(mode: str, x: np.ndarray, h: np.ndarray, c: np.ndarray, weights: list[np.ndarray]) -> Arrays:
    """The next h and c of one sequence."""
    matrix, recurrent, bias, other = weights
    inputs, states = matrix @ x + bias, recurrent @ h + other
    if mode == "lstm":
        i, f, o = (sigmoid(inputs[gate] + states[gate]) for gate in (0, 1, 3))
        c = f * c + i * np.tanh(inputs[2] + states[2])
        return o * np.tanh(c), c
    if mode == "gru":
        r, z = (sigmoid(inputs[gate] + states[gate]) for gate in (0, 1))
        return z * h + (1 - z) * np.tanh(inputs[2] + r * states[2]), c
    total = inputs[0] + states[0]
    return (np.tanh(total) if mode == "rnn_tanh" else np.maximum(total, 0)), c


def forward(mode: str, lengths: np.ndarray, x: np.ndarray, h: np.ndarray, c: np.ndarray, params: np.ndarray) -> Arrays:
    """Outputs (batch, time, units), zeros behind a sequence's end, and the last h and c (batch, units)."""
    weights = unpack(params, GATES[mode], x.shape[2], h.shape[1])
    outputs, h, c = np.zeros((*x.shape[:2], h.shape[1])), h.copy(), c.copy()
    for row, length in enumerate(lengths):
        for time in range(length):
            h[row], c[row] = step(mode, x[row, time], h[row], c[row], weights)
            outputs[row, time] = h[row]
    return outputs, h, c


def backward(function: Callable[..., Arrays], inputs: list[np.ndarray], gradients: Arrays) -> list[np.ndarray]:
    """Gradients of `inputs`, for those of what the function returns."""

    def size() -> float:
        return sum(float((part * grad).sum()) for part, grad in zip(function(*inputs), gradients, strict=True))

    found = [np.zeros_like(part) for part in inputs]
    for part, slopes in zip(inputs, found, strict=True):
        for place in np.ndindex(part.shape):
            middle, ends = part[place], []
            for sign in (1, -1):
                part[place] = middle + sign * STEP
                ends.append(size())
            part[place], slopes[place] = middle, (ends[0] - ends[1]) / (2 * STEP)
    return found


def op(
    input: Any,
    input_h: Any,
    input_c: Any,
    params: Any,
    is_training: bool,
    rnn_mode: str,
    sequence_lengths: Any,
    time_major: bool,
) -> tuple[Any, Any, Any, None, None]:
    """In the place of `tf.raw_ops.CudnnRNNV3`, batch first, for eager calls."""
    assert is_training and not time_major and tf.executing_eagerly()
    lengths, has_c = np.asarray(sequence_lengths), rnn_mode == "lstm"

    @tf.custom_gradient
    def call(*given: Any) -> Any:
        inputs = [np.asarray(part, np.float64) for part in given]
        shapes = [part.shape for part in inputs]

        def run(x: np.ndarray, h: np.ndarray, params: np.ndarray, c: np.ndarray | None = None) -> Arrays:
            outputs, h, c = forward(
                rnn_mode, lengths, x, h[:, 0], np.zeros_like(h[:, 0]) if c is None else c[:, 0], params
            )
            return (outputs, h[:, None], c[:, None]) if has_c else (outputs, h[:, None])

        def gradient(*gradients: Any) -> Any:
            found = backward(run, inputs, tuple(np.asarray(part, np.float64) for part in gradients))
            return [tf.constant(part, tf.float32) for part in found]

        assert shapes[1] == (shapes[0][0], 1, shapes[1][2])
        return tuple(tf.constant(part, tf.float32) for part in run(*inputs)), gradient

    outputs, h, *c = call(input, input_h, params, *([input_c] if has_c else []))
    return outputs, h, c[0] if c else input_c, None, None
