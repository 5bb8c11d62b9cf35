"""Character language model: predict the next character of a text.

The text is cut into train, validation and test, 80/10/10 in order. Training reads it as contiguous streams in windows
and carries the state from window to window; validation starts from zero state and carries it through the split.

    text "abcab", ids a=1 b=2 c=3      x 1 2 3 1      y 2 3 1 2

With lines=true each line is a sequence of its own (a name, a molecule as SMILES), from a newline to a newline; lines
that come twice count once, and the splits are drawn at random.

Scored in bits per character: the mean of -log2 p(next character). Its floors are n-gram models of the same split
(interpolated Witten-Bell): an n-gram sees n-1 characters back and not one more, and never beyond the start of a line.

Solved: below the 5-gram.
Published, bits per character on ptb-char / text8: Bai et al. 2018, arXiv:1803.01271, 3,000,000 / 5,000,000 parameters,
2x600 with clipping at 0.5 / 1x1024, Adam 1e-2: LSTM 1.36 / 1.50, GRU 1.37 / 1.53, RNN 1.48 / 1.69.
Source: Karpathy, Johnson & Fei-Fei 2015, arXiv:1506.02078.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from experiments.data import corpora, lines, ngrams
from experiments.tasks.base import NOT_SCORED, SPLITS, Arrays, Draw, Task, cross_entropy, option
from tracking.errors import BadInput

BARS = ("unigram", "bigram", "trigram", "4-gram", "5-gram")
SAMPLES = 500  # lines


@dataclass(frozen=True, kw_only=True)
class CharLM(Task):
    """x and y int32 `(time,)`, one long sequence each, or with lines `(count, time)`; an unknown character has id 0."""

    metric: ClassVar[str] = "bits_per_character"
    knob: ClassVar[str] = "window"
    loss: ClassVar[str] = "categorical"
    per_step: ClassVar[bool] = True

    corpus: str = option(corpora.BUNDLED, f"{', '.join(corpora.names())}, or a UTF-8 text file")
    lines: bool = option(False, "each line is a sequence of its own, as in a list of names")
    window: int = option(64, "characters through which the gradient goes back, where lines do not end it", 2)
    train: int = option(0, "characters, or lines, of the training split that are used, from its start; 0 for all", 0)
    val: int = option(0, "the same for validation", 0)
    test: int = option(0, "the same for the test, read by export alone", 0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.online:
            raise BadInput("train: expected a number, got online: a text has only so many characters")
        if 1 in (self.train, self.val, self.test):
            raise BadInput("train, val, test: expected 0 for all, or 2 or more, got 1")

    @property
    def stream(self) -> bool:
        return not self.lines

    @property
    def steps(self) -> int:
        return self._longest if self.lines else self.window

    @property
    def reach(self) -> int:
        """Tallec & Ollivier's for characters of text8."""
        return 8

    @property
    def _longest(self) -> int:
        return 1 + max(len(line) for part in lines.cut(corpora.load(self.corpus).text) for line in part)

    def text(self, name: str) -> str:
        """The characters of a split; of lines, with a newline before the first and behind the last."""
        corpus, number, first = corpora.load(self.corpus), SPLITS.index(name), getattr(self, name) or None
        if self.lines:
            return lines.join(lines.cut(corpus.text)[number][:first])
        return corpus.splits[number][:first]

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

    def split(self, name: str, seed: int, epoch: int = 0) -> Arrays:
        ids = corpora.encode(self.text(name), self.vocabulary)
        if self.lines:
            return lines.rows(ids, self.vocabulary.index("\n"), self._longest, NOT_SCORED)
        return ids[:-1], ids[1:]

    def judge(self, y: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        return cross_entropy(y, outputs) / np.log(2)

    def floors(self, split: str = "val") -> dict[str, float]:
        train, scored = (corpora.encode(self.text(name), self.vocabulary) for name in ("train", split))
        newline = self.vocabulary.index("\n") if self.lines else None
        bars = ngrams.cached_bars(corpora.load(self.corpus).sha256, train, scored, self.tokens, newline)
        return dict(zip(BARS, bars, strict=False))

    def samples(self, draw: Draw) -> dict[str, float]:
        """Of sampled lines the shares that are valid, unique and novel."""
        if not self.lines:
            return {}
        return lines.quality(draw(SAMPLES, 2 * self._longest), self.text("train"))

    def words(self) -> list[str]:
        return [repr(character)[1:-1] for character in self.vocabulary]

    def answer(self, label: int) -> str:
        return self.words()[label]

    def preprocessing(self) -> dict[str, Any]:
        return {"input": "int32 (batch, time)", "vocabulary": self.vocabulary, "unknown": 0, "lines": self.lines}
