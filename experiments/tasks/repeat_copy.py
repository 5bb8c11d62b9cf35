"""Repeat copy: write down a sequence of random vectors a given number of times, then an end marker.

L vectors of random bits come, L uniform from `shortest` to `length`. At the next step a delimiter stands on a channel
of its own, and on another one the number of repeats R, uniform from 1 to `repeats`, normalised to mean 0 and variance
1. Then the vectors are asked for R times, and after them a 1 on one more output. With 2 bits and R = 2:

    x  1 0 . . . . . .     y  - - - 1 0 1 0 0
       0 1 . . . . . .        - - - 0 1 0 1 0
       . . 1 . . . . .        - - - 0 0 0 0 1
       . . R . . . . .

At `longer` all sequences have the whole length. Scored by bits per sequence. No memory: the best constant answer; a
model that counts, and so knows when the end comes, pays 1 for every bit; one that also knows one vector of a sequence
pays for the others; half of the memory: half of the bits.

Solved: less than 0.1 bits a sequence.
Published, as curves: Graves et al. 2014, 8 bits, up to 10 vectors and 10 repeats: the Neural Turing machine learns it
much faster than an LSTM of 3 layers of 512 (learning rate 3e-5); both reach 0. At 20 vectors or 20 repeats the LSTM
fails, and the machine goes on copying, but does not see the end.
Source: Graves, Wayne & Danihelka 2014, arXiv:1410.5401, section 4.2.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from experiments.tasks.base import Arrays, option
from experiments.tasks.loading.bits import BitTask, entropy, mean


@dataclass(frozen=True, kw_only=True)
class RepeatCopy(BitTask):
    """x float32 `(count, steps, bits + 2)`, y float32 `(count, steps, bits + 1)`; steps = length (1 + repeats) + 2."""

    knob: ClassVar[str] = "length"
    least: ClassVar[str] = "shortest"
    lengthens: ClassVar[bool] = True
    default_trials: ClassVar[int] = 12
    default_epochs: ClassVar[int] = 10

    length: int = option(10, "vectors of the longest sequence: 3 is easy, 20 hard", 1)
    shortest: int = option(1, "vectors of the shortest sequence", 1)
    repeats: int = option(10, "the most repeats", 1)
    bits: int = option(8, "bits of a vector", 1)

    @property
    def features(self) -> int:
        return self.bits + 2

    @property
    def outputs(self) -> int:
        return self.bits + 1

    @property
    def steps(self) -> int:
        return self.length * (1 + self.repeats) + 2

    def sample(self, rng: np.random.Generator, count: int) -> Arrays:
        (x, y), every = self.blank(count), np.arange(count)
        lengths = rng.integers(self.shortest, self.length + 1, count)
        repeats = rng.integers(1, self.repeats + 1, count)
        vectors = rng.integers(0, 2, (count, self.length, self.bits))
        rows, places = np.nonzero(np.arange(self.length) < lengths[:, None])
        x[rows, places, : self.bits] = vectors[rows, places]
        deviation = np.sqrt((self.repeats**2 - 1) / 12) or 1
        x[every, lengths, self.bits], x[every, lengths, -1] = 1, (repeats - mean(1, self.repeats)) / deviation
        rows, places = np.nonzero(np.arange(self.steps) < (lengths * repeats)[:, None])
        y[rows, lengths[rows] + 1 + places] = 0
        y[rows, lengths[rows] + 1 + places, : self.bits] = vectors[rows, places % lengths[rows]]
        y[every, lengths * (1 + repeats) + 1] = np.arange(self.outputs) == self.bits
        return x, y

    @property
    def solved(self) -> float:
        return 0.1

    def floors(self, split: str = "val") -> dict[str, float]:
        repeats = mean(1, self.repeats)
        written = mean(self.shortest, self.length) * repeats  # vectors
        constant = self.bits * entropy(written / 2 / (written + 1)) + entropy(1 / (written + 1))
        return {
            "no_memory": (written + 1) * constant,
            "counting": self.bits * written,
            "one_vector": self.bits * (written - repeats),
            "half_memory": self.bits * written / 2,
        }
