"""Parity: the sum of all symbols, modulo n.

    x  1 0 1 0 1 0 0     y  1          x  0 1 1 1 1     y  0

Symbols are drawn uniformly from 0 to n - 1, lengths from 1 to `length`. Every single symbol changes the answer, so it
is the task for counting. With `longer` all sequences are longer than those of training, which shows generalisation to
new lengths. Scored by accuracy. No memory, a constant answer: 1/n; half of the memory, the last `length` / 2 symbols: 1
for sequences of at most that length, 1/n for the others.

Solved: 0.99 or more at the lengths of training. That it is a counter, and no table, shows at 10 times the length, where
Deletang et al. ask for the same.
Published: Deletang et al. 2023, arXiv:2207.02098, RNN and LSTM 100, best of 10 seeds on lengths 41-500 (width 256, Adam
1e-3, batch 128, clipping at 1, trained on lengths 1-40, about 1,000,000 steps).
Source: Deletang et al. 2023.
"""

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from experiments.tasks.base import Arrays, Task, option
from tracking.errors import BadInput


@dataclass(frozen=True, kw_only=True)
class Parity(Task):
    """x int32 `(count, length)`: symbol + 1, padded with 0; y int32 `(count,)` from 0 below n."""

    metric: ClassVar[str] = "accuracy"
    direction: ClassVar[str] = "max"
    knob: ClassVar[str] = "length"
    loss: ClassVar[str] = "categorical"
    one_hot: ClassVar[bool] = True
    lengthens: ClassVar[bool] = True
    default_trials: ClassVar[int] = 12
    default_epochs: ClassVar[int] = 20

    length: int = option(20, "symbols of the longest sequence: 10 is easy, 40 hard", 1)
    shortest: int = option(1, "symbols of the shortest sequence", 1)
    n: int = option(2, "the modulus and the number of symbols", 2)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.shortest > self.length:
            raise BadInput(f"shortest: expected at most length={self.length}, got {self.shortest}")

    @property
    def tokens(self) -> int:
        return self.n + 1

    @property
    def outputs(self) -> int:
        return self.n

    @property
    def padding(self) -> int:
        return 0

    def longer(self, factor: int) -> "Parity":
        """Lengths from `length` + 1 to `factor` times `length`."""
        return dataclasses.replace(self, length=factor * self.length, shortest=self.length + 1)

    def sample(self, rng: np.random.Generator, count: int) -> Arrays:
        lengths = rng.integers(self.shortest, self.length + 1, count)
        values = rng.integers(0, self.n, (count, self.length), np.int32)
        real = np.arange(self.length) < lengths[:, None]
        return np.where(real, values + 1, 0), (values * real).sum(axis=1, dtype=np.int32) % np.int32(self.n)

    @property
    def solved(self) -> float:
        return 0.99

    def floors(self, split: str = "val") -> dict[str, float]:
        short = max(0, self.length // 2 - self.shortest + 1) / (self.length - self.shortest + 1)
        return {"no_memory": 1 / self.n, "half_memory": short + (1 - short) / self.n}

    def token_names(self) -> list[str]:
        return ["_", *map(str, range(self.n))]
