"""The plain recurrent cell of cells/simple_rnn.py, forward and backward, with tanh or relu.

h[t] = tanh(x[t] W + h[t-1] U + b), or relu(…). Elman 1990. A step keeps nothing but h.
"""

import functools
from typing import Any

import numpy as np
from numba import njit

from search_spaces.native.options import BACKWARD, FORWARD, OPTIONS
from search_spaces.native.product import product
from search_spaces.native.sequence import Cell
from search_spaces.native.squash import tanh
from search_spaces.native.steps import add_at, hold, place_of, read, set_aside, write

f4 = np.float32


@njit("void(b1,f4[::1])", **OPTIONS)
def _step(relu: Any, h: Any) -> None:
    if relu:
        for j in range(len(h)):
            h[j] = f4(0) if h[j] < f4(0) else h[j]  # NaN stays
    else:
        for j in range(len(h)):
            h[j] = tanh(h[j])


@njit("void(b1,f4[::1],f4[::1],f4[::1])", **OPTIONS)
def _step_back(relu: Any, h: Any, dh: Any, gate: Any) -> None:
    if relu:
        for j in range(len(h)):
            gate[j] = dh[j] if h[j] > f4(0) else f4(0)
    else:
        for j in range(len(h)):
            gate[j] = dh[j] * (f4(1) - h[j] * h[j])


@njit(FORWARD.replace("(", "(b1,"), **OPTIONS)
def _forward(
    relu: Any, x: Any, real: Any, backwards: Any, w: Any, u: Any, here: Any, states: Any, flat: Any, kept: Any,
    flat_kept: Any, outputs: Any,
) -> None:  # fmt: skip
    for step in range(x.shape[1]):
        place, h = place_of(step, x.shape[1], backwards), states[step, 0]
        read(here, x, place)
        product(states[step + 1, 0], False, here, w, h, u[0])
        _step(relu, flat[step + 1, 0])
        hold(real, place, h, states[step + 1, 0])
        write(outputs, step, states[step + 1, 0])


@njit(BACKWARD.replace("(", "(b1,"), **OPTIONS)
def _backward(
    relu: Any, x: Any, real: Any, backwards: Any, wt: Any, ut: Any, here: Any, states: Any, flat: Any, kept: Any,
    flat_kept: Any, of_outputs: Any, d: Any, flat_d: Any, aside: Any, gates: Any, flat_gates: Any, dw: Any, du: Any,
    dx: Any, part: Any,
) -> None:  # fmt: skip
    dh, none = d[0], gates[:0]
    for step in range(x.shape[1] - 1, -1, -1):
        place, h = place_of(step, x.shape[1], backwards), states[step, 0]
        read(here, x, place)
        add_at(dh, of_outputs, step)
        set_aside(real, place, dh, aside[0])
        _step_back(relu, flat[step + 1, 0], flat_d[0], flat_gates)
        product(dh, False, gates, ut, h[:, :0], ut[0, :0])
        hold(real, place, aside[0], dh)
        product(dw[0], True, none, none, here[0].T, gates[0])
        product(du[0], True, none, none, h.T, gates[0])
        if dx.size:
            product(part, False, gates, wt, h[:, :0], wt[0, :0])
            write(dx, place, part)


TANH, RELU = (
    Cell((0,), (0,), 1, 0, functools.partial(_forward, relu), functools.partial(_backward, relu))
    for relu in (False, True)
)
