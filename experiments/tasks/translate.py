"""Translate: write a number, a date or a caption in the words of another language.

    x dreiundzwanzig
    y twenty-three

`source=numbers`: 1 to `digits` digits; first the number of digits is drawn uniformly, then the number. `source=dates`:
the days from 1900 to 2099. Both are read letter by letter, from the end (Sutskever et al. 2014), and the target is
written word by word. A number or day belongs to one split for ever, by its checksum, so none of validation or test is
ever trained on. In some languages, for example Italian, a long number is one word: then the target is written letter by
letter. A number may come several times: with 2 digits only 11 belong to validation. num2words writes the numbers, Babel
the dates. `source=multi30k-…` has 29,000 captions of pictures,
downloaded at the first use, in words and with their own splits.

Scored by exact match: the share of targets that are written without a mistake. No memory: a guess among all numbers of
that many digits, or among all days. Half of the memory: a guess among the numbers with the same first half of the
digits, rounded down, or among the years.

Solved: 0.99; multi30k has no such score.
Published: none for these numbers and dates; attention is that of Luong et al. 2015, arXiv:1508.04025.
Source: Sutskever, Vinyals & Le 2014, arXiv:1409.3215; Multi30k: Elliott et al. 2016, arXiv:1605.00459.
"""

import zlib
from dataclasses import dataclass
from types import ModuleType
from typing import ClassVar

import numpy as np

from experiments.data import dates, multi30k, numbers
from experiments.tasks.base import DATA_SEEDS, SPLITS, option
from experiments.tasks.loading.finite_pairs import FinitePairs
from experiments.tasks.loading.pairs import Pair, sorted_symbols, words_of
from tracking.deploy.predict import UNITS
from tracking.errors import BadInput

GENERATED: dict[str, ModuleType] = {"numbers": numbers, "dates": dates}
CAPTIONS = ("multi30k-de-en", "multi30k-en-de", "multi30k-en-fr")
DEFAULT = "de-en"
SHARES = 12  # one share of the numbers is for validation, one for the test, the others for training
BETWEEN = {"characters": 5, "words": 2}  # "and", spaces and a comma may stand between the parts of a number
CHECKED = 1_000  # numbers or days whose words are looked for among those of the examples


@dataclass(frozen=True, kw_only=True)
class Translate(FinitePairs):
    """x int32 `(count, letters + words)`, y int32 `(count, words)`."""

    knob: ClassVar[str] = "digits"
    finite_data: ClassVar[str] = ""
    default_trials: ClassVar[int] = 12
    default_epochs: ClassVar[int] = 6

    source: str = option("numbers", "numbers, dates, or captions that are downloaded", choices=(*GENERATED, *CAPTIONS))
    languages: str = option(DEFAULT, "from and to: two languages of numbers and dates, like de-en or fr-es")
    digits: int = option(6, "digits of the longest numbers, at most 6", 2)
    train: int = option(10_000, "training samples; online, online:N: N fresh ones in every epoch; 0: all captions", 0)
    val: int = option(1_000, "validation samples", 0)
    test: int = option(1_000, "test samples, read by finals and export alone", 0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.digits > 6:
            raise BadInput(f"digits: expected at most 6, got {self.digits}")
        if self._generated is None:
            object.__setattr__(self, "units", ("words", "words"))
            if self.online:
                raise BadInput("train: expected a number, got online: there are only so many captions")
            if self.languages != DEFAULT:
                raise BadInput(f"languages: expected them with numbers or dates, got source={self.source}")
            return
        if not (self.train and self.val and self.test):
            raise BadInput("train, val, test: expected 1 or more, got 0, which are all captions")
        if (self.source, self.languages) != ("numbers", DEFAULT):  # num2words takes long to import
            object.__setattr__(self, "units", ("characters", self._unit_of_target(self._generated)))

    def _unit_of_target(self, made: ModuleType) -> str:
        """Words, or characters where the examples do not have all words. In some languages a number is one word."""
        source, target = self._languages
        made.say(made.examples()[0], source)  # raises BadInput for a language that is not known
        known = {word for item in made.examples() for word in words_of(made.say(item, target))}
        rng = np.random.default_rng(0)
        drawn = (made.say(made.draw(rng, self.digits), target) for _ in range(CHECKED))
        return "words" if all(word in known for text in drawn for word in words_of(text)) else "characters"

    def _symbols_of_target(self, text: str) -> list[str]:
        return UNITS[self.units[1]](text)

    @property
    def _generated(self) -> ModuleType | None:
        """What draws samples and says them; None for captions."""
        return GENERATED.get(self.source)

    @property
    def _languages(self) -> list[str]:
        found = self.languages.split("-") if self._generated else self.source.split("-")[1:]
        if len(found) != 2:
            raise BadInput(f"languages: expected two languages, like de-en, got {self.languages!r}")
        return found

    def read(self, name: str) -> list[Pair]:
        sides = [multi30k.sentences(name, language) for language in self._languages]
        return [(words_of(source), words_of(target)) for source, target in zip(*sides, strict=True)]

    def pairs(self, name: str, seed: int, epoch: int) -> list[Pair]:
        made = self._generated
        if made is None:
            return super().pairs(name, seed, epoch)
        key = (DATA_SEEDS, SPLITS.index(name), *([epoch] if epoch else []))
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
        source, target = self._languages
        found: list[Pair] = []
        while len(found) < getattr(self, name):
            item = made.draw(rng, self.digits)
            if _split_of(item) == name:
                found.append((made.say(item, source), self._symbols_of_target(made.say(item, target))))
        return found

    def symbols(self) -> tuple[list[str], list[str]]:
        made = self._generated
        if made is None:
            return super().symbols()
        source, target = self._languages
        letters = sorted_symbols(made.say(item, source) for item in made.examples())
        return letters, sorted_symbols(self._symbols_of_target(made.say(item, target)) for item in made.examples())

    def most_symbols(self) -> tuple[int, int]:
        made = self._generated
        if made is None:
            return super().most_symbols()
        source, target = self._languages
        parts = made.parts(self.digits)
        letters = sum(max(len(made.say(item, source)) for item in part) for part in parts)
        written = sum(max(len(self._symbols_of_target(made.say(item, target))) for item in part) for part in parts)
        return letters + BETWEEN["characters"], written + BETWEEN[self.units[1]]

    @property
    def solved(self) -> float | None:
        return 0.99 if self._generated else None

    @property
    def licence(self) -> str:
        return "none is needed, since the data are generated" if self._generated else multi30k.LICENCE

    def floors(self, split: str = "val") -> dict[str, float]:
        return dict(self._generated.floors(self.digits)) if self._generated else super().floors(split)

    def about(self) -> str:
        return "" if self._generated else super().about()


def _split_of(item: int) -> str:
    """The split of a number or a day, which no other split has."""
    place = zlib.crc32(str(item).encode()) % SHARES
    return {0: "val", 1: "test"}.get(place, "train")
