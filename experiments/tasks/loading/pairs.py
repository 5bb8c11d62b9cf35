"""What tasks share that write a target from a source: how pairs of symbols become arrays, and the score.

Worked example, with a source of at most 3 symbols, which is reversed (Sutskever et al. 2014, arXiv:1409.3215), and a
target of at most 2:

    source a b, target u     x  5 4 0  1 6 0      y  6 2 -1
                                b a    START u      u END

Ids of both sides: 0 padding, 1 START, 2 END, 3 unknown, then the symbols. The score is exact match: the share of
targets that are right at every step. The model reads the right symbols before each step. Where all answers up to a step
are right, that is what it has written itself, so the score is that of greedy decoding.
"""

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, ClassVar

import numpy as np

from experiments.tasks.base import NOT_SCORED, Arrays, Task
from experiments.tasks.loading.bleu import bleu, installed
from tracking.deploy.predict import END_ID as END  # an export reads and writes the same symbols by itself
from tracking.deploy.predict import START_ID as START
from tracking.deploy.predict import UNITS, joined
from tracking.deploy.predict import UNKNOWN_ID as UNKNOWN

DECODED, BEAM = 500, 5  # sources of the validation split that `samples` writes targets for, and with which beam
SPECIAL = ("", "<start>", "<end>", "<unk>")  # the names of the ids before those of the symbols

Pair = tuple[Sequence[str], Sequence[str]]
Write = Callable[[np.ndarray, int], list[list[list[int]]]]  # sources and a beam -> targets, the likeliest first


