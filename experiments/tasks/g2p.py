"""G2p: write the sounds of a word from its letters (grapheme to phoneme).

    x nation
    y N EY SH AH N

`source=rules` has made-up words and a spelling with exact rules, much like English. A letter's sound depends on what is
around it: c is S before e and i, s between vowels is Z, a vowel is long before one consonant and a final e, which is
silent. `source=cmudict` is the CMU Pronouncing Dictionary, downloaded at the first use: words of letters and
apostrophes, sounds without stress. A word belongs to one split for ever, by its sha256: 90 % train, 5 % val, 5 % test.
Forms of one word may be in different splits, as in published ones. The source is read from its end.

Training has the first sounds of a word that has several, and so has the score, exact match. `exact_of_beam_5` takes any
of them: it is 1 less the word error rate, and `edit_distance` is the phoneme error rate.

Solved: rules 0.99; cmudict 0.7.
Published, CMUdict, other splits, error rates of phonemes and words: Yao & Zweig 2015, arXiv:1506.00196, aligned
bidirectional LSTM 5.45 % and 23.55 %; encoder and decoder of two LSTM layers with a beam 7.6 % and 28.6 %.
Source: Yao & Zweig 2015, arXiv:1506.00196.
"""

import functools
from dataclasses import dataclass
from typing import ClassVar

from experiments.data import cmudict, spelling
from experiments.tasks.base import SPLITS, option
from experiments.tasks.loading.finite_pairs import FinitePairs, sha256, split_of
from experiments.tasks.loading.pairs import Pair

SHARES = (*["train"] * 18, "val", "test")
WORDS = {"rules": spelling.words, "cmudict": cmudict.words}  # from a word to the sounds it may have


@dataclass(frozen=True, kw_only=True)
class G2p(FinitePairs):
    """x int32 `(count, letters + sounds)`, y int32 `(count, sounds)`. `FinitePairs` says what the floors are."""

    units: ClassVar[tuple[str, str]] = ("characters", "tokens")
    finite_data: ClassVar[str] = "a dictionary has only so many words"
    default_trials: ClassVar[int] = 12
    default_epochs: ClassVar[int] = 6

    source: str = option("rules", "rules, made-up words; cmudict, downloaded", choices=tuple(WORDS))
    longest: int = option(12, "the most letters and the most sounds; longer words are left out", 2)
    train: int = option(10_000, "training words that are used, from the first; 0 for all", 0)
    val: int = option(1_000, "the same for validation", 0)
    test: int = option(1_000, "the same for the test, read by finals and export alone", 0)

    def read(self, name: str) -> list[Pair]:
        return [(list(word), several[0]) for word, several in _split(self.source)[name]]

    def answers(self, name: str, seed: int) -> list[list[list[int]]]:
        known = dict(_split(self.source)[name])
        words = ("".join(source) for source, _ in self.pairs(name, seed, 0))
        return [[self.ids_of_target(sounds) for sounds in known[word]] for word in words]

    @property
    def licence(self) -> str:
        return cmudict.LICENCE if self.source == "cmudict" else "none is needed, since the words are made up"

    @property
    def solved(self) -> float:
        return 0.7 if self.source == "cmudict" else 0.99


@functools.cache
def _split(source: str) -> dict[str, list[tuple[str, list[list[str]]]]]:
    """The words of each split, each with the sounds it may have, in an order that nothing decides but the words."""
    found: dict[str, list[tuple[str, list[list[str]]]]] = {name: [] for name in SPLITS}
    words = WORDS[source]()
    for word in sorted(words, key=sha256):
        found[split_of(word, SHARES)].append((word, words[word]))
    return found
