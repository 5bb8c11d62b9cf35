"""Copy memory: repeat ten symbols, in order, after a long silence.

    x  3 5 . . | . .     y  . . . . . 3 5    (length=3, symbols=2)

The data are symbols from 1 to 8. Blanks follow, then a delimiter, then blanks on which the data are written. Variants:
`arjovsky` as above; `tcn` gives the digits 0 to 9 as one float channel, with delimiters in place of the last blanks;
`variable` draws the silence from 1 to `length`. All steps are trained on. The score is the accuracy on only the
last `symbols` steps, since a model without memory has 0.93 over all steps at length 100. No memory: 1/8; half of the
symbols: 1/2 + 1/16. Over all steps of `arjovsky` the loss of a model without memory is
symbols * ln 8 / (length + 2 * symbols) nats: 0.173 at length 100.

Solved: 0.99 or more.
Published, loss over all steps: Bai et al. 2018, arXiv:1803.01271, tcn, length 1000, 16,000 parameters, RMSprop or Adam,
clipping at 1: LSTM 0.0204, GRU 0.0197, RNN 0.0202, where no memory is 0.0204. Tallec & Ollivier 2018, arXiv:1804.11188:
128 units, RMSprop 1e-3, no clipping: LSTM with chrono biases leaves the floor at 500 and 2000; with forget bias 1 it
lags behind.
Source: Arjovsky et al. 2016, arXiv:1511.06464; variable: Henaff et al. 2016, arXiv:1602.06662.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from experiments.tasks.base import NOT_SCORED, Arrays, Task, chance_floors, option

VARIANTS = ("arjovsky", "tcn", "variable")
BLANK, ALPHABET, DELIMITER = 0, 8, 9


@dataclass(frozen=True, kw_only=True)
class CopyMemory(Task):
    """x int32 `(count, steps)`, tcn: float32 `(count, steps, 1)`; y int32 `(count, steps)`, -1 behind a short one."""

    metric: ClassVar[str] = "accuracy"
    direction: ClassVar[str] = "max"
    knob: ClassVar[str] = "length"
    loss: ClassVar[str] = "categorical"
    per_step: ClassVar[bool] = True
    one_hot: ClassVar[bool] = True
    lengthens: ClassVar[bool] = True
    default_trials: ClassVar[int] = 20
    default_epochs: ClassVar[int] = 10

    length: int = option(50, "steps of silence, the delimiter included: 20 is easy, 500 hard", 1)
    symbols: int = option(10, "data symbols of a sequence", 1)
    variant: str = option("arjovsky", "arjovsky, tcn or variable", choices=VARIANTS)

    @property
    def features(self) -> int | None:
        return 1 if self.variant == "tcn" else None

    @property
    def tokens(self) -> int | None:
        return None if self.variant == "tcn" else DELIMITER + 1

    @property
    def outputs(self) -> int:
        return DELIMITER + 1 if self.variant == "tcn" else ALPHABET + 1

    @property
    def steps(self) -> int:
        return self.length + 2 * self.symbols

    @property
    def reach(self) -> int:
        """As in Tallec & Ollivier: 3/2 of the silence, or the longest silence if it varies."""
        return self.length if self.variant == "variable" else 3 * self.length // 2

    def sample(self, rng: np.random.Generator, count: int) -> Arrays:
        data = rng.integers(1, ALPHABET + 1, (count, self.symbols), np.int32)
        x, y = (np.full((count, self.steps), BLANK, np.int32) for _ in range(2))
        x[:, : self.symbols] = data
        if self.variant != "variable":
            x[:, self.symbols + self.length - 1] = DELIMITER
            y[:, -self.symbols :] = data
            if self.variant == "arjovsky":
                return x, y
            x[:, -self.symbols :] = DELIMITER
            return x.astype(np.float32)[:, :, None], y
        rows, begin = np.arange(count), self.symbols + rng.integers(1, self.length + 1, count)
        x[rows, begin - 1] = DELIMITER
        y[np.arange(self.steps) >= begin[:, None] + self.symbols] = NOT_SCORED
        y[rows[:, None], begin[:, None] + np.arange(self.symbols)] = data
        return x, y

    def judge(self, y: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        return super().judge(np.where(y > BLANK, y, NOT_SCORED), outputs)

    @property
    def solved(self) -> float:
        return 0.99

    def floors(self, split: str = "val") -> dict[str, float]:
        return chance_floors(ALPHABET)

    def token_names(self) -> str:
        return ".12345678|"

    def answer(self, label: int) -> str:
        return self.token_names()[label]
