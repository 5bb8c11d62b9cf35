"""A tile of a matrix product whose sums stay in the registers of the processor.

A product of small matrices is fast only if a sum is not written to memory at each of its steps. LLVM does not find this
form by itself, so the tile is written in LLVM's own instructions. A tile has some rows and, in each row, some vectors.
A vector has as many numbers as a register holds. Each number is the sum over k in order, so it is the same in each run.
Goto & van de Geijn 2008, "Anatomy of high-performance matrix multiplication".
"""

import dataclasses
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import intrinsic

FLOAT, INT, BYTE = ir.FloatType(), ir.IntType(64), ir.IntType(8).as_pointer()
SIZE = 4  # bytes of a float
FUSED = ("contract",)  # a product and a sum may be one instruction; their order stays


@dataclasses.dataclass(frozen=True)
class Shape:
    """The numbers in a vector, and three shapes of tiles as (rows, vectors): wide, half and single."""

    lanes: int
    wide: tuple[int, int]
    half: tuple[int, int]
    single: tuple[int, int]


def target() -> tuple[str, str, str]:
    """What Numba compiles for: (the system, the processor, its features such as "+avx2,-avx512f")."""
    found: tuple[str, str, str] = cpu_target.target_context.codegen().magic_tuple()
    return found


def shape(features: str) -> Shape:
    """The tiles that fill the registers of a processor: 32 with AVX-512 and on ARM, 16 on others."""
    has = set(features.split(","))
    if "+avx512f" in has:
        return Shape(16, (6, 4), (12, 2), (8, 1))
    if "+avx" in has:
        return Shape(8, (4, 3), (6, 2), (8, 1))
    return Shape(4, (6, 4), (12, 2), (8, 1)) if "+neon" in has else Shape(4, (4, 3), (6, 2), (8, 1))


def make(rows: int, vectors: int, lanes: int) -> Any:
    """An intrinsic for a tile of so many rows and vectors; see `tile` inside."""

    @intrinsic
    def tile(typing: Any, c: Any, add: Any, a: Any, w: Any, b: Any, v: Any, i: Any, j: Any) -> Any:
        """c = sum over q of a[q] @ w[q] + b @ v, plus c itself if `add`, for the tile whose corner is (i, j).

        c is `(m, n)`, a `(q, m, k)`, w `(q, k, n)`, b `(m, l)`, v `(l, n)`. The rows of c, w and v are contiguous.
        """

        def code(context: Any, build: Any, signature: Any, arguments: Any) -> Any:
            view = [_view(context, build, kind, part) for kind, part in zip(signature.args, arguments, strict=True)]
            block = _Block(build, rows, vectors, lanes, arguments[6], build.mul(arguments[7], INT(SIZE)))
            c, a, w, b, v = (view[place] for place in (0, 2, 3, 4, 5))
            block.clear()
            with cgutils.for_range(build, a.shape[0]) as loop:
                block.accumulate(a.part(build, loop.index), w.part(build, loop.index))
            block.accumulate(b, v)
            # What c has is added last. A sum over all time steps is then rounded once a step, and not once a product:
            # the gradients of a GRU's weights over 100 steps had errors of 5e-6 of the largest, and have 5e-7.
            with build.if_then(arguments[1]):
                block.add(c)
            block.store(c)
            return context.get_dummy_value()

        return types.void(c, add, a, w, b, v, types.int64, types.int64), code

    return tile


@dataclasses.dataclass(frozen=True)
class _View:
    """An array inside LLVM: the address of its first number, its strides in bytes and its shape."""

    start: Any
    strides: list[Any]
    shape: list[Any]

    def part(self, build: Any, index: Any) -> "_View":
        """The part `index` of the first axis."""
        return _View(_at(build, self.start, build.mul(index, self.strides[0])), self.strides[1:], self.shape[1:])


def _view(context: Any, build: Any, kind: Any, value: Any) -> Any:
    if not isinstance(kind, types.Array):
        return None
    array = context.make_array(kind)(context, build, value)
    strides, sizes = (cgutils.unpack_tuple(build, part, kind.ndim) for part in (array.strides, array.shape))
    return _View(build.bitcast(array.data, BYTE), strides, sizes)


def _at(build: Any, start: Any, *offsets: Any) -> Any:
    for offset in offsets:
        start = build.gep(start, [offset])
    return start


class _Block:
    """The sums of one tile, and the instructions that change them."""

    def __init__(self, build: Any, rows: int, vectors: int, lanes: int, first: Any, column: Any) -> None:
        self.build, self.first, self.column = build, first, column
        self.vector, self.lanes = ir.VectorType(FLOAT, lanes), lanes
        self.rows, self.vectors = range(rows), range(vectors)
        # LLVM turns these places in memory into registers.
        self.sums = [[cgutils.alloca_once(build, self.vector) for _ in self.vectors] for _ in self.rows]

    def _row(self, view: _View, row: int) -> Any:
        place = self.build.add(self.first, INT(row))
        return _at(self.build, view.start, self.build.mul(place, view.strides[0]))

    def _places(self, row: Any) -> list[Any]:
        """The addresses of the tile's vectors in a row."""
        return [_at(self.build, row, self.column, INT(SIZE * self.lanes * number)) for number in self.vectors]

    def _read(self, place: Any, kind: Any) -> Any:
        return self.build.load(self.build.bitcast(place, kind.as_pointer()), align=SIZE)

    def clear(self) -> None:
        for row in self.sums:
            for place in row:
                self.build.store(ir.Constant(self.vector, [0.0] * self.lanes), place)

    def add(self, c: _View) -> None:
        for row in self.rows:
            for place, found in zip(self.sums[row], self._places(self._row(c, row)), strict=True):
                both = self.build.fadd(self._read(found, self.vector), self.build.load(place))
                self.build.store(both, place)

    def store(self, c: _View) -> None:
        for row in self.rows:
            for place, found in zip(self.sums[row], self._places(self._row(c, row)), strict=True):
                target = self.build.bitcast(found, self.vector.as_pointer())
                self.build.store(self.build.load(place), target, align=SIZE)

    def accumulate(self, a: _View, w: _View) -> None:
        """Adds a @ w: each row of w is multiplied with one number of each row of a."""
        build, heads = self.build, [self._row(a, row) for row in self.rows]
        with cgutils.for_range(build, a.shape[1]) as loop:
            row_of_w = _at(build, w.start, build.mul(loop.index, w.strides[0]))
            vectors = [self._read(place, self.vector) for place in self._places(row_of_w)]
            for head, sums in zip(heads, self.sums, strict=True):
                number = self._read(_at(build, head, build.mul(loop.index, a.strides[1])), FLOAT)
                number = repeated(build, number, self.lanes)
                for place, vector in zip(sums, vectors, strict=True):
                    product = build.fmul(number, vector, flags=FUSED)
                    build.store(build.fadd(product, build.load(place), flags=FUSED), place)


def repeated(build: Any, number: Any, lanes: int) -> Any:
    """A vector that has the number in each place."""
    index = ir.IntType(32)
    one = build.insert_element(ir.Constant(ir.VectorType(FLOAT, lanes), ir.Undefined), number, index(0))
    return build.shuffle_vector(one, one, ir.Constant(ir.VectorType(index, lanes), [0] * lanes))
