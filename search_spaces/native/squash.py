"""tanh and the logistic function, in single precision, as quotients of polynomials.

The polynomials are those of Eigen's `ptanh_float`, which TensorFlow uses: the largest error is a few units in the last
place. NaN gives NaN.
"""

from typing import Any

import numpy as np
from numba import njit

from search_spaces.native.options import FAST

f4 = np.float32
LARGEST = f4(7.90531110763549805)  # from here on tanh is 1 in single precision


@njit(fastmath=FAST, inline="always")
def tanh(x: Any) -> Any:
    x = LARGEST if x > LARGEST else x
    x = -LARGEST if x < -LARGEST else x
    y = x * x
    p = f4(-2.76076847742355e-16)
    p = p * y + f4(2.00018790482477e-13)
    p = p * y + f4(-8.60467152213735e-11)
    p = p * y + f4(5.12229709037114e-08)
    p = p * y + f4(1.48572235717979e-05)
    p = p * y + f4(6.37261928875436e-04)
    p = p * y + f4(4.89352455891786e-03)
    q = f4(1.19825839466702e-06)
    q = q * y + f4(1.18534705686654e-04)
    q = q * y + f4(2.26843463243900e-03)
    q = q * y + f4(4.89352518554385e-03)
    return x * p / q


@njit(fastmath=FAST, inline="always")
def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x))."""
    return tanh(x * f4(0.5)) * f4(0.5) + f4(0.5)
