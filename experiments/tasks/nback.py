"""N-back: at every step name the symbol of `lag` steps ago.

    x (lag=2)   3 1 0 2       y . . 3 1

Symbols are drawn uniformly and independently. A step is scored and trained on if it has an answer. Scored by accuracy.
Searches at several lags give the cheapest curve of skill against lag. No memory: 1/8 (a loss of ln 8); half of the
memory, which holds every other one of the last symbols: 1/2 + 1/16.

Solved: accuracy of 0.99 or more.
Published: none per cell that names its optimiser and budget; POPGym's RepeatPrevious (lag 4, 32, 64) deals cards
without replacement, which tells the player more.
Source: the task copying_lag in the code of S4, Gu et al. 2022, arXiv:2111.00396.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from experiments.tasks.base import NOT_SCORED, Arrays, Task, chance_floors, option


@dataclass(frozen=True, kw_only=True)
class NBack(Task):
    """x int32 `(count, length)` from 0 below `alphabet`; y int32 `(count, length)`, -1 for the first `lag` steps."""

    metric: ClassVar[str] = "accuracy"
    direction: ClassVar[str] = "max"
    knob: ClassVar[str] = "lag"
    loss: ClassVar[str] = "categorical"
    per_step: ClassVar[bool] = True
    one_hot: ClassVar[bool] = True
    lengthens: ClassVar[bool] = True
    default_trials: ClassVar[int] = 12
    default_epochs: ClassVar[int] = 10

    lag: int = option(4, "steps back to the answer: 1 is easy, 64 hard", 1)
    scored: int = option(40, "steps of a sequence that have an answer", 1)
    alphabet: int = option(8, "symbols", 2)

    @property
    def tokens(self) -> int:
        return self.alphabet

    @property
    def outputs(self) -> int:
        return self.alphabet

    @property
    def steps(self) -> int:
        return self.lag + self.scored

    def sample(self, rng: np.random.Generator, count: int) -> Arrays:
        x = rng.integers(0, self.alphabet, (count, self.steps), np.int32)
        y = np.full_like(x, NOT_SCORED)
        y[:, self.lag :] = x[:, : -self.lag]
        return x, y

    @property
    def solved(self) -> float:
        return 0.99

    def floors(self, split: str = "val") -> dict[str, float]:
        return chance_floors(self.alphabet)
