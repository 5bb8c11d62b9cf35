"""ListOps: the value of nested operations on lists of digits.

    [MAX 2 9 [MIN 4 7 ] 0 ]     9          [SM 9 9 5 ]     3          [MED 1 2 3 4 ]     2

MIN, MAX, MED (the median, rounded down) and SM (the sum modulo 10) take 2 to `arguments` arguments. An argument is an
operation with probability 1/4, else a digit; on level `depth` it is always a digit. Only expressions of `shortest` to
`longest` tokens are kept.
Scored by accuracy. No memory: the most frequent answer; half of the memory: the most frequent answer for the operation
at the root. Both are counted on 100,000 samples. A score little above the second floor is no sign of recursion.

Solved: no score counts as that, as no published recurrent network solves it; a good one is far above the floor of the
root.
Published: Nangia & Bowman 2018, arXiv:1804.06028, some 100 tokens: LSTM with 128 units 71.5 (best of several 74.4),
quoted from memory, without the budget. Tay et al. 2020, arXiv:2011.04006, depth 10, 10 arguments, length 500-2000:
Transformer 36.4, where the root alone gives 37.1.
Source: Nangia & Bowman 2018, and its code.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from experiments.data.cache import cached
from experiments.tasks.base import Arrays, Task, option
from tracking.errors import BadInput

MIN, MAX, MED, SM, CLOSE = range(11, 16)  # digits are 1 to 10, padding is 0
P_OPERATION = 1 / 4
FLOOR_SAMPLES = 100_000
BATCH = 20_000  # expressions that are grown together
MAX_BATCHES, MIN_SHARE = 25, 1e-3  # lengths are refused if a smaller share of MAX_BATCHES batches has them
DEFAULT_SHORTEST = 20  # tokens


@dataclass(frozen=True, kw_only=True)
class ListOps(Task):
    """x int32 `(count, longest)`: digit + 1, operations, their end, padded with 0; y int32 `(count,)`, a digit."""

    metric: ClassVar[str] = "accuracy"
    direction: ClassVar[str] = "max"
    knob: ClassVar[str] = "depth"
    loss: ClassVar[str] = "categorical"
    one_hot: ClassVar[bool] = True
    default_trials: ClassVar[int] = 12
    default_epochs: ClassVar[int] = 15

    depth: int = option(5, "levels, the level of the digits included: 3 is easy, 10 hard", 2)
    arguments: int = option(5, "most arguments of an operation", 2)
    shortest: int = option(
        0, "tokens of the shortest expression; 0 means 5 for each level of operations, at most 20", 0
    )
    longest: int = option(100, "tokens of the longest expression", 4)
    train: int = option(5_000, "training samples; online or online:N draws N fresh ones in every epoch", 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.shortest > self.longest:
            raise BadInput(f"shortest: expected at most {self.longest}, got {self.shortest}")

    @property
    def min_tokens(self) -> int:
        """Tokens of the shortest expression."""
        return self.shortest or min(DEFAULT_SHORTEST, 5 * (self.depth - 1), self.longest)

    @property
    def tokens(self) -> int:
        return CLOSE + 1

    @property
    def outputs(self) -> int:
        return 10

    @property
    def steps(self) -> int:
        return self.longest

    @property
    def padding(self) -> int:
        return 0

    def sample(self, rng: np.random.Generator, count: int) -> Arrays:
        batches: list[np.ndarray] = []
        while (fitting := sum(map(len, batches))) < count:
            if len(batches) == MAX_BATCHES and fitting < MIN_SHARE * MAX_BATCHES * BATCH:
                raise BadInput(
                    f"shortest, longest: expected lengths that depth={self.depth} and arguments={self.arguments} often"
                    f" give, got {self.min_tokens} to {self.longest}: {fitting} of {MAX_BATCHES * BATCH:,} expressions"
                )
            batches.append(self._grow(rng))
        x = np.concatenate(batches)[:count]
        return x, self._value(x)

    def _grow(self, rng: np.random.Generator) -> np.ndarray:
        """Grows a batch of expressions from left to right; returns those whose length fits."""
        x = np.zeros((BATCH, self.longest), np.int32)
        left = np.zeros((BATCH, self.depth), np.int64)  # arguments to come, on every open level
        level, rows = np.full(BATCH, -1), np.arange(BATCH)
        for step in range(self.longest):
            due = left[rows, level[rows]] > 0 if step else np.ones(len(rows), bool)
            operation = due & (level[rows] + 2 < self.depth) & (rng.random(len(rows)) < P_OPERATION) | (step == 0)
            token = np.where(operation, rng.integers(MIN, CLOSE, len(rows)), rng.integers(1, 11, len(rows)))
            x[rows, step] = np.where(due, token, CLOSE)
            left[rows, level[rows]] -= due
            level[rows] += operation.astype(np.int64) - ~due
            deeper = rows[operation]
            left[deeper, level[deeper]] = rng.integers(2, self.arguments + 1, len(deeper))
            rows = rows[level[rows] >= 0]
        return x[(level < 0) & ((x > 0).sum(axis=1) >= self.min_tokens)]

    def _value(self, x: np.ndarray) -> np.ndarray:
        """Each expression's value. Every level has its operation and the arguments that were read so far."""
        rows, level = np.arange(len(x)), np.zeros(len(x), np.int64)
        operations, counts = (np.zeros((len(x), self.depth + 1), np.int64) for _ in range(2))
        arguments = np.full((len(x), self.depth + 1, self.arguments), 10)  # sorts behind every digit
        for token in x.T:
            opens, closes = rows[(token >= MIN) & (token < CLOSE)], rows[token == CLOSE]
            level[opens] += 1
            operations[opens, level[opens]], counts[opens, level[opens]] = token[opens], 0
            arguments[opens, level[opens]] = 10
            at = closes, level[closes]
            value = token - 1
            value[closes] = _apply(operations[at], arguments[at], counts[at])
            level[closes] -= 1
            given = rows[(token > 0) & ((token < MIN) | (token == CLOSE))]
            at = given, level[given]
            arguments[*at, counts[at]] = value[given]
            counts[at] += 1
        return arguments[:, 0, 0].astype(np.int32)

    def floors(self, split: str = "val") -> dict[str, float]:
        return cached("floors", f"listops {self.depth} {self.arguments} {self.min_tokens} {self.longest}", self._count)

    def _count(self) -> dict[str, float]:
        x, y = self.sample(np.random.default_rng(0), FLOOR_SAMPLES)
        table = np.zeros((4, 10))
        np.add.at(table, (x[:, 0] - MIN, y), 1 / FLOOR_SAMPLES)
        return {"no_memory": float(table.sum(axis=0).max()), "half_memory": float(table.max(axis=1).sum())}

    def token_names(self) -> list[str]:
        return ["_", *map(str, range(10)), "[MIN", "[MAX", "[MED", "[SM", "]"]


def _apply(operation: np.ndarray, arguments: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The operations' values `(k,)`; arguments `(k, most)` are filled up with 10."""
    ordered, rows = np.sort(arguments, axis=1), np.arange(len(arguments))
    median = (ordered[rows, (counts - 1) // 2] + ordered[rows, counts // 2]) // 2
    total = np.where(arguments < 10, arguments, 0).sum(axis=1) % 10
    choices = [ordered[:, 0], ordered[rows, counts - 1], median]
    return np.select([operation == MIN, operation == MAX, operation == MED], choices, total)
