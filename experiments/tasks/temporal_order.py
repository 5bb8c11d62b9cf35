"""Temporal order: say in which order two (or three) X and Y came in a long row of distractors.

    x  E c X a Y b B     y  XY

A sequence begins with E and ends with B; between them stand distractors a to d, and one marker, X or Y, in each of two
windows: 10-20% and 50-60% of `length` (three markers: 10-20%, 33-43%, 66-76%). It has `length` to 1.1 `length` steps.
Scored by accuracy. No memory: 1/4 (1/8); the last marker alone: 1/2 (1/4).

Solved: at most 3 wrong of 2560, an accuracy of 0.9988, as Hochreiter & Schmidhuber count it. They call an answer wrong
if its error is 0.3 or more.
Published: Hochreiter & Schmidhuber 1997, LSTM without forget gate, online SGD: two markers 156 weights, learning rate
0.5, 31,390 sequences, 1 wrong of 2560; three markers 308 weights, 0.1, 571,100 sequences, 2 wrong.
Source: Hochreiter & Schmidhuber 1997, experiments 6a and 6b.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from experiments.tasks.base import Arrays, Task, option

X, E, B = 5, 7, 8  # Y is 6; a to d are 1 to 4, padding is 0
WINDOWS = {2: ((10, 20), (50, 60)), 3: ((10, 20), (33, 43), (66, 76))}  # percent of the length


@dataclass(frozen=True, kw_only=True)
class TemporalOrder(Task):
    """x int32 `(count, 1.1 * length)`, padded with 0; y int32 `(count,)`: the markers as a binary number, X is 0."""

    metric: ClassVar[str] = "accuracy"
    direction: ClassVar[str] = "max"
    knob: ClassVar[str] = "length"
    loss: ClassVar[str] = "categorical"
    one_hot: ClassVar[bool] = True
    lengthens: ClassVar[bool] = True
    default_trials: ClassVar[int] = 12
    default_epochs: ClassVar[int] = 10

    length: int = option(60, "steps of the shortest sequence: 30 is easy, 200 hard", 10)
    markers: int = option(2, "markers of a sequence, 2 or 3", choices=(2, 3))

    @property
    def tokens(self) -> int:
        return B + 1

    @property
    def outputs(self) -> int:
        return int(2**self.markers)

    @property
    def steps(self) -> int:
        return self.length + self.length // 10

    @property
    def padding(self) -> int:
        return 0

    def sample(self, rng: np.random.Generator, count: int) -> Arrays:
        rows, ends = np.arange(count), rng.integers(self.length, self.steps + 1, count) - 1
        x = rng.integers(1, X, (count, self.steps), np.int32)
        x[:, 0], x[rows, ends] = E, B
        x[np.arange(self.steps) > ends[:, None]] = 0
        y = np.zeros(count, np.int32)
        for first, last in WINDOWS[self.markers]:
            marker = rng.integers(0, 2, count, np.int32)
            x[rows, rng.integers(self.length * first // 100, self.length * last // 100 + 1, count)] = X + marker
            y = 2 * y + marker
        return x, y

    @property
    def solved(self) -> float:
        return 1 - 3 / 2560

    def floors(self, split: str = "val") -> dict[str, float]:
        return {"no_memory": 1 / self.outputs, "half_memory": 2 / self.outputs}

    def token_names(self) -> str:
        return "_abcdXYEB"

    def answer(self, label: int) -> str:
        return "".join("XY"[label >> place & 1] for place in reversed(range(self.markers)))
