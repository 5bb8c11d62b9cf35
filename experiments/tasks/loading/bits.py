"""What the tasks of the Neural Turing machine share (Graves, Wayne & Danihelka 2014, arXiv:1410.5401): vectors of bits.

The score is what a sequence costs in bits: the sum of -log2 p over the bits that are scored, and the mean over the
sequences. A model without memory pays 1 for each bit of a random vector. A model answers the bits of a step at once and
does not read what it has answered, so each bit is paid for alone.
"""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from experiments.tasks.base import NOT_SCORED, Arrays, Task, option
from tracking.errors import BadInput

FEW = 512  # sequences of the validation split whose wrong bits are counted
BATCH = 64  # of them


@dataclass(frozen=True, kw_only=True)
class BitTask(Task):
    """x float32 `(count, steps, channels)`, y float32 `(count, steps, outputs)` of 0 and 1, and -1 (not scored)."""

    metric: ClassVar[str] = "bits_per_sequence"
    direction: ClassVar[str] = "min"
    loss: ClassVar[str] = "binary"
    per_step: ClassVar[bool] = True
    least: ClassVar[str] = ""  # the option that is at most the knob; with `lengthens` it is the shortest length

    online: bool = option(True, "fresh training samples in every epoch; -o train=N keeps the same N")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.least and (least := getattr(self, self.least)) > (most := getattr(self, self.knob)):
            raise BadInput(f"{self.least}: expected at most {self.knob}={most}, got {least}")

    def longer(self, factor: int) -> Task:
        """All sequences have `factor` times the length; none is shorter."""
        longer = super().longer(factor)
        return dataclasses.replace(longer, **{self.least: getattr(longer, self.knob)})

    def blank(self, count: int) -> Arrays:
        """x of zeros, and y in which nothing is scored."""
        x = np.zeros((count, self.steps, self.features or 0), np.float32)
        return x, np.full((count, self.steps, self.outputs), NOT_SCORED, np.float32)

    def samples(self, model: Any, seed: int) -> dict[str, float]:  # type: ignore[override]
        """How many bits of a sequence are wrong, a mean over the first sequences of the validation split."""
        x, y = (part[:FEW] for part in self.split("val", seed))
        parts = [slice(start, start + BATCH) for start in range(0, len(x), BATCH)]
        outputs = np.concatenate([np.asarray(model.predict_on_batch(x[part])) for part in parts])
        return {"wrong_bits": float((((outputs > 0) != (y == 1)) & (y != NOT_SCORED)).sum() / len(x))}

    def show(self, x: np.ndarray, y: np.ndarray) -> str:
        """A line for each channel and for each output, a column for each step."""
        width = 1 if np.isin(x, (0, 1)).all() else 5
        shown = [" ".join(f"{value:{width}.{max(0, width - 3)}f}" for value in channel) for channel in x.T]
        answers = [" ".join("-01"[int(bit) + 1].rjust(width) for bit in output) for output in y.T]
        return "x {}\ny {}".format("\n  ".join(shown), "\n  ".join(answers))


def mean(least: int, most: int) -> float:
    """Of a whole number that is drawn uniformly."""
    return (least + most) / 2


def of_unknown_order(vectors: int) -> float:
    """What a bit costs if its vector is one of so many known random ones, and nobody knows which.

    A bit is answered by the share of the vectors that have it. Each of the others has it with probability 1/2.
    """
    others = vectors - 1
    agreeing = (math.comb(others, one) / 2**others * math.log2(1 + one) for one in range(vectors))
    return math.log2(vectors) - sum(agreeing)


def entropy(share: float) -> float:
    """Bits of an event that happens in this share of all cases."""
    return -sum(part * math.log2(part) for part in (share, 1 - share) if part > 0)
