"""Priority sort: write down the vectors of the highest priorities, in order.

`vectors` random vectors come, each with a priority on a channel of its own, uniform from -1 to 1. Then x is zero, and
the `highest` vectors are asked for, that of the highest priority first. With 3 vectors of 2 bits, the 2 highest:

    x   1   0   1   .   .     y   -   -   -   0   1
        1   1   0   .   .         -   -   -   1   1
       .2  .7 -.4   .   .

Scored by bits per sequence. No memory: every bit costs 1; with all vectors known and not their order a bit is answered
by the share of the vectors that have it; half of the memory: half of the bits.

Solved: less than 5 bits a sequence.
Published, as curves: Graves et al. 2014, 20 vectors of 8 bits, the 16 highest: the Neural Turing machine with 8 heads
does much better than an LSTM of 3 layers of 128 (learning rate 3e-5), which stays far from 0.
Source: Graves, Wayne & Danihelka 2014, arXiv:1410.5401, section 4.5.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from experiments.tasks.base import Arrays, option
from experiments.tasks.loading.bits import BitTask, of_unknown_order


@dataclass(frozen=True, kw_only=True)
class PrioritySort(BitTask):
    """x float32 `(count, vectors + highest, bits + 1)`, y float32 `(count, vectors + highest, bits)`."""

    knob: ClassVar[str] = "vectors"
    least: ClassVar[str] = "highest"
    default_trials: ClassVar[int] = 12
    default_epochs: ClassVar[int] = 20

    vectors: int = option(20, "vectors to sort: 6 (with highest=4) is easy, 40 hard", 1)
    highest: int = option(16, "vectors that are asked for", 1)
    bits: int = option(8, "bits of a vector", 1)

    @property
    def features(self) -> int:
        return self.bits + 1

    @property
    def outputs(self) -> int:
        return self.bits

    @property
    def steps(self) -> int:
        return self.vectors + self.highest

    def sample(self, rng: np.random.Generator, count: int) -> Arrays:
        x, y = self.blank(count)
        vectors = rng.integers(0, 2, (count, self.vectors, self.bits))
        priorities = rng.uniform(-1, 1, (count, self.vectors)).astype(np.float32)
        x[:, : self.vectors, : self.bits], x[:, : self.vectors, self.bits] = vectors, priorities
        order = np.argsort(-priorities, axis=1, kind="stable")[:, : self.highest]
        y[:, self.vectors :] = np.take_along_axis(vectors, order[..., None], axis=1)
        return x, y

    @property
    def solved(self) -> float:
        return 5.0

    def floors(self, split: str = "val") -> dict[str, float]:
        whole = float(self.highest * self.bits)
        return {
            "no_memory": whole,
            "without_order": whole * of_unknown_order(self.vectors),
            "half_memory": whole / 2,
        }
