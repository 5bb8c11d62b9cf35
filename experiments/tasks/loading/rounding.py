"""What numbers lose when they become floats of 32 bits, with which models are trained.

Worked example. Times in seconds since 1970 are about 1.7e9. Floats of 32 bits have steps of 128 there. A minute of such
times becomes one number, and no model can learn from it.
"""

import numpy as np

SHARE = 0.01  # of the standard deviation of some numbers, by which rounding may change them
NOISE = 1e-12  # numbers that differ by a smaller share of themselves are equal, apart from errors of 64 bits
EXACT = 2**24  # whole numbers up to this one are exact in 32 bits


def loss(array: np.ndarray, name: str) -> str:
    """A line about numbers of which 32 bits lose too much; "" if they keep all that matters.

    Args:
        array: of numbers. The last axis of features `(n, time, features)` or of values `(n, values)` is looked at one
            by one.
        name: of the array.
    """
    if array.dtype.itemsize <= 4:
        return ""
    columns = array.reshape(-1, array.shape[-1]) if array.ndim > 1 else array[:, None]
    for place in range(columns.shape[1]):
        column = columns[:, place].astype(np.float64)
        column = column[~np.isnan(column)]  # of y where none is asked
        spread, step = float(column.std()), float(np.abs(column - column.astype(np.float32)).max())
        if spread > NOISE * float(np.abs(column).max()) and step > SHARE * spread:
            which = f"{name}[..., {place}]" if array.ndim > 1 else name
            got = f"{which} from {column.min():.9g} to {column.max():.9g}, which they change by up to {step:.3g}"
            expected = f"{name}: expected numbers that floats of 32 bits tell apart"
            return f"{expected}, got {got}; save it without its mean, or in other units"
    return ""


def short(array: np.ndarray) -> np.ndarray:
    """The array in 32 bits. Whole numbers that would not be exact, for example labels, stay in 64 bits."""
    exact = array.itemsize <= 4 or not array.size or np.abs(array).max() <= EXACT or (array != np.round(array)).any()
    return array.astype(np.float32) if exact else array
