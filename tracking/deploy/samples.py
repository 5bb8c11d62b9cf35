"""The samples on which the runtimes of an exported model are compared."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

FEW = 16  # sequences that are read with a file for one length


@dataclass(frozen=True)
class Samples:
    """The beginning of the validation split.

    Args:
        x: `(samples, time, features)`, or `(samples, time)` of tokens. A long sequence is one sample.
        y: `(samples, …)`, or `(samples, time, …)` with an answer at every step.
        scored: which answers count, a mask `(samples,)` or `(samples, time)`.
        score: from y and the outputs to the score.
        whole: nothing of the split is left out.
    """

    x: np.ndarray
    y: np.ndarray
    scored: np.ndarray
    score: Callable[[np.ndarray, np.ndarray], float]
    whole: bool = True

    def of_length(self, steps: int, padding: float | None) -> "Samples":
        """A few sequences of this length: cut, or filled with padding, or else with their own steps again."""
        x = self.x[:FEW, :steps]
        if missing := steps - x.shape[1]:
            more = np.full_like(x[:, :1], padding or 0).repeat(missing, axis=1)
            again = x[:, np.arange(missing) % x.shape[1]]
            x = np.concatenate([x, again if padding is None else more], axis=1)
        real = np.ones(x.shape[:2], bool) if padding is None else (x != padding).reshape(*x.shape[:2], -1).any(axis=2)
        return replace(self, x=x, scored=real if self.scored.ndim == 2 else real[:, 0], whole=False)

    def first(self, steps: int) -> "Samples":
        """About so many time steps of them: some samples, or the beginning of a long one."""
        count, longest = self.x.shape[:2]
        if count * longest <= steps:
            return self
        if count == 1:  # it has an answer at every step
            x, y, scored = (array[:, :steps] for array in (self.x, self.y, self.scored))
        else:
            x, y, scored = (array[: max(1, steps // longest)] for array in (self.x, self.y, self.scored))
        return replace(self, x=x, y=y, scored=scored, whole=False)
