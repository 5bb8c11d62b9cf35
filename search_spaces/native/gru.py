"""The gated recurrent unit of cells/gru.py, with `reset_after`, forward and backward.

n = tanh(x[t] W + b + r u);  u = h[t-1] U + b';  z, r = sigmoid(x[t] W + b + h[t-1] U + b');  h[t] = n + z (h[t-1] - n).
Cho et al. 2014, arXiv:1406.1078. A step keeps n, z, r and u, each `(batch, width)`.
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
# Which of Keras' gates z, r, n the products of n, z, r and u belong to.
OF_INPUTS, OF_STATES = (2, 0, 1, None), (None, 0, 1, 2)


@njit("void(f4[::1],f4[::1],f4[::1])", **OPTIONS)
def _step(kept: Any, old: Any, new: Any) -> None:
    size = len(old)
    both = kept[size : 3 * size]  # z and r; with an index that begins at 0 LLVM uses vectors
    for j in range(2 * size):
        both[j] = sigmoid(both[j])
    n, z, r, u = kept[:size], kept[size : 2 * size], kept[2 * size : 3 * size], kept[3 * size :]
    # LLVM uses vectors only in loops that touch few arrays, so the two equations are two loops.
    for j in range(size):
        n[j] = tanh(n[j] + r[j] * u[j])
    for j in range(size):
        new[j] = n[j] + z[j] * (old[j] - n[j])


@njit("void(f4[::1],f4[::1],f4[::1],f4[::1])", **OPTIONS)
def _step_back(kept: Any, old: Any, dh: Any, gates: Any) -> None:
    size = len(old)
    n, z, r, u = kept[:size], kept[size : 2 * size], kept[2 * size : 3 * size], kept[3 * size :]
    dn, dz, dr, du = gates[:size], gates[size : 2 * size], gates[2 * size : 3 * size], gates[3 * size :]
    for j in range(size):
        open_ = dh[j] * (f4(1) - z[j])
        dz[j] = open_ * (old[j] - n[j]) * z[j]
        dn[j] = open_ * (f4(1) - n[j] * n[j])
        dh[j] *= z[j]
    for j in range(size):
        du[j] = dn[j] * r[j]
        dr[j] = dn[j] * u[j] * (r[j] * (f4(1) - r[j]))


@njit(FORWARD, **OPTIONS)
def _forward(
    x: Any, real: Any, backwards: Any, w: Any, u: Any, here: Any, states: Any, flat: Any, kept: Any, flat_kept: Any,
    outputs: Any,
) -> None:  # fmt: skip
    features = x.shape[2]
    one = slice(features, features + 1)  # the column of `here` that is 1, and the bias in w
    for step in range(x.shape[1]):
        place, h, gates = place_of(step, x.shape[1], backwards), states[step, 0], kept[step]
        read(here, x, place)
        product(gates[0], False, here, w[0:1], h[:, :0], u[0, :0])
        product(gates[1], False, here, w[1:2], h, u[1])
        product(gates[2], False, here, w[2:3], h, u[2])
        product(gates[3], False, here[:, :, one], w[3:4, one], h, u[3])
        _step(flat_kept[step], flat[step, 0], flat[step + 1, 0])
        hold(real, place, h, states[step + 1, 0])
        write(outputs, step, states[step + 1, 0])


@njit(BACKWARD, **OPTIONS)
def _backward(
    x: Any, real: Any, backwards: Any, wt: Any, ut: Any, here: Any, states: Any, flat: Any, kept: Any, flat_kept: Any,
    of_outputs: Any, d: Any, flat_d: Any, aside: Any, gates: Any, flat_gates: Any, dw: Any, du: Any, dx: Any, part: Any,
) -> None:  # fmt: skip
    dh, none, features = d[0], gates[:0], x.shape[2]
    one = slice(features, features + 1)
    for step in range(x.shape[1] - 1, -1, -1):
        place, h = place_of(step, x.shape[1], backwards), states[step, 0]
        read(here, x, place)
        add_at(dh, of_outputs, step)
        set_aside(real, place, dh, aside[0])
        _step_back(flat_kept[step], flat[step, 0], flat_d[0], flat_gates)
        product(dh, True, gates[1:], ut[1:], h[:, :0], ut[0, :0])
        hold(real, place, aside[0], dh)
        for gate in range(3):
            product(dw[gate], True, none, none, here[0].T, gates[gate])
            product(du[gate + 1], True, none, none, h.T, gates[gate + 1])
        product(dw[3, one], True, none, none, here[0, :, one].T, gates[3])
        if dx.size:
            product(part, False, gates[:3], wt[:3], h[:, :0], wt[0, :0])
            write(dx, place, part)


CELL = Cell(OF_INPUTS, OF_STATES, 1, 4, _forward, _backward)
