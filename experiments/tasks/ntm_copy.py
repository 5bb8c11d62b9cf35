"""Copy of bits: write down a sequence of random vectors, however long it was.

L vectors of random bits come, L uniform from `shortest` to `length`. A delimiter follows on a channel of its own, and
then the vectors are asked for, one at a step, while x is zero. Nothing but them is scored. With 2 bits and length 3:

    x  1 0 . | . . .     y  - - - 1 0 -
       0 1 .                - - - 0 1 -

At `longer` all sequences have the whole length, for example 40 and 120 vectors after training with up to 20. Scored by
bits per sequence. No memory: every bit costs 1; half of the memory: half of the bits.

Solved: less than 0.1 bits a sequence. A machine that has learnt to copy has less than one wrong bit at 120 vectors.
Published, as curves: Graves et al. 2014, 8 bits, lengths 1 to 20, RMSprop with momentum 0.9, gradients within 10: the
Neural Turing machine is at 0 after about 100,000 sequences, and copies 120 vectors with few mistakes; an LSTM of 3
layers of 256 (learning rate 3e-5) is not at 0 after 1,000,000, and fails beyond 20.
Source: Graves, Wayne & Danihelka 2014, arXiv:1410.5401, section 4.1.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from experiments.tasks.base import Arrays, option
from experiments.tasks.loading.bits import BitTask, mean


@dataclass(frozen=True, kw_only=True)
class NtmCopy(BitTask):
    """x float32 `(count, 2 length + 1, bits + 1)`, y float32 `(count, 2 length + 1, bits)` of 0, 1 and -1."""

    knob: ClassVar[str] = "length"
    least: ClassVar[str] = "shortest"
    lengthens: ClassVar[bool] = True
    default_trials: ClassVar[int] = 12
    default_epochs: ClassVar[int] = 20

    length: int = option(20, "vectors of the longest sequence: 5 is easy, 50 hard", 1)
    shortest: int = option(1, "vectors of the shortest sequence", 1)
    bits: int = option(8, "bits of a vector", 1)

    @property
    def features(self) -> int:
        return self.bits + 1

    @property
    def outputs(self) -> int:
        return self.bits

    @property
    def steps(self) -> int:
        return 2 * self.length + 1

    def sample(self, rng: np.random.Generator, count: int) -> Arrays:
        x, y = self.blank(count)
        lengths = rng.integers(self.shortest, self.length + 1, count)
        vectors = rng.integers(0, 2, (count, self.length, self.bits))
        rows, places = np.nonzero(np.arange(self.length) < lengths[:, None])
        x[rows, places, : self.bits] = y[rows, lengths[rows] + 1 + places] = vectors[rows, places]
        x[np.arange(count), lengths, self.bits] = 1
        return x, y

    @property
    def solved(self) -> float:
        return 0.1

    def floors(self, split: str = "val") -> dict[str, float]:
        whole = self.bits * mean(self.shortest, self.length)
        return {"no_memory": whole, "half_memory": whole / 2}
