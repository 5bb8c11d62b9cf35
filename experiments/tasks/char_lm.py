"""Character language model: predict the next character of a text.

The text is cut into train, validation and test, 80/10/10 in order. Training reads it as contiguous streams in windows
and carries the state from window to window; validation starts from zero state and carries it through the split.

    text "abcab", ids a=1 b=2 c=3      x 1 2 3 1      y 2 3 1 2

Scored in bits per character: the mean of -log2 p(next character). Its floors are n-gram models of the same split
(interpolated Witten-Bell): an n-gram sees n-1 characters back and not one more.
Source of the setting: Karpathy, Johnson & Fei-Fei 2015, arXiv:1506.02078.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from experiments import corpora, ngrams
from experiments.tasks.base import SPLITS, Arrays, Task, option

BARS = ("unigram", "bigram", "trigram", "4-gram", "5-gram")


@dataclass(frozen=True, kw_only=True)
class CharLM(Task):
    """x and y int32 `(time,)`, one long sequence each; an unknown character has id 0."""

    metric: ClassVar[str] = "bits_per_character"
    knob: ClassVar[str] = "window"
    loss: ClassVar[str] = "categorical"
    per_step: ClassVar[bool] = True
    stream: ClassVar[bool] = True

    corpus: str = option(corpora.BUNDLED, "the Python language reference that comes with Python, or a UTF-8 text file")
    window: int = option(64, "characters through which the gradient goes back", 2)
    train: int = option(0, "characters of the training split that are used, from its start; 0 for all", 0)
    val: int = option(0, "the same for validation", 0)
    test: int = option(0, "the same for the test, read by export alone", 0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if 1 in (self.train, self.val, self.test):
            raise ValueError("train, val, test: expected 0 for all, or 2 or more, got 1")

    def text(self, name: str) -> str:
        """The characters of a split."""
        whole = corpora.split(corpora.load(self.corpus).text)[SPLITS.index(name)]
        return whole[: getattr(self, name) or None]

    @property
    def vocabulary(self) -> str:
        """Every character of the training split, behind one for the unknown: a character's place is its id."""
        return corpora.vocabulary(self.text("train"))

    @property
    def tokens(self) -> int:
        return len(self.vocabulary)

    @property
    def outputs(self) -> int:
        return self.tokens

    def split(self, name: str, seed: int) -> Arrays:
        ids = corpora.encode(self.text(name), self.vocabulary)
        return ids[:-1], ids[1:]

    def score(self, y: np.ndarray, outputs: np.ndarray) -> float:
        shifted = outputs - outputs.max(axis=-1, keepdims=True)
        right = np.take_along_axis(shifted, y[..., None], axis=-1)[..., 0]
        nats = np.log(np.exp(shifted).sum(axis=-1)) - right
        return float(np.mean(nats, dtype=np.float64) / np.log(2))

    def floors(self, split: str = "val") -> dict[str, float]:
        train, scored = (corpora.encode(self.text(name), self.vocabulary) for name in ("train", split))
        bars = ngrams.cached_bars(corpora.load(self.corpus).sha256, train, scored, self.tokens)
        return dict(zip(BARS, bars, strict=False))

    def preprocessing(self) -> dict[str, Any]:
        return {"input": "int32 (batch, time)", "vocabulary": self.vocabulary, "unknown": 0}
