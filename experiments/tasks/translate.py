"""Translate: write a number in the words of another language, from its letters.

    x dreiundzwanzig
    y twenty-three

Numbers have 1 to `digits` digits: first the number of digits is drawn uniformly, then the number. The source is read
letter by letter, from its end (Sutskever et al. 2014), and the target is written word by word. A number belongs to one
split for ever, by its checksum, so no number of validation or test is ever trained on. num2words writes the numbers.

Scored by exact match: the share of numbers that are written without a mistake. No memory: a guess among all numbers of
that many digits. Half of the memory: a guess among those with the same first half of the digits, rounded down.

Solved: 0.99.
Published: none for these numbers; attention is that of Luong et al. 2015, arXiv:1508.04025.
Source: Sutskever, Vinyals & Le 2014, arXiv:1409.3215.
"""

import functools
import zlib
from dataclasses import dataclass
from statistics import fmean
from typing import ClassVar

import numpy as np

from experiments.tasks.base import DATA_SEEDS, SPLITS, option
from experiments.tasks.loading.pairs import Pair, PairTask, sorted_symbols, words_of
from tracking.errors import BadInput

DEFAULT = "de-en"
SHARES = 12  # one share of the numbers is for validation, one for the test, the others for training
# These have all symbols of the numbers below a million, with what stands between thousands and hundreds.
SAID = (*range(1_000), *range(1_000, 1_000_000, 1_000), 1_001, 1_234, 21_300)


@dataclass(frozen=True, kw_only=True)
class Translate(PairTask):
    """x int32 `(count, letters + words)`, y int32 `(count, words)`."""

    knob: ClassVar[str] = "digits"
    default_trials: ClassVar[int] = 12
    default_epochs: ClassVar[int] = 6

    languages: str = option(DEFAULT, "from and to: two languages that num2words knows, like de-en or fr-es")
    digits: int = option(6, "digits of the longest numbers, at most 6", 2)
    val: int = option(1_000, "validation samples", 1)
    test: int = option(1_000, "test samples, read by finals and export alone", 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.digits > 6:
            raise BadInput(f"digits: expected at most 6, got {self.digits}")
        if self.languages != DEFAULT:  # num2words takes long to import
            for language in self._languages:
                _say(1, language)

    @property
    def _languages(self) -> list[str]:
        found = self.languages.split("-")
        if len(found) != 2:
            raise BadInput(f"languages: expected two languages, like de-en, got {self.languages!r}")
        return found

    def pairs(self, name: str, seed: int, epoch: int) -> list[Pair]:
        key = (DATA_SEEDS, SPLITS.index(name), *([epoch] if epoch else []))
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
        source, target = self._languages
        found: list[Pair] = []
        while len(found) < getattr(self, name):
            digits = int(rng.integers(1, self.digits + 1))
            number = int(rng.integers(10 ** (digits - 1) if digits > 1 else 0, 10**digits))
            if _split_of(number) == name:
                found.append((_say(number, source), words_of(_say(number, target))))
        return found

    def symbols(self) -> tuple[list[str], list[str]]:
        source, target = self._languages
        letters = sorted_symbols(_say(number, source) for number in SAID)
        return letters, sorted_symbols(words_of(_say(number, target)) for number in SAID)

    def longest(self) -> tuple[int, int]:
        source, target = self._languages
        small, large = SAID[:1_000], SAID[1_000:1_999] if self.digits > 3 else ()
        sizes = [
            sum(max((len(side(number)) for number in some), default=0) for some in (small, large))
            for side in (lambda number: _say(number, source), lambda number: words_of(_say(number, target)))
        ]
        return sizes[0] + 5, sizes[1] + 2  # "and", spaces and a comma may stand between thousands and hundreds

    @property
    def solved(self) -> float:
        return 0.99

    def floors(self, split: str = "val") -> dict[str, float]:
        sizes = range(1, self.digits + 1)
        return {
            "no_memory": fmean(1 / (10**size - 10 ** (size - 1) if size > 1 else 10) for size in sizes),
            "half_memory": fmean(10.0 ** -(size - size // 2) for size in sizes),
        }


@functools.lru_cache(maxsize=200_000)
def _say(number: int, language: str) -> str:
    """The number in words. Raises BadInput for a language that is not known."""
    from num2words import num2words

    try:
        return str(num2words(number, lang=language)).lower()
    except NotImplementedError:
        raise BadInput(f"languages: expected two that num2words knows, like de-en, got {language!r}") from None


def _split_of(number: int) -> str:
    """The split of a number, which no other split has."""
    place = zlib.crc32(str(number).encode()) % SHARES
    return {0: "val", 1: "test"}.get(place, "train")
