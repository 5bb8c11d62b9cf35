"""Selective copy: repeat the symbols that were scattered among noise, in order.

    x  . 4 . . 2 ? ?     y  4 2     (length=3, symbols=2, alphabet=4)

`symbols` data tokens stand at random places among `length` noise tokens. Markers follow, and the answers are given on
the markers: only these steps are scored and trained on. The places of the data tell nothing about what comes next, so a
model has to store the data and to ignore the noise. Scored by accuracy. No memory: 1/8; half of the symbols: 1/2 +
1/16.

Solved: 0.99 or more.
Published: Mamba (length 4096, 16 symbols) reports only selective models; there is no row for SimpleRNN, LSTM or GRU.
Source: Gu & Dao 2023, arXiv:2312.00752, by the code of S4; Jing et al. 2019, arXiv:1706.02761 (denoising).
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from experiments.tasks.base import NOT_SCORED, Arrays, Task, chance_floors, option


@dataclass(frozen=True, kw_only=True)
class SelectiveCopy(Task):
    """x int32 `(count, steps)`: 0 noise, data from 1, then markers; y int32 `(count, steps)`, -1 before the markers."""

    metric: ClassVar[str] = "accuracy"
    direction: ClassVar[str] = "max"
    knob: ClassVar[str] = "length"
    loss: ClassVar[str] = "categorical"
    per_step: ClassVar[bool] = True
    one_hot: ClassVar[bool] = True
    lengthens: ClassVar[bool] = True
    default_trials: ClassVar[int] = 12
    default_epochs: ClassVar[int] = 15

    length: int = option(64, "noise tokens: 16 is easy, 512 hard", 0)
    symbols: int = option(4, "data tokens", 1)
    alphabet: int = option(8, "different data tokens", 2)

    @property
    def tokens(self) -> int:
        return self.alphabet + 2

    @property
    def outputs(self) -> int:
        return self.alphabet + 1

    @property
    def steps(self) -> int:
        return self.length + 2 * self.symbols

    def sample(self, rng: np.random.Generator, count: int) -> Arrays:
        data = rng.integers(1, self.alphabet + 1, (count, self.symbols), np.int32)
        x = np.zeros((count, self.steps), np.int32)
        x[np.arange(count)[:, None], self._places(rng, count)] = data
        x[:, -self.symbols :] = self.alphabet + 1
        y = np.full_like(x, NOT_SCORED)
        y[:, -self.symbols :] = data
        return x, y

    def _places(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """`symbols` different places, sorted `(count, symbols)`; all sets of places are equally likely.

        Floyd's algorithm: place j is drawn from the first `length` + j + 1 places. If it is taken, the last of them is
        used instead.
        """
        places = np.empty((count, self.symbols), np.int64)
        for j in range(self.symbols):
            drawn = rng.integers(0, self.length + j + 1, count)
            taken = (places[:, :j] == drawn[:, None]).any(axis=1)
            places[:, j] = np.where(taken, self.length + j, drawn)
        return np.sort(places, axis=1)

    @property
    def solved(self) -> float:
        return 0.99

    def floors(self, split: str = "val") -> dict[str, float]:
        return chance_floors(self.alphabet)

    def token_names(self) -> list[str]:
        return [".", *map(str, range(1, self.alphabet + 1)), "?"]
