"""What the tasks over a text share: where the text comes from and how much of it is used."""

from dataclasses import dataclass

import numpy as np

from experiments.data import corpora
from experiments.tasks.base import NOT_SCORED, Task, option
from tracking.errors import BadInput


@dataclass(frozen=True, kw_only=True)
class TextTask(Task):
    """A task over the train, validation and test splits of a text."""

    corpus: str = option(corpora.BUNDLED, f"{', '.join(corpora.names())}, or a text file", corpus=True)
    encoding: str = option(corpora.UTF_8, "of a text file, for example latin-1")
    val: int = option(0, "the same for validation", 0)
    test: int = option(0, "the same for the test, read by finals and export alone", 0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if 1 in (self.train, self.val, self.test):
            raise BadInput("train, val, test: expected 0 for all, or 2 or more, got 1")

    @property
    def licence(self) -> str:
        return corpora.licence(self.corpus)

    @property
    def _corpus(self) -> corpora.Corpus:
        return corpora.load(self.corpus, self.encoding)


def cross_entropy(y: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """-ln p of each scored answer, float64 `(scored,)`, from classes y `(…)` and logits `(…, classes)`."""
    scored = y != NOT_SCORED
    logits = logits[scored].astype(np.float64)
    logits -= logits.max(axis=-1, keepdims=True)
    right = np.take_along_axis(logits, y[scored][:, None], axis=-1)[:, 0]
    return np.log(np.exp(logits).sum(axis=-1)) - right
