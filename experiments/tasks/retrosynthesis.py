"""Retrosynthesis: write what a molecule is made of, from its SMILES.

    x CNC(C)=O
    y CC(=O)O.CN

`source=library`: amides and esters of acids with amines and alcohols, which are compounds of the NCI that RDKit brings.
Six rules cut a molecule; see experiments/data/reactions.py. Only molecules are taken that exactly one cut fits, so the
answer is a function of the product. A building block belongs to one split for ever, by its sha256: 80 % train, 10 %
val, 10 % test. So no molecule of validation has a block that was trained on.

`source=moses` cuts the molecules of MOSES (Polykovskiy et al. 2020, arXiv:1811.12823) in the same way. pip downloads
them at the first use. Half of its test molecules validate, by their sha256, and the other half tests.
`source=uspto-50k` has reactions from patents, downloaded at the first use, with their own splits; `-o classes=true`
puts the class of the reaction in front. A symbol is an atom or a sign. The package RDKit is needed: pip install
'recurrent-search[chem]'.

Scored by exact match. Beside it stand `valid`, the share of written texts that are molecules, and `top_1` and `top_5`,
which compare molecules, not texts.

Solved: library 0.99; moses 0.8; uspto-50k has no such score.
Published, uspto-50k: Liu et al. 2017, doi 10.1021/acscentsci.7b00303, LSTM with attention and classes: 37.4 % right,
12.2 % no molecules; Duan et al. 2020, a transformer: 54.1 %.
Source: Liu et al. 2017.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import ClassVar

import numpy as np

from experiments.data import cache, moses, reactions, uspto
from experiments.tasks.base import SPLITS, option
from experiments.tasks.loading.finite_pairs import FinitePairs, split_of
from experiments.tasks.loading.pairs import BEAM, DECODED, Pair, Write
from tracking.deploy.predict import UNITS
from tracking.errors import BadInput

SHARES = (*["train"] * 8, "val", "test")
LICENCES = {"library": reactions.LICENCE, "moses": moses.LICENCE, "uspto-50k": uspto.LICENCE}
SOLVED = {"library": 0.99, "moses": 0.8}


@dataclass(frozen=True, kw_only=True)
class Retrosynthesis(FinitePairs):
    """x int32 `(count, product + reactants)`, y int32 `(count, reactants)`."""

    units: ClassVar[tuple[str, str]] = ("smiles", "smiles")
    lower: ClassVar[bool] = False
    finite_data: ClassVar[str] = "there are only so many molecules"
    default_trials: ClassVar[int] = 12
    default_epochs: ClassVar[int] = 8

    train: int = option(6_000, "training molecules that are used, from the first; 0 for all", 0)
    val: int = option(600, "the same for validation", 0)
    test: int = option(600, "the same for the test, read by finals and export alone", 0)
    source: str = option("library", "library, or moses or uspto-50k, both downloaded", choices=tuple(LICENCES))
    classes: bool = option(False, "the class of the reaction stands in front of the product; uspto-50k")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.classes and self.source != "uspto-50k":
            raise BadInput(f"classes: expected false with source={self.source}, which has no classes, got true")

    def read(self, name: str) -> list[Pair]:
        if self.source == "uspto-50k":
            found = uspto.reactions(name, self.classes)
        else:
            found = _cut(self.source, name, getattr(self, name))
        return [(UNITS["smiles"](product), UNITS["smiles"](reactants)) for product, reactants in found]

    def symbols(self) -> tuple[list[str], list[str]]:
        """Of the library also those of the building blocks that no molecule used for training has."""
        found = super().symbols()
        some = _blocks("train") if self.source == "library" else ()
        more = {symbol for blocks in some for block in blocks for symbol in UNITS["smiles"](block)}
        return sorted({*found[0], *more}), sorted({*found[1], *more})

    def floors(self, split: str = "val") -> dict[str, float]:
        """Of the library: a guess among all pairs of blocks, and among all acids, with the other block known.

        Of the others those of `FinitePairs`. No block of validation was trained on, so these would be 0 in the library.
        """
        if self.source != "library":
            return super().floors(split)
        acids, others = _blocks(split)
        return {"no_memory": 1 / (len(acids) * len(others)), "one_block": 1 / len(acids)}

    def samples(self, write: Write, seed: int) -> dict[str, float]:  # type: ignore[override]
        written: list[list[str]] = []

        def keeping(x: np.ndarray, beam: int) -> list[list[list[int]]]:
            found = write(x, beam)
            written.extend([reactions.canonical(self._text(ids)) for ids in several] for several in found)
            return found

        measures = super().samples(keeping, seed)
        right = [reactions.canonical("".join(target)) for _, target in self.pairs("val", seed, 0)[:DECODED]]
        answered = list(zip(written, right, strict=True))
        return {
            **measures,
            "valid": fmean(bool(several[0]) for several in written),
            "top_1": fmean(several[0] == target for several, target in answered),
            f"top_{BEAM}": fmean(target in several for several, target in answered),
        }

    def _text(self, ids: Sequence[int]) -> str:
        return "".join(self.answer(one) for one in ids)

    @property
    def licence(self) -> str:
        return LICENCES[self.source]

    @property
    def solved(self) -> float | None:
        return SOLVED.get(self.source)


@functools.cache
def _cut(source: str, name: str, count: int) -> list[tuple[str, str]]:
    """(product, reactants) of a split, 0 for all. They take long to make, so they are kept in the cache folder."""
    key = f"{source} {name} {count} {reactions.version()}"
    made = functools.partial(_library if source == "library" else _moses, name, count)
    return [(product, reactants) for product, reactants in cache.cached("molecules", key, made)]


def _library(name: str, count: int) -> list[tuple[str, str]]:
    acids, others = _blocks(name)
    return reactions.library(acids, others, count or len(acids) * len(others), SPLITS.index(name))


def _moses(name: str, count: int) -> list[tuple[str, str]]:
    if name == "train":
        return reactions.taken_apart(moses.molecules("train"), count)
    return reactions.taken_apart((one for one in moses.molecules("test") if split_of(one, SHARES[8:]) == name), count)


def _blocks(name: str) -> tuple[list[str], list[str]]:
    """The acids of a split, and its amines and alcohols."""
    own = {kind: [one for one in some if split_of(one, SHARES) == name] for kind, some in reactions.blocks().items()}
    return own["acid"], own["amine"] + own["alcohol"]
