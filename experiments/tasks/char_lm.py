"""Character language model: predict the next character of a text.

The text is cut into train, validation and test, 80/10/10 in order. Training reads it as contiguous streams in windows
and carries the state from window to window; validation starts from zero state and carries it through the split.

    text "abcab", ids a=1 b=2 c=3      x 1 2 3 1      y 2 3 1 2

With lines=true each line is a separate sequence (a name, a molecule as SMILES), from a newline to a newline. A line
that comes twice counts once, and the splits are drawn at random.

Scored in bits per character: the mean of -log2 p(next character). The floors are n-gram models (interpolated
Witten-Bell), counted on the training split and scored on the same split as the model. An n-gram model sees only the
last n-1 characters, and none before the start of a line.

Solved: the score of the best n-gram model on validation, mostly the 5-gram, or less.
Published, bits per character on ptb-char / text8: Bai et al. 2018, arXiv:1803.01271, 3,000,000 / 5,000,000 parameters,
2x600 with clipping at 0.5 / 1x1024, Adam 1e-2: LSTM 1.36 / 1.50, GRU 1.37 / 1.53, RNN 1.48 / 1.69.
Source: Karpathy, Johnson & Fei-Fei 2015, arXiv:1506.02078.
"""

import functools
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from experiments.data import corpora, ngrams
from experiments.data.lines import join_lines, line_quality, pad_lines, split_lines
from experiments.tasks.base import NOT_SCORED, SPLITS, Arrays, Draw, option
from experiments.tasks.loading.text import TextTask, cross_entropy

SAMPLED_LINES = 500


@dataclass(frozen=True, kw_only=True)
class CharLM(TextTask):
    """x and y int32 `(time,)`, one long sequence each, or with lines `(count, time)`; an unknown character has id 0."""

    metric: ClassVar[str] = "bits_per_character"
    knob: ClassVar[str] = "window"
    loss: ClassVar[str] = "categorical"
    per_step: ClassVar[bool] = True
    finite_data: ClassVar[str] = "a text has only so many characters"
    default_trials: ClassVar[int] = 12
    default_epochs: ClassVar[int] = 5

    lines: bool = option(False, "each line is a separate sequence, as in a list of names")
    window: int = option(64, "characters through which the gradient goes back; not used with lines=true", 2)
    train: int = option(0, "characters or lines that are used, from the start of the training split; 0 for all", 0)

    @property
    def stream(self) -> bool:
        return not self.lines

    @property
    def steps(self) -> int:
        return self._longest_line("train") if self.lines else self.window

    @property
    def reach(self) -> int:
        """The number that Tallec & Ollivier use for the characters of text8."""
        return 8

    def _longest_line(self, name: str) -> int:
        """Characters of a split's longest line, its newline included. With reading 1 the lines of all splits count."""
        splits = split_lines(self._corpus.text)
        lines = sum(splits, []) if self.reading == 1 else splits[SPLITS.index(name)][: getattr(self, name) or None]
        return 1 + max(map(len, lines))

    def text(self, name: str) -> str:
        """The characters of a split. With lines=true it has a newline before the first line and behind the last."""
        corpus, place, limit = self._corpus, SPLITS.index(name), getattr(self, name) or None
        if self.lines:
            return join_lines(split_lines(corpus.text)[place][:limit])
        return corpus.splits[place][:limit]

    @functools.cached_property
    def characters(self) -> str:
        """One character for the unknown, then those of the training split: a character's place is its id."""
        return corpora.vocabulary(self.text("train"))

    @property
    def tokens(self) -> int:
        return len(self.characters)

    @property
    def outputs(self) -> int:
        return self.tokens

    def split(self, name: str, seed: int, epoch: int = 0) -> Arrays:
        ids = corpora.encode(self.text(name), self.characters)
        if self.lines:
            return pad_lines(ids, self.characters.index("\n"), self._longest_line(name), NOT_SCORED)
        return ids[:-1], ids[1:]

    def judge(self, y: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        return cross_entropy(y, outputs) / np.log(2)

    @property
    def solved(self) -> float:
        return min(self.floors().values())

    def floors(self, split: str = "val") -> dict[str, float]:
        train, scored = (corpora.encode(self.text(name), self.characters) for name in ("train", split))
        newline = self.characters.index("\n") if self.lines else None
        bars = ngrams.cached_bars(self._corpus.sha256, train, scored, self.tokens, newline)
        return dict(zip(ngrams.NAMES, bars, strict=False))

    def samples(self, draw: Draw) -> dict[str, float]:
        """The shares of sampled lines that are valid, unique and novel."""
        if not self.lines:
            return {}
        return line_quality(draw(SAMPLED_LINES, 2 * self.steps), self.text("train"))

    def about(self) -> str:
        """How many lines each split has, how long they are, and how much the training split lacks."""
        if not self.lines:
            return ""
        answers = {name: self.split(name, 0)[1] for name in SPLITS}
        sizes = [f"{len(y):,} {name} of up to {y.shape[1]} characters" for name, y in answers.items()]
        unknown = {name: np.count_nonzero(y == 0) for name, y in answers.items()}
        missing = [f"{count:,} characters of {name}" for name, count in unknown.items() if count]
        line = f"{self._corpus.name}: lines: {', '.join(sizes)}"
        return f"{line}; not in train: {', '.join(missing)}" if missing else line

    def token_names(self) -> list[str]:
        return [repr(character)[1:-1] for character in self.characters]

    def answer(self, label: int) -> str:
        return self.token_names()[label]

    def preprocessing(self) -> dict[str, Any]:
        return {"input": "int32 (batch, time)", "vocabulary": self.characters, "unknown": 0, "lines": self.lines}