@dataclass(frozen=True, kw_only=True)
class PairTask(Task):
    """x int32 `(count, source + target)`, y int32 `(count, target)`; see `Task.source_steps`."""

    metric: ClassVar[str] = "exact"
    direction: ClassVar[str] = "max"
    loss: ClassVar[str] = "categorical"
    per_step: ClassVar[bool] = True
    units: ClassVar[tuple[str, str]] = ("characters", "words")  # of a source and of a target: see predict.UNITS
    lower: ClassVar[bool] = True  # an exported model reads a source in lower case

    def pairs(self, name: str, seed: int, epoch: int) -> list[Pair]:
        """The pairs of a split, as `Task.split` is asked for it."""
        raise NotImplementedError

    def symbols(self) -> tuple[list[str], list[str]]:
        """The symbols of sources and of targets, without the special ones, each in order."""
        raise NotImplementedError

    def most_symbols(self) -> tuple[int, int]:
        """The most symbols of a source and of a target."""
        raise NotImplementedError

    @functools.cached_property
    def _vocabularies(self) -> tuple[list[str], list[str]]:
        source, target = self.symbols()
        return [*SPECIAL, *source], [*SPECIAL, *target]

    @functools.cached_property
    def _places(self) -> list[dict[str, int]]:
        """The ids of the symbols of both sides."""
        return [{symbol: place for place, symbol in enumerate(known)} for known in self._vocabularies]

    @functools.cached_property
    def _most(self) -> tuple[int, int]:
        return self.most_symbols()

    @property
    def padding(self) -> float:
        return 0

    @property
    def tokens(self) -> int:
        return len(self._vocabularies[0])

    @property
    def outputs(self) -> int:
        return len(self._vocabularies[1])

    @property
    def source_steps(self) -> int:
        return self._most[0]

    @property
    def steps(self) -> int:
        return self.source_steps + self._most[1] + 1

    def split(self, name: str, seed: int, epoch: int = 0) -> Arrays:
        pairs = self.pairs(name, seed, epoch)
        x = np.zeros((len(pairs), self.steps), np.int32)
        y = np.full((len(pairs), self.steps - self.source_steps), NOT_SCORED, np.int32)
        x[:, self.source_steps] = START
        for row, (source, target) in enumerate(pairs):
            read, written = (
                [known.get(symbol, UNKNOWN) for symbol in side]
                for known, side in zip(self._places, (source, target), strict=True)
            )
            x[row, : len(read)] = read[::-1]
            x[row, self.source_steps + 1 : self.source_steps + 1 + len(written)] = written
            y[row, : len(written) + 1] = [*written, END]
        return x, y

    def judge(self, y: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        """1 for each sequence that is right at every step. The unknown symbol is never right."""
        right = ((outputs.argmax(axis=-1) == y) & (y != UNKNOWN)) | (y == NOT_SCORED)
        return right.all(axis=-1).astype(np.float64)

    def samples(self, write: Write, seed: int) -> dict[str, float]:  # type: ignore[override]
        """Measures of what a beam of 5 writes for the first sources of the validation split.

        The best of the five is right (`exact_of_beam_5`), one of the five is right (`right_among_5`), and the edit
        distance of the best one for each symbol of the targets (`edit_distance`). Of words also BLEU, if the package
        sacrebleu is there.
        """
        x, _ = self.split("val", seed)
        written = write(x[:DECODED, : self.source_steps], BEAM)
        answered = list(zip(written, self.answers("val", seed)[:DECODED], strict=True))
        measures = {
            f"exact_of_beam_{BEAM}": fmean(several[0] in right for several, right in answered),
            f"right_among_{BEAM}": fmean(any(one in right for one in several) for several, right in answered),
            "edit_distance": error_rate([(several[0], right) for several, right in answered]),
        }
        if self.units[1] == "words" and installed():
            texts = [self._joined([self.answer(one) for one in several[0]]) for several in written]
            found = bleu(texts, [self._joined(target) for _, target in self.pairs("val", seed, 0)[:DECODED]])
            measures |= {"bleu": found} if found is not None else {}
        return measures

    def _joined(self, target: Sequence[str]) -> str:
        """The text of a target's symbols."""
        return joined(list(target), {"units": self.units})

    def answers(self, name: str, seed: int) -> list[list[list[int]]]:
        """The right targets of each source of a split, as ids without END. By default each has one."""
        return [[self.ids_of_target(target)] for _, target in self.pairs(name, seed, 0)]

    def ids_of_target(self, target: Sequence[str]) -> list[int]:
        """-1 for a symbol that no model writes."""
        return [self._places[1].get(symbol, -1) for symbol in target]

    def preprocessing(self) -> dict[str, Any]:
        source, target = self._vocabularies
        return {
            "input": "int32 (batch, source + target)",
            "source_steps": self.source_steps,
            "source_vocabulary": source,
            "target_vocabulary": target,
            "target_steps": self.steps - self.source_steps,
            "units": list(self.units),
            "lower": self.lower,
            "padding": 0,
        }

    def token_names(self) -> Sequence[str]:
        return self._vocabularies[0]

    def answer(self, label: int) -> str:
        return self._vocabularies[1][label]


def words_of(text: str) -> list[str]:
    """The words and the signs of a text; "twenty-three, one" is "twenty-", "three", "," and "one"."""
    return UNITS["words"](text)


def sorted_symbols(sides: Iterable[Sequence[str]]) -> list[str]:
    """The different symbols, in order."""
    return sorted({symbol for side in sides for symbol in side})


def error_rate(answers: Iterable[tuple[Sequence[Any], Sequence[Sequence[Any]]]]) -> float:
    """The edit distances of all answers to their nearest right answer, for each symbol of these.

    Of phonemes it is the phoneme error rate, of words the word error rate.

    Args:
        answers: each with all of its right answers.
    """
    nearest = [min((distance(answer, one), len(one)) for one in right) for answer, right in answers]
    return sum(apart for apart, _ in nearest) / max(1, sum(size for _, size in nearest))


def distance(one: Sequence[Any], other: Sequence[Any]) -> int:
    """The edit distance (Levenshtein 1966): the fewest symbols to insert, delete or replace."""
    row = list(range(len(other) + 1))
    for place, symbol in enumerate(one, start=1):
        last, row[0] = row[0], place
        for index, expected in enumerate(other, start=1):
            last, row[index] = row[index], min(row[index] + 1, row[index - 1] + 1, last + (symbol != expected))
    return row[-1]
