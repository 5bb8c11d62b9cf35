"""Word language model: predict the next word of a text.

    the cat sat           x  the cat sat <eos> the <unk>
    the dog sat           y  cat sat <eos> the <unk> sat     (vocabulary=5: <unk>, <eos>, the, sat, cat)

Words stand between spaces, and each line ends with <eos>. The vocabulary is made of the most frequent words of the
training split; all other words are <unk>. The text is read in windows as in char_lm, and the state is carried. Scored
in perplexity: e to the mean of -ln p(next word), <eos> included. The floors are n-gram models (interpolated
Witten-Bell), counted on the training split and scored on the same split as the model.

Solved: the score of the best n-gram model on validation, or less.
Published, test perplexity on ptb: Zaremba et al. 2014, arXiv:1409.2329, LSTM 2x200 115.9, 2x650 82.1, 2x1500 78.3 (SGD
1, halved from epoch 4 on, clipping at 5, 20 steps, batch 20, loss summed over the steps); Bai et al. 2018,
arXiv:1803.01271, 13,000,000 parameters, 3x700, SGD 30, clipping at 0.3, dropout 0.4: LSTM 78.9, GRU 92.5, RNN 114.5.
Source: Mikolov et al. 2010; Zaremba et al. 2014.
"""

import functools
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from experiments.data import ngrams, words
from experiments.tasks.base import SPLITS, Arrays, option
from experiments.tasks.loading.text import TextTask, cross_entropy


@dataclass(frozen=True, kw_only=True)
class WordLM(TextTask):
    """x and y int32 `(time,)`, one long sequence each; <unk> has id 0, <eos> 1."""

    metric: ClassVar[str] = "perplexity"
    knob: ClassVar[str] = "vocabulary"
    loss: ClassVar[str] = "categorical"
    per_step: ClassVar[bool] = True
    finite_data: ClassVar[str] = "a text has only so many words"
    default_trials: ClassVar[int] = 12
    default_epochs: ClassVar[int] = 5

    vocabulary: int = option(5_000, "words, <unk> and <eos> included: 2,000 is easy, 10,000 hard", 3)
    window: int = option(32, "words through which the gradient goes back", 2)
    train: int = option(0, "words that are used, from the start of the training split; 0 for all", 0)

    @property
    def stream(self) -> bool:
        return True

    @property
    def steps(self) -> int:
        return self.window

    @functools.cached_property
    def known_words(self) -> tuple[str, ...]:
        """`vocabulary` words: a word's place is its id."""
        return words.vocabulary(self._words("train"), self.vocabulary)

    def _words(self, name: str) -> tuple[str, ...]:
        return words.split(self._corpus.splits[SPLITS.index(name)])[: getattr(self, name) or None]

    @property
    def tokens(self) -> int:
        return len(self.known_words)

    @property
    def outputs(self) -> int:
        return self.tokens

    def _ids(self, name: str) -> np.ndarray:
        return words.encode(self._words(name), self.known_words)

    def split(self, name: str, seed: int, epoch: int = 0) -> Arrays:
        ids = self._ids(name)
        return ids[:-1], ids[1:]

    def judge(self, y: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        return cross_entropy(y, outputs)

    def summary(self, judged: np.ndarray) -> float:
        return float(np.exp(judged.mean()))

    @property
    def solved(self) -> float:
        return min(self.floors().values())

    def floors(self, split: str = "val") -> dict[str, float]:
        bars = ngrams.cached_bars(self._corpus.sha256, self._ids("train"), self._ids(split), self.tokens)
        return {name: 2.0**bits for name, bits in zip(ngrams.NAMES, bars, strict=False)}

    def token_names(self) -> tuple[str, ...]:
        return self.known_words

    def answer(self, label: int) -> str:
        return self.known_words[label]

    def preprocessing(self) -> dict[str, Any]:
        return {"input": "int32 (batch, time)", "vocabulary": list(self.known_words), "unknown": 0}
