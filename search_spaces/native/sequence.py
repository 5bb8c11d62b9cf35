"""A whole sequence in one call: makes the buffers, lets weights.py arrange the weights, and calls a cell's two passes.

Each gate has its own matrices, and each kept gate is one matrix `(batch, width)` for each step. A loop over all of its
numbers is then long, which a processor needs to use its vectors.
"""

import dataclasses
import functools
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

    @functools.cached_property
    def places(self) -> tuple[Array, Array]:
        """`of_inputs` and `of_states` as arrays; -1 for None."""
        inputs, states = ([-1 if one is None else one for one in of] for of in (self.of_inputs, self.of_states))
        return np.array(inputs, np.int64), np.array(states, np.int64)


def new(*shape: int) -> Array:
    """An array of floats that TensorFlow need not copy. Its numbers are not set.

    The memory is new at each call. It is free again when nobody has the array any more, TensorFlow included. A worker's
    allocator keeps freed memory, so buffers of our own would not be faster.
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
) -> tuple[Array, Array]:
    """Computes a sequence.

    Args:
        x: `(batch, time, features)`.
        mask: `(batch, time)`, True where a step is real; `(0, 0)` if all are.
        weights: kernel, recurrent kernel and bias, as Keras has them.
        first: the states before the first step, each `(batch, width)`.
        sequences: the outputs are wanted at every step.
        backwards: x is read from its last step to its first.

    Returns the outputs `(batch, time, width)`, empty without `sequences`, and the record that the backward pass needs,
    `(matrices, batch, width)`. The last matrices of the record are the last states.
    """
    from search_spaces.native.weights import by_gates  # it imports Numba

    batch, steps, _ = x.shape
    width, here = len(weights[1]), _here(x)
    w, u = np.zeros((cell.gates, here.shape[2], width), np.float32), np.zeros((cell.gates, width, width), np.float32)
    by_gates(weights[0], weights[1], _rows(weights[2]), *cell.places, w, u)
    record = new(steps * cell.kept + (steps + 1) * cell.states, batch, width)
    states, kept = _parts(cell, record, steps)
    for number, state in enumerate(first):
        states[0, number] = state
    outputs = new(batch if sequences else 0, steps, width)
    cell.forward(x, mask, backwards, w, u, here, *_and_flat(states, kept), outputs)
    return outputs, record


def backward(
    cell: Cell,
    x: Array,
    mask: Array,
    weights: Sequence[Array],
    record: Array,
    of_outputs: Array,
    of_ends: Sequence[Array],
    backwards: bool,
    of_x: bool,
) -> tuple[Array, Array]:
    """The gradient of x, and those of the weights and of the first states one behind the other; see `cut`.

    Args:
        x, mask, weights, backwards: as for `forward`, which returned `record`.
        of_outputs: the gradients of the outputs at every step; `(0, time, width)` if there are none.
        of_ends: the gradients of the last states.
        of_x: the gradient of x is wanted; otherwise it is empty.
    """
    from search_spaces.native.weights import as_keras, turned  # they import Numba

    batch, steps, features = x.shape
    width, gates, here = len(weights[1]), cell.gates, _here(x)
    wt, ut = np.zeros((gates, width, features), np.float32), np.zeros((gates, width, width), np.float32)
    turned(weights[0], weights[1], *cell.places, wt, ut)
    own = sum(part.size for part in weights)
    found, dx = new(own + cell.states * batch * width), new(batch if of_x else 0, steps, features)
    ends, aside = found[own:].reshape(cell.states, batch, width), np.empty((cell.states, batch, width), np.float32)
    of_gates = np.empty((gates, batch, width), np.float32)
    for number, end in enumerate(of_ends):
        ends[number] = end
    dw, du = np.zeros((gates, here.shape[2], width), np.float32), np.zeros((gates, width, width), np.float32)
    cell.backward(
        *(x, mask, backwards, wt, ut, here, *_and_flat(*_parts(cell, record, steps)), of_outputs),
        *(ends, ends.reshape(cell.states, -1), aside, of_gates, of_gates.reshape(-1)),
        *(dw, du, dx, np.empty((batch, features), np.float32)),
    )
    of_kernel, of_recurrent, of_bias = cut(found, [part.shape for part in weights])
    as_keras(dw, du, *cell.places, of_kernel, of_recurrent, _rows(of_bias))
    return dx, found


def cut(found: Array, shapes: Sequence[tuple[int, ...]]) -> list[Array]:
    """The first numbers of `found` as arrays of these shapes."""
    parts, begin = [], 0
    for shape in shapes:
        end = begin + math.prod(shape)
        parts.append(found[begin:end].reshape(shape))
        begin = end
    return parts


def _parts(cell: Cell, record: Array, steps: int) -> tuple[Array, Array]:
    """The states `(time + 1, states, batch, width)` of a record, and what was kept `(time, kept, batch, width)`."""
    kept, states = record[: steps * cell.kept], record[steps * cell.kept :]
    return states.reshape(steps + 1, cell.states, *record.shape[1:]), kept.reshape(steps, cell.kept, *record.shape[1:])


def _and_flat(states: Array, kept: Array) -> tuple[Array, Array, Array, Array]:
    """Both, and the same with each matrix, or each step of `kept`, as one row."""
    steps, many, batch, width = states.shape
    flat = states.reshape(steps, many, batch * width)
    return states, flat, kept, kept.reshape(len(kept), kept.shape[1] * batch * width)


def _here(x: Array) -> Array:
    """Room for x at one step, and behind it a 1, whose weights are the bias. Zeros fill the last rows of a tile."""
    batch, _, features = x.shape
    here = np.zeros((1, batch, -(-(features + 1) // GROUP) * GROUP), np.float32)
    here[:, :, features] = 1
    return here


def _rows(bias: Array) -> Array:
    """The biases as rows: one, or two for a cell that has others for the states."""
    return bias.reshape(-1, bias.shape[-1])
