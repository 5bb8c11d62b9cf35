"""A whole sequence in one call: makes the buffers, arranges the weights by gates, and calls a cell's two passes.

Each gate has its own matrices, and each kept gate is one matrix `(batch, width)` for each step. A loop over all of its
numbers is then long, which a processor needs to use its vectors.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np

Array = np.ndarray
ALIGNMENT = 64  # bytes; TensorFlow takes the memory of an array with this alignment, and copies others
GROUP = 4  # rows of a tile


@dataclasses.dataclass(frozen=True)
class Cell:
    """A cell as the kernel `native` computes it.

    A cell has gates of its own. Each is a sum of a product with the inputs, or with the states, or both.

    Args:
        of_inputs: for each gate the place among Keras' gates of its weights for the inputs; None if it has none.
        of_states: the same for the states.
        states: how many there are; the first one is the output.
        kept: how many matrices a step keeps for the backward pass.
        forward, backward: what computes a sequence; see `options` for the arguments.
    """

    of_inputs: tuple[int | None, ...]
    of_states: tuple[int | None, ...]
    states: int
    kept: int
    forward: Callable[..., None]
    backward: Callable[..., None]

    @property
    def gates(self) -> int:
        return len(self.of_inputs)


def new(*shape: int) -> Array:
    """An array of floats that TensorFlow need not copy. Its numbers are not set.

    The memory is new at each call. It is free again when nobody has the array any more, TensorFlow included.
    """
    size = 4 * math.prod(shape)
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size].view(np.float32).reshape(shape)


def forward(
    cell: Cell,
    x: Array,
    mask: Array,
    weights: Sequence[Array],
    first: Sequence[Array],
    sequences: bool,
    backwards: bool,
) -> tuple[Array, list[Array], Array, Array]:
    """Computes a sequence.

    Args:
        x: `(batch, time, features)`.
        mask: `(batch, time)`, True where a step is real; `(0, 0)` if all are.
        weights: kernel, recurrent kernel and bias, as Keras has them.
        first: the states before the first step, each `(batch, width)`.
        sequences: the outputs are wanted at every step.
        backwards: x is read from its last step to its first.

    Returns the outputs `(batch, time, width)`, empty without `sequences`; the last states; and what the backward pass
    needs: all states `(states, time + 1, batch, width)` and what was kept `(time, kept, batch, width)`.
    """
    batch, steps, _ = x.shape
    width = len(weights[1])
    states, kept = new(cell.states, steps + 1, batch, width), new(steps, cell.kept, batch, width)
    for number, state in enumerate(first):
        states[number, 0] = state
    outputs = new(batch if sequences else 0, steps, width)
    flat, flat_kept = states.reshape(cell.states, steps + 1, -1), kept.reshape(steps, cell.kept * batch * width)
    arranged = _arranged(cell, *weights)
    cell.forward(x, mask, backwards, *arranged, _here(x), states, flat, kept, flat_kept, outputs)
    return outputs, [_copy(state[-1]) for state in states], states, kept


def backward(
    cell: Cell,
    x: Array,
    mask: Array,
    weights: Sequence[Array],
    states: Array,
    kept: Array,
    of_outputs: Array,
    of_ends: Sequence[Array],
    backwards: bool,
    of_x: bool,
) -> tuple[Array, list[Array], list[Array]]:
    """The gradients of x, of the first states and of the weights.

    Args:
        x, mask, weights, backwards: as for `forward`, which returned `states` and `kept`.
        of_outputs: the gradients of the outputs at every step; `(0, time, width)` if there are none.
        of_ends: the gradients of the last states.
        of_x: the gradient of x is wanted; otherwise it is empty.
    """
    batch, steps, features = x.shape
    width, gates = len(weights[1]), cell.gates
    arranged = [part.transpose(0, 2, 1) for part in _arranged(cell, *weights)]
    w_back, u_back = np.ascontiguousarray(arranged[0][:, :, :features]), np.ascontiguousarray(arranged[1])
    here = _here(x)
    ends, aside = (np.empty((cell.states, batch, width), np.float32) for _ in range(2))
    of_gates = np.empty((gates, batch, width), np.float32)
    for number, end in enumerate(of_ends):
        ends[number] = end
    dw, du = np.zeros((gates, here.shape[2], width), np.float32), np.zeros((gates, width, width), np.float32)
    dx = new(batch if of_x else 0, steps, features)
    cell.backward(
        *(x, mask, backwards, w_back, u_back, here),
        *(states, states.reshape(cell.states, steps + 1, -1), kept, kept.reshape(steps, -1), of_outputs),
        *(ends, ends.reshape(cell.states, -1), aside, of_gates, of_gates.reshape(-1)),
        *(dw, du, dx, np.empty((batch, features), np.float32)),
    )
    return dx, [_copy(end) for end in ends], _as_keras(cell, dw, du, features, weights[2].shape)


def _copy(part: Array) -> Array:
    copy = new(*part.shape)
    copy[...] = part
    return copy


def _here(x: Array) -> Array:
    """Room for x at one step, and behind it a 1, whose weights are the bias. Zeros fill the last rows of a tile."""
    batch, _, features = x.shape
    here = np.zeros((1, batch, -(-(features + 1) // GROUP) * GROUP), np.float32)
    here[:, :, features] = 1
    return here


def _arranged(cell: Cell, kernel: Array, recurrent: Array, bias: Array) -> tuple[Array, Array]:
    """The weights of each gate: of the inputs with the bias behind them, `(gates, rows, width)`, and of the states."""
    features, width = len(kernel), len(recurrent)
    w = np.zeros((cell.gates, -(-(features + 1) // GROUP) * GROUP, width), np.float32)
    u = np.zeros((cell.gates, width, width), np.float32)
    biases = bias.reshape(-1, bias.shape[-1])
    for gate, (place, other) in enumerate(zip(cell.of_inputs, cell.of_states, strict=True)):
        if place is not None:
            part = slice(place * width, (place + 1) * width)
            w[gate, :features], w[gate, features] = kernel[:, part], biases[0, part]
        if other is not None:
            part = slice(other * width, (other + 1) * width)
            u[gate] = recurrent[:, part]
            if len(biases) == 2:
                w[gate, features] += biases[1, part]
    return w, u


def _as_keras(cell: Cell, dw: Array, du: Array, features: int, shape: tuple[int, ...]) -> list[Array]:
    """The gradients of kernel, recurrent kernel and bias, as Keras has them."""
    width = du.shape[2]
    found = new(features, shape[-1]), new(width, shape[-1]), new(*shape)
    biases = found[2].reshape(-1, shape[-1])
    for gate, (place, other) in enumerate(zip(cell.of_inputs, cell.of_states, strict=True)):
        if place is not None:
            part = slice(place * width, (place + 1) * width)
            found[0][:, part], biases[0, part] = dw[gate, :features], dw[gate, features]
        if other is not None:
            part = slice(other * width, (other + 1) * width)
            found[1][:, part] = du[gate]
            if len(biases) == 2:
                biases[1, part] = dw[gate, features]
    return list(found)
