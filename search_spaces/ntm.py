"""The Neural Turing machine as a cell (Graves, Wayne & Danihelka 2014, arXiv:1410.5401): a network with a memory.

A controller of `units` units reads the input x and what was last read from the memory, r. It is a layer of tanh units
("feed-forward") or an LSTM. It steers one head that reads and one that writes. Each looks for a key k in the memory M
of rows and columns, and weighs the rows by

    content     c    = softmax over rows of beta cos(k, M(row))
    gate        g    c and its last weights are mixed: g c + (1 - g) w[t-1]
    shift       s    the weights are moved by -1, 0 or 1 rows, around the ends
    sharpness   y    and then raised to the power y >= 1, and divided by their sum

Both heads look at M[t-1]. The one returns r[t] = sum of w(row) M[t-1](row), the other erases and adds:
M[t](row) = M[t-1](row) (1 - w(row) e) + w(row) a. The output is the controller's, and beside it r[t].

A head begins by keeping its place: the bias of its gate is -2, and that of its sharpness 2. With biases of 0 a head
that is not needed spreads over all rows, and what it writes there wears down what stands in them. That takes more steps
than a sequence of training has, so no training mends it; a sequence of six times the length is lost.

The memory begins at 1e-6. With weights that are equal for all rows every row would stay the same for ever, so the first
weights are learned, and begin at row 0. What is read at first is learned, too. This file needs Keras alone: an exported
model brings it along.
"""

from typing import Any

import keras
from keras import ops

FIRST = 1e-6  # numbers of the memory at first
GATE_BIAS, SHARPNESS_BIAS = -2.0, 2.0  # at first
AT_ROW_0 = 10.0  # the first logit of row 0; those of the others are 0
SHIFTS = (-1, 0, 1)
SMALL = 1e-8
LSTM, FEED_FORWARD = "lstm", "feed-forward"


