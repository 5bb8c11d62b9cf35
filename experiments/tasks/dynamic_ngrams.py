"""Dynamic n-grams: predict the next bit of a source that is drawn anew for every sequence.

A table has the probability of a 1 behind each of the 2^`context` contexts. Each one is drawn from Beta(1/2, 1/2), so
most are near 0 or 1, and every sequence has a table of its own. The first `context` bits are fair, and each further bit
is drawn by the table. The model reads a bit and says the next one; the fair bits are not scored. With a context of 1:

    x  0 1 0 1 0 0 1     y  1 0 1 0 0 1 0      (after 0 comes 1, mostly; after 1 comes 0)

Scored by bits per sequence, 195 answers. A model must count what came behind each context in its own sequence. The
best estimate after n1 ones and n0 zeros behind a context is (n1 + 1/2) / (n1 + n0 + 1). No memory: 1 bit for each
answer. The floors `order_k` count behind the last k bits alone. They are computed on the split of seed 0.

Solved: within 1 bit of the best estimate, computed on the split of seed 0.
Published, as curves: Graves et al. 2014, 200 bits, context 5: the Neural Turing machine comes close to the best
estimate, an LSTM of 3 layers of 128 (learning rate 1e-4) comes less close.
Source: Graves, Wayne & Danihelka 2014, arXiv:1410.5401, section 4.4; the estimate: Murphy 2012, Machine Learning.
"""

import functools
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from experiments.tasks.base import NOT_SCORED, Arrays, option
from experiments.tasks.loading.bits import BitTask
from tracking.errors import BadInput

MOST = 16  # bits of a context; a table has 2^context numbers


@dataclass(frozen=True, kw_only=True)
class DynamicNgrams(BitTask):
    """x float32 `(count, length - 1, 1)`, y float32 `(count, length - 1, 1)` of 0, 1 and -1."""

    knob: ClassVar[str] = "context"
    default_trials: ClassVar[int] = 12
    default_epochs: ClassVar[int] = 10

    context: int = option(5, "bits that decide about the next one: 2 is easy, 7 hard", 1)
    length: int = option(200, "bits of a sequence", 3)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.context > min(MOST, self.length - 1):
            raise BadInput(f"context: expected at most {min(MOST, self.length - 1)}, got {self.context}")

    @property
    def features(self) -> int:
        return 1

    @property
    def outputs(self) -> int:
        return 1

    @property
    def steps(self) -> int:
        return self.length - 1

    def sample(self, rng: np.random.Generator, count: int) -> Arrays:
        rows, size = np.arange(count), 2**self.context
        table = rng.beta(0.5, 0.5, (count, size))
        bits = rng.integers(0, 2, (count, self.length))
        for step in range(self.context, self.length):
            context = _contexts(bits, step, self.context)
            bits[:, step] = rng.random(count) < table[rows, context]
        x, y = bits[:, :-1, None].astype(np.float32), bits[:, 1:, None].astype(np.float32)
        y[:, : self.context - 1] = NOT_SCORED
        return x, y

    @property
    def solved(self) -> float:
        return _estimates(self, "val")[-1] + 1

    def floors(self, split: str = "val") -> dict[str, float]:
        found = _estimates(self, split)
        return {
            "no_memory": float(self.length - self.context),
            **{f"order_{order}": found[order] for order in range(self.context)},
        }


def _contexts(bits: np.ndarray, step: int, order: int) -> np.ndarray:
    """The last `order` bits before a step of each sequence, as one number `(count,)`."""
    return bits[:, step - order : step] @ (1 << np.arange(order))


@functools.lru_cache(maxsize=8)
def _estimates(task: DynamicNgrams, split: str) -> list[float]:
    """What a sequence costs if what came behind the last 0, 1, …, `context` bits is counted. The last one is the best.

    Each estimate is that of Krichevsky & Trofimov 1981: a half is added to both counts.
    """
    x, y = task.split(split, 0)
    bits, rows = np.concatenate([x[..., 0], y[:, -1:, 0]], axis=1).astype(np.int64), np.arange(len(x))
    found = []
    for order in range(task.context + 1):
        counts, cost = np.full((len(x), 2**order, 2), 0.5), 0.0
        for step in range(task.context, task.length):
            context, bit = _contexts(bits, step, order), bits[:, step]
            behind = counts[rows, context]
            cost -= np.log2(behind[rows, bit] / behind.sum(axis=1)).mean()
            counts[rows, context, bit] += 1
        found.append(float(cost))
    return found
