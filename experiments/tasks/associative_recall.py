"""Associative recall: given one item of a list, name the item that followed it.

An item is a few vectors of random bits. A list of n items comes, n uniform from `fewest` to `items`, no two of them
equal. Before each item stands a delimiter, on a channel of its own. Then a query comes between two delimiters on
another channel: any item but the last one. The item that followed it is asked for while x is zero. With two items of
two vectors of one bit, 01 and 11, and the query 01:

    x  . 0 1 . 1 1 . 0 1 . . .     y  - - - - - - - - - - 1 1
       1 . . 1 . . . . . . . .
       . . . . . . 1 . . 1 . .

At `longer` all lists have the whole length, for example 12 items. Scored by bits per sequence. No memory: every bit
costs 1; with all items known and not their order a bit is answered by the share of the other items that have it; half
of the memory: half of the bits.

Solved: less than 0.1 bits a sequence.
Published, as curves: Graves et al. 2014, items of 3 vectors of 6 bits, 2 to 6 items: the Neural Turing machine with a
feed-forward controller is near 0 after 30,000 sequences, with an LSTM controller later; an LSTM of 3 layers of 256
(learning rate 3e-5) is not at 0 after 1,000,000. At 12 items the former is nearly perfect.
Source: Graves, Wayne & Danihelka 2014, arXiv:1410.5401, section 4.3.
"""

from dataclasses import dataclass
from statistics import fmean
from typing import ClassVar

import numpy as np

from experiments.tasks.base import Arrays, option
from experiments.tasks.loading.bits import BitTask, of_unknown_order
from tracking.errors import BadInput


@dataclass(frozen=True, kw_only=True)
class AssociativeRecall(BitTask):
    """x float32 `(count, steps, bits + 2)`, y float32 `(count, steps, bits)`; steps = items (v + 1) + 2 v + 2."""

    knob: ClassVar[str] = "items"
    least: ClassVar[str] = "fewest"
    lengthens: ClassVar[bool] = True
    default_trials: ClassVar[int] = 12
    default_epochs: ClassVar[int] = 20

    items: int = option(6, "items of the longest list: 3 is easy, 12 hard", 2)
    fewest: int = option(2, "items of the shortest list", 2)
    vectors: int = option(3, "vectors of an item", 1)
    bits: int = option(6, "bits of a vector", 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.items**2 <= 2 ** (self.vectors * self.bits) <= 2**60:  # so that items which differ are soon drawn
            got = f"{self.vectors * self.bits} bits for {self.items} items"
            raise BadInput(f"bits: expected items of at most 60 bits, 2^bits from items^2 on, got {got}")

    @property
    def features(self) -> int:
        return self.bits + 2

    @property
    def outputs(self) -> int:
        return self.bits

    @property
    def steps(self) -> int:
        return self.items * (self.vectors + 1) + 2 * self.vectors + 2

    def sample(self, rng: np.random.Generator, count: int) -> Arrays:
        (x, y), rows, places = self.blank(count), np.arange(count)[:, None], np.arange(self.vectors)
        lengths = rng.integers(self.fewest, self.items + 1, count)
        asked = rng.integers(0, lengths - 1)
        items = self._items(rng, count)
        for item in range(self.items):
            real, at = item < lengths, item * (self.vectors + 1)
            x[real, at, self.bits] = 1
            x[real, at + 1 : at + 1 + self.vectors, : self.bits] = items[real, item]
        query = lengths[:, None] * (self.vectors + 1)
        x[rows, query + [0, self.vectors + 1], self.bits + 1] = 1
        x[rows, query + 1 + places, : self.bits] = items[rows[:, 0], asked]
        y[rows, query + self.vectors + 2 + places] = items[rows[:, 0], asked + 1]
        return x, y

    def _items(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Items `(count, items, vectors, bits)`; those of a list differ."""
        size = self.vectors * self.bits
        found = rng.integers(0, 2**size, (count, self.items))
        while (again := (np.diff(np.sort(found, axis=1)) == 0).any(axis=1)).any():
            found[again] = rng.integers(0, 2**size, (again.sum(), self.items))
        return (found[..., None] >> np.arange(size) & 1).reshape(count, self.items, self.vectors, self.bits)

    @property
    def solved(self) -> float:
        return 0.1

    def floors(self, split: str = "val") -> dict[str, float]:
        whole = float(self.vectors * self.bits)
        unordered = fmean(of_unknown_order(length - 1) for length in range(self.fewest, self.items + 1))
        return {"no_memory": whole, "without_order": whole * unordered, "half_memory": whole / 2}
