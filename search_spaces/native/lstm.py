"""Long short-term memory as in cells/lstm.py, forward and backward.

i, f, o = sigmoid(x[t] W + h[t-1] U + b), g = tanh(…);  c[t] = f c[t-1] + i g;  h[t] = o tanh(c[t]).
Hochreiter & Schmidhuber 1997; Gers et al. 2000. A step keeps i, f, g, o and tanh(c[t]), each `(batch, width)`.
"""

from typing import Any

import numpy as np
from numba import njit

from search_spaces.native.options import BACKWARD, FORWARD, OPTIONS
from search_spaces.native.product import product
from search_spaces.native.sequence import Cell
from search_spaces.native.squash import sigmoid, tanh
from search_spaces.native.steps import add_at, hold, place_of, read, set_aside, write

f4 = np.float32
GATES = (0, 1, 2, 3)  # i, f, g and o, in Keras' order


@njit("void(f4[::1],f4[::1],f4[::1],f4[::1])", **OPTIONS)
def _step(kept: Any, old_c: Any, c: Any, h: Any) -> None:
    size = len(c)
    i, f, g = kept[:size], kept[size : 2 * size], kept[2 * size : 3 * size]
    o, squashed = kept[3 * size : 4 * size], kept[4 * size :]
    for j in range(2 * size):
        kept[j] = sigmoid(kept[j])
    for j in range(size):
        g[j] = tanh(g[j])
        c[j] = f[j] * old_c[j] + i[j] * g[j]
    for j in range(size):
        o[j] = sigmoid(o[j])
        squashed[j] = tanh(c[j])
        h[j] = o[j] * squashed[j]


@njit("void(f4[::1],f4[::1],f4[::1],f4[::1],f4[::1])", **OPTIONS)
def _step_back(kept: Any, old_c: Any, dh: Any, dc: Any, gates: Any) -> None:
    size = len(dc)
    i, f, g = kept[:size], kept[size : 2 * size], kept[2 * size : 3 * size]
    o, squashed = kept[3 * size : 4 * size], kept[4 * size :]
    di, df, dg, do = gates[:size], gates[size : 2 * size], gates[2 * size : 3 * size], gates[3 * size :]
    for j in range(size):
        do[j] = dh[j] * squashed[j] * (o[j] * (f4(1) - o[j]))
        dc[j] += dh[j] * o[j] * (f4(1) - squashed[j] * squashed[j])
    for j in range(size):
        di[j] = dc[j] * g[j] * (i[j] * (f4(1) - i[j]))
        dg[j] = dc[j] * i[j] * (f4(1) - g[j] * g[j])
    for j in range(size):
        df[j] = dc[j] * old_c[j] * (f[j] * (f4(1) - f[j]))
        dc[j] *= f[j]


@njit(FORWARD, **OPTIONS)
def _forward(
    x: Any, real: Any, backwards: Any, w: Any, u: Any, here: Any, states: Any, flat: Any, kept: Any, flat_kept: Any,
    outputs: Any,
) -> None:  # fmt: skip
    for step in range(x.shape[1]):
        place, h = place_of(step, x.shape[1], backwards), states[step, 0]
        read(here, x, place)
        for gate in range(4):
            product(kept[step, gate], False, here, w[gate : gate + 1], h, u[gate])
        _step(flat_kept[step], flat[step, 1], flat[step + 1, 1], flat[step + 1, 0])
        hold(real, place, h, states[step + 1, 0])
        hold(real, place, states[step, 1], states[step + 1, 1])
        write(outputs, step, states[step + 1, 0])


@njit(BACKWARD, **OPTIONS)
def _backward(
    x: Any, real: Any, backwards: Any, wt: Any, ut: Any, here: Any, states: Any, flat: Any, kept: Any, flat_kept: Any,
    of_outputs: Any, d: Any, flat_d: Any, aside: Any, gates: Any, flat_gates: Any, dw: Any, du: Any, dx: Any, part: Any,
) -> None:  # fmt: skip
    dh, dc, none = d[0], d[1], gates[:0]
    for step in range(x.shape[1] - 1, -1, -1):
        place, h = place_of(step, x.shape[1], backwards), states[step, 0]
        read(here, x, place)
        add_at(dh, of_outputs, step)
        set_aside(real, place, dh, aside[0])
        set_aside(real, place, dc, aside[1])
        _step_back(flat_kept[step], flat[step, 1], flat_d[0], flat_d[1], flat_gates)
        product(dh, False, gates, ut, h[:, :0], ut[0, :0])
        hold(real, place, aside[0], dh)
        hold(real, place, aside[1], dc)
        for gate in range(4):
            product(dw[gate], True, none, none, here[0].T, gates[gate])
            product(du[gate], True, none, none, h.T, gates[gate])
        if dx.size:
            product(part, False, gates, wt, h[:, :0], wt[0, :0])
            write(dx, place, part)


CELL = Cell(GATES, GATES, 2, 5, _forward, _backward)
