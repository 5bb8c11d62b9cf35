"""What every cell does at a time step: it reads the inputs, and leaves padded rows as they are.

x, outputs and their gradients are `(batch, time, …)`, as Keras has them. A step copies what it needs into a small
matrix, which is then in the processor's cache. `place` is the time step that is read, `step` counts what is computed.
"""

from typing import Any

from numba import njit

from search_spaces.native.options import OPTIONS


@njit("i8(i8,i8,b1)", **OPTIONS)
def place_of(step: Any, steps: Any, backwards: Any) -> Any:
    """The time step that is read at this step."""
    return steps - 1 - step if backwards else step


@njit("void(f4[:,:,:],f4[:,:,::1],i8)", **OPTIONS)
def read(here: Any, x: Any, place: Any) -> None:
    """here[0] = x at this time step. What `here` has behind the features stays."""
    for row in range(x.shape[0]):
        for feature in range(x.shape[2]):
            here[0, row, feature] = x[row, place, feature]


@njit("void(f4[:,:,::1],i8,f4[:,::1])", **OPTIONS)
def write(x: Any, place: Any, values: Any) -> None:
    """x at this time step = values."""
    for row in range(x.shape[0]):
        for feature in range(x.shape[2]):
            x[row, place, feature] = values[row, feature]


@njit("void(f4[:,::1],f4[:,:,::1],i8)", **OPTIONS)
def add_at(values: Any, x: Any, place: Any) -> None:
    """Adds x at this time step to the values."""
    for row in range(x.shape[0]):
        for feature in range(x.shape[2]):
            values[row, feature] += x[row, place, feature]


@njit("void(b1[:,:],i8,f4[:,::1],f4[:,::1])", **OPTIONS)
def hold(real: Any, place: Any, old: Any, new: Any) -> None:
    """Where a row is padding its state stays: new = old. Without a mask `real` is empty."""
    for row in range(real.shape[0]):
        if not real[row, place]:
            for unit in range(new.shape[1]):
                new[row, unit] = old[row, unit]


@njit("void(b1[:,:],i8,f4[:,::1],f4[:,::1])", **OPTIONS)
def set_aside(real: Any, place: Any, gradient: Any, aside: Any) -> None:
    """Where a row is padding the step has no gradient: it is kept in `aside`, and 0 takes its place."""
    for row in range(real.shape[0]):
        if not real[row, place]:
            for unit in range(gradient.shape[1]):
                aside[row, unit] = gradient[row, unit]
                gradient[row, unit] = 0
