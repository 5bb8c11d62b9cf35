"""Multi-query associative recall: pairs of key and value, then keys; name the value of each.

    x  2 8 4 7 . . 4 . . . . . 2 . .     y  7 at the second 4, 8 at the second 2     (vocabulary=12, pairs=2)

Keys are different numbers below vocabulary / 2; values are different numbers from vocabulary / 2 on. After the pairs
each key is asked once, at an even distance that follows a power law (most soon, some late). The answer is due, scored
and trained on at the step that shows the key. All other steps are blank. Scored by accuracy. No memory: 2 / vocabulary;
a model that knows the values, without their keys: 1 / pairs.

Solved: 0.99 or more.
Published: Arora et al. 2023, arXiv:2312.04927, curves for convolutions, attention and state-space models; no row for
SimpleRNN, LSTM or GRU. Their settings (length, pairs) at vocabulary 8192: (64, 4), (128, 8), (256, 16), (512, 64).
Source: Arora et al. 2023, and its code.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from experiments.tasks.base import NOT_SCORED, Arrays, Task, option
from tracking.errors import BadInput

POWER = 0.01  # P(slot i) is proportional to i ** (POWER - 1), i = 1, 2, ...


@dataclass(frozen=True, kw_only=True)
class MQAR(Task):
    """x int32 `(count, length)`: 0 blank, keys, values; y int32 `(count, length)`, -1 where no key is asked."""

    metric: ClassVar[str] = "accuracy"
    direction: ClassVar[str] = "max"
    knob: ClassVar[str] = "pairs"
    loss: ClassVar[str] = "categorical"
    per_step: ClassVar[bool] = True
    default_trials: ClassVar[int] = 12
    default_epochs: ClassVar[int] = 15

    pairs: int = option(4, "pairs of key and value: 2 is easy, 16 hard", 1)
    vocabulary: int = option(64, "tokens: the blank and the keys in the lower half, the values in the upper half", 4)
    length: int = option(64, "steps of a sequence, at least 4 for each pair", 4)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.length < 4 * self.pairs:
            raise BadInput(f"length: expected at least 4 * pairs = {4 * self.pairs}, got {self.length}")
        if self.vocabulary % 2 or self.vocabulary // 2 - 1 < self.pairs:
            least = 2 * self.pairs + 2
            raise BadInput(f"vocabulary: expected an even number from {least}, got {self.vocabulary}")

    @property
    def tokens(self) -> int:
        return self.vocabulary

    @property
    def outputs(self) -> int:
        return self.vocabulary

    @property
    def steps(self) -> int:
        return self.length

    def sample(self, rng: np.random.Generator, count: int) -> Arrays:
        half, end = self.vocabulary // 2, 2 * self.pairs
        keys = 1 + _different(rng, np.zeros(half - 1), count, self.pairs)
        values = half + _different(rng, np.zeros(half), count, self.pairs)
        slots = (POWER - 1) * np.log(np.arange(1, (self.length - end) // 2 + 1))
        asked = end + 2 * _different(rng, slots, count, self.pairs)
        x = np.zeros((count, self.length), np.int32)
        x[:, :end:2], x[:, 1:end:2] = keys, values
        y = np.full_like(x, NOT_SCORED)
        rows = np.arange(count)[:, None]
        x[rows, asked], y[rows, asked] = keys, values
        return x, y

    @property
    def solved(self) -> float:
        return 0.99

    def floors(self, split: str = "val") -> dict[str, float]:
        return {"no_memory": 2 / self.vocabulary, "half_memory": 1 / self.pairs}

    def token_names(self) -> list[str]:
        return [".", *map(str, range(1, self.vocabulary))]


def _different(rng: np.random.Generator, logits: np.ndarray, count: int, size: int) -> np.ndarray:
    """`size` different indices `(count, size)`, drawn one after the other with the weights exp(logits).

    The largest of logits + Gumbel noise are such a draw.
    """
    noise = rng.gumbel(size=(count, len(logits)))
    return np.argsort(-(logits + noise), axis=1)[:, :size]