@keras.saving.register_keras_serializable("recurrent_search")
class NTMCell(keras.layers.Layer):
    """Reads `(batch, features)` and returns `(batch, units + columns)`.

    The states are the memory `(batch, rows columns)`, the weights of the reading and of the writing head
    `(batch, rows)`, what was read `(batch, columns)`, and for an LSTM its h and c, `(batch, units)`.

    Args:
        units: of the controller.
        rows, columns: of the memory.
        controller: "feed-forward" or "lstm".
    """

    def __init__(
        self, units: int, rows: int = 128, columns: int = 20, controller: str = FEED_FORWARD, **more: Any
    ) -> None:
        super().__init__(**more)
        self.units, self.rows, self.columns, self.controller = units, rows, columns, controller
        self.gates = 4 if controller == LSTM else 1
        self.state_size = [rows * columns, rows, rows, columns, *([units, units] if controller == LSTM else [])]
        self.output_size = units + columns
        # Of each head: key, strength, gate, shifts, sharpness. The writing head also has what it erases and adds.
        self.head = [columns, 1, 1, len(SHIFTS), 1]
        self.sizes = [*self.head, *self.head, columns, columns]

    def build(self, shape: Any) -> None:
        wide = self.gates * self.units
        self.kernel = self.add_weight((shape[-1], wide), "glorot_uniform", name="kernel")
        self.read_kernel = self.add_weight((self.columns, wide), "glorot_uniform", name="read_kernel")
        self.bias = self.add_weight((wide,), "zeros", name="bias")
        if self.controller == LSTM:
            self.recurrent_kernel = self.add_weight((self.units, wide), "orthogonal", name="recurrent_kernel")
        self.head_kernel = self.add_weight((self.units, sum(self.sizes)), "glorot_uniform", name="head_kernel")
        self.head_bias = self.add_weight((sum(self.sizes),), self._first_bias, name="head_bias")
        first = lambda shape, dtype=None: ops.one_hot([0, 0], shape[1], dtype=dtype) * AT_ROW_0  # noqa: E731
        self.first_weights = self.add_weight((2, self.rows), first, name="first_weights")
        self.first_read = self.add_weight((1, self.columns), "zeros", name="first_read")

    def _first_bias(self, shape: Any, dtype: Any = None) -> Any:
        head = [*[0.0] * (self.columns + 1), GATE_BIAS, *[0.0] * len(SHIFTS), SHARPNESS_BIAS]
        return ops.convert_to_tensor([*head, *head, *[0.0] * (2 * self.columns)], dtype)

    def get_initial_state(self, batch_size: Any = None) -> list[Any]:
        """The memory at 1e-6, what is learned of the heads, and zeros."""
        learned = [*ops.split(ops.softmax(self.first_weights), 2), ops.tanh(self.first_read)]
        zeros = [ops.zeros((batch_size, size), self.compute_dtype) for size in self.state_size[4:]]
        memory = ops.full((batch_size, self.rows * self.columns), FIRST, self.compute_dtype)
        return [memory, *(ops.tile(one, (batch_size, 1)) for one in learned), *zeros]

    def call(self, x: Any, states: Any, training: bool = False) -> tuple[Any, list[Any]]:
        flat, read_from, write_to, seen, *own = states
        memory = ops.reshape(flat, (-1, self.rows, self.columns))
        h, own = self._controlled(x, seen, own)
        steering = ops.matmul(h, self.head_kernel) + self.head_bias
        parts = ops.split(steering, [sum(self.sizes[: end + 1]) for end in range(len(self.sizes) - 1)], axis=-1)
        read_from = addressed(memory, read_from, *parts[:5])
        write_to = addressed(memory, write_to, *parts[5:10])
        seen = ops.sum(read_from[..., None] * memory, axis=1)
        memory = written(memory, write_to, ops.sigmoid(parts[10]), ops.tanh(parts[11]))
        output = ops.concatenate([h, seen], axis=-1)
        return output, [ops.reshape(memory, (-1, self.rows * self.columns)), read_from, write_to, seen, *own]

    def _controlled(self, x: Any, seen: Any, own: list[Any]) -> tuple[Any, list[Any]]:
        """The controller's output, and its states."""
        summed = ops.matmul(x, self.kernel) + ops.matmul(seen, self.read_kernel) + self.bias
        if self.controller != LSTM:
            return ops.tanh(summed), []
        h, c = own
        i, f, g, o = ops.split(summed + ops.matmul(h, self.recurrent_kernel), 4, axis=-1)
        c = ops.sigmoid(f + 1) * c + ops.sigmoid(i) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(c)
        return h, [h, c]

    def get_config(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("units", "rows", "columns", "controller")}
        return {**super().get_config(), **own}


def addressed(memory: Any, last: Any, key: Any, strength: Any, gate: Any, shifts: Any, sharpness: Any) -> Any:
    """The weights of a head `(batch, rows)`, which sum to 1.

    Args:
        memory: `(batch, rows, columns)`.
        last: the weights of the step before.
        key, strength, gate, shifts, sharpness: what the controller says, `(batch, …)`, of any size.
    """
    key = ops.tanh(key)[:, None]
    norms = ops.sqrt(ops.sum(memory**2, -1) * ops.sum(key**2, -1) + SMALL)
    likeness = ops.sum(memory * key, -1) / norms
    found = ops.softmax(ops.softplus(strength) * likeness, axis=-1)
    gate = ops.sigmoid(gate)
    mixed = gate * found + (1 - gate) * last
    shares = ops.softmax(shifts, axis=-1)
    moved = sum(shares[:, place, None] * ops.roll(mixed, by, axis=1) for place, by in enumerate(SHIFTS))
    # The largest one is made 1 first, which changes no weight. A high power of small numbers would be 0 for all rows.
    largest = ops.stop_gradient(ops.max(moved, axis=-1, keepdims=True))
    sharp = ((moved + SMALL) / (largest + SMALL)) ** (1 + ops.softplus(sharpness))
    return sharp / ops.sum(sharp, axis=-1, keepdims=True)


def written(memory: Any, weights: Any, erased: Any, added: Any) -> Any:
    """The memory after the writing head: each row loses the share `erased` of it, and gets `added`, by its weight."""
    weights = weights[..., None]
    return memory * (1 - weights * erased[:, None]) + weights * added[:, None]
