"""Dyck-(k, m): a language of nested brackets of k kinds, at most m deep; predict the next token at every step.

    y  ( [ ] ) END ( ) END END     x  START ( [ ] ) START ( ) START     (START and END are one token)

Outside of all brackets a string ends with probability 1/2. Inside of m brackets the last one closes for certain.
Elsewhere a bracket closes or opens, each with probability 1/2. The kind of an opening bracket is uniform. A sample is
`length` tokens of one string after the other. All steps are trained on. The steps where a bracket closes are scored. An
answer is right if the right bracket has more than 0.8 of the probability of all closing brackets. The score is the
share of right answers, averaged over the distances to the opening bracket. A distance counts if the data have it 20
times or more. No memory: 1/k. A model that knows only the last token is also right at distance 1. Half of the opening
brackets: 1/2 + 1/2k.

Solved: 0.8 or more at every distance. A score of 1 - 0.2 / n tells that for certain, where n is the most distances that
there can be: length / 2, as all are odd; 0.994 at length 64.
Published: Hewitt et al. 2020, LSTM: m=3, k=8 learnt with 24 units; trained on lengths up to 84, tested on 85-168;
learning rate 0.01, batch 10.
Source: Hewitt et al. 2020, arXiv:2010.07515, and its code.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from experiments.tasks.base import Arrays, Task, chance_floors, option

CONFIDENT, MIN_COUNT = 0.8, 20


@dataclass(frozen=True, kw_only=True)
class Dyck(Task):
    """x and y int32 `(count, length)`: 0 is START and END, 1 to k open, k + 1 to 2k close the same kinds."""

    metric: ClassVar[str] = "closing_accuracy"
    direction: ClassVar[str] = "max"
    knob: ClassVar[str] = "depth"
    loss: ClassVar[str] = "categorical"
    per_step: ClassVar[bool] = True
    one_hot: ClassVar[bool] = True
    default_trials: ClassVar[int] = 12
    default_epochs: ClassVar[int] = 10

    depth: int = option(3, "m, most brackets that are open at a time: 2 is easy, 5 hard", 1)
    kinds: int = option(4, "k, kinds of brackets: 2 to 32", 1)
    length: int = option(64, "tokens of a sample", 2)

    @property
    def tokens(self) -> int:
        return 2 * self.kinds + 1

    @property
    def outputs(self) -> int:
        return self.tokens

    @property
    def steps(self) -> int:
        return self.length

    def sample(self, rng: np.random.Generator, count: int) -> Arrays:
        y, rows = np.zeros((count, self.length), np.int32), np.arange(count)
        depth, stack = np.zeros(count, np.int64), np.zeros((count, self.depth + 1), np.int32)
        for step in range(self.length):
            ends = (rng.random(count) < 1 / 2) | (depth == self.depth)  # the string, or the last bracket
            opens = rng.integers(1, self.kinds + 1, count, np.int32)
            closes = np.where(depth > 0, self.kinds + stack[rows, depth], 0)
            y[:, step] = np.where(ends, closes, opens)
            depth = np.where(ends, np.maximum(depth - 1, 0), depth + 1)
            stack[rows, depth] = np.where(ends, stack[rows, depth], opens)
        return np.pad(y[:, :-1], ((0, 0), (1, 0))), y

    def judge(self, y: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        """For each closing bracket its distance to the opening one, and 1 if the answer is right: `(brackets, 2)`."""
        closing = outputs[..., self.kinds + 1 :].astype(np.float64)
        odds = np.exp(closing - closing.max(axis=-1, keepdims=True))
        wanted = np.maximum(y - self.kinds - 1, 0)[..., None]
        right = np.take_along_axis(odds, wanted, axis=-1)[..., 0] > CONFIDENT * odds.sum(axis=-1)
        distance = self._distances(y)
        return np.column_stack([distance[distance > 0], right[distance > 0]])

    def _distances(self, y: np.ndarray) -> np.ndarray:
        """Steps from the opening to the closing bracket, at the closing one; 0 elsewhere."""
        rows, distances = np.arange(len(y)), np.zeros(y.shape, np.int64)
        depth, opened = np.zeros(len(y), np.int64), np.zeros((len(y), self.depth + 1), np.int64)
        for step, token in enumerate(y.T):
            closes, opens = token > self.kinds, (token > 0) & (token <= self.kinds)
            distances[:, step] = np.where(closes, step - opened[rows, depth], 0)
            depth += opens.astype(np.int64) - closes
            opened[rows, depth] = np.where(opens, step, opened[rows, depth])
        return distances

    def summary(self, judged: np.ndarray) -> float:
        distances, place, counts = np.unique(judged[:, 0], return_inverse=True, return_counts=True)
        shares = np.bincount(place, judged[:, 1], len(distances)) / counts
        often = counts >= min(MIN_COUNT, counts.max(initial=0))
        return float(shares[often].mean()) if len(shares) else float("nan")

    @property
    def solved(self) -> float:
        """Every distance but one is right always, and that one in 0.8 of its answers."""
        return 1 - (1 - CONFIDENT) / self._most_distances

    @property
    def _most_distances(self) -> int:
        """How many distances there may be. All are odd: what stands between the brackets of a pair is balanced."""
        return self.length // 2 if self.depth > 1 else 1

    def floors(self, split: str = "val") -> dict[str, float]:
        return chance_floors(self.kinds)

    def token_names(self) -> list[str]:
        if self.kinds <= 4:
            return ["|", *"([{<"[: self.kinds], *")]}>"[: self.kinds]]
        kinds = range(1, self.kinds + 1)
        return ["|", *(f"({kind}" for kind in kinds), *(f"{kind})" for kind in kinds)]

    def answer(self, label: int) -> str:
        return self.token_names()[label]
