"""The adding problem: add the two marked numbers of a long sequence.

Channel 0 holds numbers drawn uniformly from [0, 1), channel 1 is 1 at two marked steps and 0 elsewhere: one mark in the
first half, one in the second (variant H). The answer is the sum of the two marked numbers.

    numbers  .2  .7  .5  .1
    marks     0   1   0   1      answer .8

Source: Hochreiter & Schmidhuber 1997, in the form of Arjovsky et al. 2016, arXiv:1511.06464.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from experiments.tasks.base import Arrays, Task, option


@dataclass(frozen=True, kw_only=True)
class Adding(Task):
    """x float32 `(count, length, 2)`, y float32 `(count, 1)`; scored by the mean squared error."""

    metric: ClassVar[str] = "mse"
    knob: ClassVar[str] = "length"
    loss: ClassVar[str] = "mse"

    length: int = option(100, "steps of a sequence: 30 is easy, 750 hard", 2)

    @property
    def features(self) -> int:
        return 2

    @property
    def outputs(self) -> int:
        return 1

    def sample(self, rng: np.random.Generator, count: int) -> Arrays:
        half, rows = self.length // 2, np.arange(count)
        x = np.zeros((count, self.length, 2), np.float32)
        x[:, :, 0] = rng.random((count, self.length), np.float32)
        x[rows, rng.integers(0, half, count), 1] = 1
        x[rows, rng.integers(half, self.length, count), 1] = 1
        return x, (x[:, :, 0] * x[:, :, 1]).sum(axis=1, keepdims=True)

    def score(self, y: np.ndarray, outputs: np.ndarray) -> float:
        return float(np.mean((y - outputs) ** 2, dtype=np.float64))

    def floors(self, split: str = "val") -> dict[str, float]:
        """Always answering 1: the variance of a sum of two, 2/12. Remembering one of the two numbers: 1/12."""
        return {"no_memory": 1 / 6, "half_memory": 1 / 12}
