"""The adding problem: add the two marked numbers of a long sequence.

Channel 0 holds numbers drawn uniformly from [0, 1), channel 1 is 1 at two marked steps and 0 elsewhere: one mark in the
first half, one in the second (variant halves), or two different steps anywhere. The answer is the sum of the two marked
numbers.

    numbers  .2  .7  .5  .1
    marks     0   1   0   1      answer .8

Scored by the mean squared error. Always answering 1: 1/6; remembering one of the two numbers: 1/12.

Solved: 0.001 or less. Learning: below 1/12.
Published, test error: Bai et al. 2018, arXiv:1803.01271, anywhere, length 600, 70,000 parameters: LSTM 0.164, GRU
5.3e-5, RNN 0.177; their LSTM 1x130 with clipping at 5 and forget bias 1 (length 200: 2x77, SGD 1e-3; 400: 2x77, Adam
2e-3). Hu et al. 2018, arXiv:1801.06105, anywhere, 100 units, Adam 1e-4 to 1e-6, clipping at 100: LSTM fails at length
400.
Source: Hochreiter & Schmidhuber 1997, in the form of Arjovsky et al. 2016, arXiv:1511.06464 (halves), and of Bai et al.
(anywhere).
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from experiments.tasks.base import Arrays, Task, option

VARIANTS = ("halves", "anywhere")


@dataclass(frozen=True, kw_only=True)
class Adding(Task):
    """x float32 `(count, length, 2)`, y float32 `(count, 1)`; scored by the mean squared error."""

    metric: ClassVar[str] = "mse"
    knob: ClassVar[str] = "length"
    loss: ClassVar[str] = "mse"
    lengthens: ClassVar[bool] = True
    default_trials: ClassVar[int] = 20
    default_epochs: ClassVar[int] = 10

    length: int = option(100, "steps of a sequence: 30 is easy, 750 hard", 2)
    variant: str = option("halves", "where the marks are: halves (one mark in each half) or anywhere", choices=VARIANTS)

    @property
    def features(self) -> int:
        return 2

    @property
    def outputs(self) -> int:
        return 1

    def sample(self, rng: np.random.Generator, count: int) -> Arrays:
        x = np.zeros((count, self.length, 2), np.float32)
        x[:, :, 0] = rng.random((count, self.length), np.float32)
        for marks in self._marks(rng, count):
            x[np.arange(count), marks, 1] = 1
        return x, (x[:, :, 0] * x[:, :, 1]).sum(axis=1, keepdims=True)

    def _marks(self, rng: np.random.Generator, count: int) -> Arrays:
        if self.variant == "halves":
            half = self.length // 2
            return rng.integers(0, half, count), rng.integers(half, self.length, count)
        first = rng.integers(0, self.length, count)
        return first, (first + rng.integers(1, self.length, count)) % self.length  # any step but the first one

    @property
    def solved(self) -> float:
        return 0.001

    def floors(self, split: str = "val") -> dict[str, float]:
        """Always answering 1: the variance of a sum of two, 2/12. Remembering one of the two numbers: 1/12."""
        return {"no_memory": 1 / 6, "half_memory": 1 / 12}
