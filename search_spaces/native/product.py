"""Matrix products of any size, from tiles. Each number is added up in the same order in each run."""

from typing import Any

from numba import njit

from search_spaces.native import tile
from search_spaces.native.options import OPTIONS

SHAPE = tile.shape(tile.target()[2])


def make_band(rows: int, vectors: int, lanes: int) -> Any:
    """A function that computes one band of columns, as wide as so many vectors, from its first row to its last."""
    big, four, one = (tile.make(count, vectors, lanes) for count in (rows, 4, 1))

    @njit(**OPTIONS)
    def band(c: Any, add: Any, a: Any, w: Any, b: Any, v: Any, j: Any) -> None:
        i, left = 0, c.shape[0]
        while left > 0:
            # A tile of four rows also fills the registers, and one row alone waits for its own sums. So the rows are
            # divided such that no single rows are left, where that is possible.
            if left >= rows and not 0 < left - rows < 4:
                big(c, add, a, w, b, v, i, j)
                i += rows
            elif left >= 4:
                four(c, add, a, w, b, v, i, j)
                i += 4
            else:
                one(c, add, a, w, b, v, i, j)
                i += 1
            left = c.shape[0] - i

    return band


LANES, WIDE, HALF = SHAPE.lanes, SHAPE.wide[1] * SHAPE.lanes, SHAPE.half[1] * SHAPE.lanes
_wide, _half, _single = (make_band(*shape, LANES) for shape in (SHAPE.wide, SHAPE.half, SHAPE.single))
_scalar = make_band(4, 1, 1)


@njit("void(f4[:,:],b1,f4[:,:,:],f4[:,:,:],f4[:,:],f4[:,:])", **OPTIONS)
def product(c: Any, add: Any, a: Any, w: Any, b: Any, v: Any) -> None:
    """c = sum over q of a[q] @ w[q] + b @ v, plus c itself if `add`. a and b may be transposed."""
    j, columns = 0, c.shape[1]
    while j < columns:
        left = columns - j
        if left >= WIDE and left - WIDE != LANES:
            _wide(c, add, a, w, b, v, j)
            j += WIDE
        elif left >= HALF:
            _half(c, add, a, w, b, v, j)
            j += HALF
        elif left >= LANES:
            _single(c, add, a, w, b, v, j)
            j += LANES
        else:
            _scalar(c, add, a, w, b, v, j)
            j += 1
