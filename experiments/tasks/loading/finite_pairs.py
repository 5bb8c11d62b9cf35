"""What tasks share whose sources and targets are a finite list, such as a dictionary or a user's own file.

The symbols are those of the training split; with `vocabulary` only its most frequent ones. Any other symbol is read and
written as the unknown one, and a target with it counts as wrong. Pairs with more than `longest` symbols on a side are
left out, and the first line of a search counts them.
"""

import functools
import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from experiments.tasks.base import SPLITS, option
from experiments.tasks.loading.bleu import INSTALL, installed
from experiments.tasks.loading.pairs import UNKNOWN, Pair, PairTask
from tracking.errors import DataError

MOST_KNOWN, MOST_SCORED = 20_000, 2_000  # pairs that `nearest` compares; each is compared with each


@dataclass(frozen=True, kw_only=True)
class FinitePairs(PairTask):
    """There are two floors. `constant` is the most frequent target of training. `nearest` is the target of the training
    source that is most alike: the cosine of the counts of its parts of up to three symbols, rare ones counting more.
    The first 20,000 pairs of training and the first 2,000 of the split decide about `nearest`.
    """

    knob: ClassVar[str] = "longest"
    finite_data: ClassVar[str] = "there are only so many pairs"

    train: int = option(0, "training pairs that are used, from the first; 0 for all", 0)
    val: int = option(0, "the same for validation", 0)
    test: int = option(0, "the same for the test, read by finals and export alone", 0)
    longest: int = option(60, "the most symbols of a source or a target; longer pairs are left out", 1)
    vocabulary: int = option(0, "the most frequent symbols that each side keeps; 0 for all", 0)

    def read(self, name: str) -> list[Pair]:
        """All pairs of a split, in their order."""
        raise NotImplementedError

    @functools.cached_property
    def _all(self) -> dict[str, list[Pair]]:
        return {name: self.read(name) for name in SPLITS}

    @functools.cached_property
    def _splits(self) -> dict[str, list[Pair]]:
        return {name: pairs[: getattr(self, name) or None] for name, pairs in self._fitting.items()}

    @functools.cached_property
    def _fitting(self) -> dict[str, list[Pair]]:
        """The pairs of each split that are short enough. No side is longer than the longest one of training."""
        found, most = {}, (self.longest, self.longest)
        for name, pairs in self._all.items():
            found[name] = [pair for pair in pairs if len(pair[0]) <= most[0] and len(pair[1]) <= most[1]]
            if not found[name]:
                raise DataError(f"{name}: expected a pair of at most {most[0]} and {most[1]} symbols, got none")
            if name == "train":
                most = max(len(source) for source, _ in found[name]), max(len(target) for _, target in found[name])
        return found

    def pairs(self, name: str, seed: int, epoch: int) -> list[Pair]:
        SPLITS.index(name)  # raises ValueError for another name
        return self._splits[name]

    def symbols(self) -> tuple[list[str], list[str]]:
        source, target = (self._kept([pair[side] for pair in self._splits["train"]]) for side in (0, 1))
        return source, target

    def _kept(self, sides: list[Sequence[str]]) -> list[str]:
        """The symbols in order; of two equally frequent ones the one that occurs first is kept."""
        counts = Counter(symbol for side in sides for symbol in side)
        return sorted(symbol for symbol, _ in counts.most_common(self.vocabulary or None))

    def most_symbols(self) -> tuple[int, int]:
        pairs = self._fitting["train"]
        return max(len(source) for source, _ in pairs), max(len(target) for _, target in pairs)

    def floors(self, split: str = "val") -> dict[str, float]:
        train, scored = self._splits["train"], self._splits[split]
        frequent, _ = Counter(tuple(target) for _, target in train).most_common(1)[0]
        right = [tuple(target) for _, target in scored]
        found = _nearest(train[:MOST_KNOWN], scored[:MOST_SCORED])
        return {
            "constant": sum(target == frequent for target in right) / len(right),
            "nearest": sum(target == tuple(one) for target, one in zip(right, found, strict=False)) / len(found),
        }

    def about(self) -> str:
        """How many pairs each split has, how many are left out, and how much the training split lacks."""
        source, target = self.units
        parts = [f"{len(self._splits[name]):,} {name}{self._notes(name)}" for name in SPLITS]
        lacking = f"; no BLEU without sacrebleu: {INSTALL}" if target == "words" and not installed() else ""
        return f"pairs: {', '.join(parts)}; {self.tokens - 4:,} {source} to {self.outputs - 4:,} {target}{lacking}"

    def _notes(self, name: str) -> str:
        x, y = self.split(name, 0)
        counts = {
            "too long, left out": len(self._all[name]) - len(self._fitting[name]),
            "with a source that train has": self._repeated(name),
            "with an unknown symbol in the source": int((x[:, : self.source_steps] == UNKNOWN).any(axis=1).sum()),
            "with one in the target, scored as wrong": int((y == UNKNOWN).any(axis=1).sum()),
        }
        notes = [f"{count:,} {what}" for what, count in counts.items() if count]
        return f" ({', '.join(notes)})" if notes else ""

    def _repeated(self, name: str) -> int:
        """How many pairs of a later split have a source of the first. A model that knows those by heart seems good."""
        known = {tuple(source) for source, _ in self._splits["train"]} if name != "train" else set()
        return sum(tuple(source) in known for source, _ in self._splits[name])


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def split_of(text: str, shares: Sequence[str]) -> str:
    """The split that a text belongs to for ever, one of `shares`, by its sha256."""
    return shares[int(sha256(text)[:12], 16) % len(shares)]


def _nearest(train: list[Pair], scored: list[Pair]) -> list[Sequence[str]]:
    """For each pair the target of the training source that is most alike; of equals the first one."""
    places = defaultdict[tuple[str, ...], list[tuple[int, int]]](list)
    for row, (source, _) in enumerate(train):
        for part, count in Counter(_parts(source)).items():
            places[part].append((row, count))
    # The rows of training that have a part, and how often.
    having = {part: np.array(some).T for part, some in places.items()}
    weights = {part: 1 + math.log((1 + len(train)) / (1 + len(some))) for part, some in places.items()}
    norms = np.zeros(len(train))
    for part, (rows, counts) in having.items():
        norms[rows] += (weights[part] * counts) ** 2
    norms = np.sqrt(norms)
    found: list[Sequence[str]] = []
    for source, _ in scored:
        alike = np.zeros(len(train))
        for part, count in Counter(_parts(source)).items():
            if part in having:
                rows, counts = having[part]
                alike[rows] += weights[part] ** 2 * count * counts
        found.append(train[int((alike / norms).argmax())][1])
    return found


def _parts(symbols: Sequence[str]) -> list[tuple[str, ...]]:
    """All runs of one to three symbols, with a mark at both ends."""
    marked = ["<start>", *symbols, "<end>"]
    return [tuple(marked[start : start + size]) for size in (1, 2, 3) for start in range(len(marked) - size + 1)]
