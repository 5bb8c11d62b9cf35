"""Delayed recall: name the symbol that was shown at the first step, after a long silence.

    x (lag=4)   5 . . . ?       y 5

Step 0 shows one of 8 symbols, a query stands at step `lag`, and all steps between are blank: the task asks only for
storage. Scored by accuracy. No memory: 1/8; half of the memory, which knows the half of the alphabet that has the
symbol: 2/8.

Solved: accuracy of 0.99 or more.
Published: bsuite's memory_len asks the same of one bit, N = 1 to 100 steps, and counts N as learnt when the regret is
below 0.75 of chance. POPGym's RepeatFirst asks it of four suits.
Source: Osband et al. 2019, arXiv:1908.03568; Morad et al. 2023, arXiv:2303.01859.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from experiments.tasks.base import Arrays, Task, option


@dataclass(frozen=True, kw_only=True)
class DelayedRecall(Task):
    """x int32 `(count, lag + 1)`: 0 blank, 1 to `alphabet` symbols, then the query; y int32 `(count,)` from 0."""

    metric: ClassVar[str] = "accuracy"
    direction: ClassVar[str] = "max"
    knob: ClassVar[str] = "lag"
    loss: ClassVar[str] = "categorical"
    one_hot: ClassVar[bool] = True
    lengthens: ClassVar[bool] = True
    default_trials: ClassVar[int] = 12
    default_epochs: ClassVar[int] = 10

    lag: int = option(50, "steps from the symbol to the query: 10 is easy, 400 hard", 1)
    alphabet: int = option(8, "symbols", 2)

    @property
    def tokens(self) -> int:
        return self.alphabet + 2

    @property
    def outputs(self) -> int:
        return self.alphabet

    @property
    def steps(self) -> int:
        return self.lag + 1

    def sample(self, rng: np.random.Generator, count: int) -> Arrays:
        y = rng.integers(0, self.alphabet, count, np.int32)
        x = np.zeros((count, self.steps), np.int32)
        x[:, 0], x[:, -1] = y + 1, self.alphabet + 1
        return x, y

    @property
    def solved(self) -> float:
        return 0.99

    def floors(self, split: str = "val") -> dict[str, float]:
        """Half of the memory knows in which half of the alphabet the symbol lies, and guesses among that half."""
        return {"no_memory": 1 / self.alphabet, "half_memory": 2 / self.alphabet}

    def token_names(self) -> list[str]:
        return [".", *map(str, range(self.alphabet)), "?"]
