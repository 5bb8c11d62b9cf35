"""The weights of each gate as the kernels read them, from the weights as Keras has them, and the gradients back.

Keras has the gates beside each other: kernel `(features, gates * width)`, recurrent kernel `(width, gates * width)`,
biases `(1 or 2, gates * width)`. The kernels have matrices: w `(gates, rows, width)` for the inputs, with the bias in
row `features`, and u `(gates, width, width)` for the states.

`of_inputs` and `of_states` say to which of Keras' gates a gate belongs. -1 says that it has no such weights.
"""

from typing import Any

from numba import njit

from search_spaces.native.options import OPTIONS

KERAS, PLACES, MATRICES = "f4[:,::1],f4[:,::1],f4[:,::1]", "i8[::1],i8[::1]", "f4[:,:,::1],f4[:,:,::1]"


@njit(f"void({KERAS},{PLACES},{MATRICES})", **OPTIONS)
def by_gates(kernel: Any, recurrent: Any, biases: Any, of_inputs: Any, of_states: Any, w: Any, u: Any) -> None:
    """Fills w and u, which are 0 before."""
    features, width = len(kernel), len(recurrent)
    for gate in range(len(w)):
        if of_inputs[gate] >= 0:
            begin = of_inputs[gate] * width
            for unit in range(width):
                for row in range(features):
                    w[gate, row, unit] = kernel[row, begin + unit]
                w[gate, features, unit] = biases[0, begin + unit]
        if of_states[gate] >= 0:
            begin = of_states[gate] * width
            for row in range(width):
                for unit in range(width):
                    u[gate, row, unit] = recurrent[row, begin + unit]
            if len(biases) == 2:
                for unit in range(width):
                    w[gate, features, unit] += biases[1, begin + unit]


@njit(f"void(f4[:,::1],f4[:,::1],{PLACES},{MATRICES})", **OPTIONS)
def turned(kernel: Any, recurrent: Any, of_inputs: Any, of_states: Any, wt: Any, ut: Any) -> None:
    """Fills the transposed matrices of each gate without the biases, `(gates, width, features or width)`.

    They are 0 before.
    """
    width = len(recurrent)
    for gate in range(len(wt)):
        if of_inputs[gate] >= 0:
            begin = of_inputs[gate] * width
            for row in range(len(kernel)):
                for unit in range(width):
                    wt[gate, unit, row] = kernel[row, begin + unit]
        if of_states[gate] >= 0:
            begin = of_states[gate] * width
            for row in range(width):
                for unit in range(width):
                    ut[gate, unit, row] = recurrent[row, begin + unit]


@njit(f"void({MATRICES},{PLACES},{KERAS})", **OPTIONS)
def as_keras(dw: Any, du: Any, of_inputs: Any, of_states: Any, kernel: Any, recurrent: Any, biases: Any) -> None:
    """Fills the gradients of the weights as Keras has them."""
    features, width = len(kernel), len(recurrent)
    for gate in range(len(dw)):
        if of_inputs[gate] >= 0:
            begin = of_inputs[gate] * width
            for unit in range(width):
                for row in range(features):
                    kernel[row, begin + unit] = dw[gate, row, unit]
                biases[0, begin + unit] = dw[gate, features, unit]
        if of_states[gate] >= 0:
            begin = of_states[gate] * width
            for row in range(width):
                for unit in range(width):
                    recurrent[row, begin + unit] = du[gate, row, unit]
            if len(biases) == 2:
                for unit in range(width):
                    biases[1, begin + unit] = dw[gate, features, unit]
