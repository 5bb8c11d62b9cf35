"""A user's own pairs as a task: `recurrent search pairs.tsv`.

Each line of the file, in UTF-8, is a source, a tab and its target. A third column may say the split: train, val, test.
Without it each pair belongs to a split by the checksum of its source, as the model reads it: 80 % train, 10 % val, 10 %
test. So a source with several targets is in one split, and a pair stays in its split when lines are added.
"""

import functools
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from unicodedata import normalize

from experiments.tasks.base import SPLITS, option
from experiments.tasks.loading.finite_pairs import FinitePairs
from experiments.tasks.loading.own_file import stamp
from experiments.tasks.loading.pairs import Pair
from tracking.deploy.predict import UNITS
from tracking.errors import DataError

Rows = list[tuple[str, str, str]]  # source, target, split; "" where the file says none
SAME = "same"
ABOUT_UNITS = "what a symbol is: characters, words (and signs), tokens (between spaces) or smiles (atoms)"
SHARES = (*["train"] * 8, "val", "test")


@dataclass(frozen=True, kw_only=True)
class OwnPairs(FinitePairs):
    """Scored by exact match. `FinitePairs` says what the floors are."""

    rows: ClassVar[Rows]
    file: ClassVar[str]

    unit: str = option("characters", ABOUT_UNITS, choices=tuple(UNITS))
    target_unit: str = option(SAME, "the same for the target", choices=(SAME, *UNITS))
    lowercase: bool = option(False, "both sides are read in lower case")

    def __post_init__(self) -> None:
        super().__post_init__()
        target = self.unit if self.target_unit == SAME else self.target_unit
        object.__setattr__(self, "units", (self.unit, target))
        object.__setattr__(self, "lower", self.lowercase)
        for name, pairs in self._read.items():
            if not pairs:
                raise DataError(
                    f"{self.file}: expected pairs of the split {name}, got none of {len(self.rows):,} pairs"
                )

    def read(self, name: str) -> list[Pair]:
        return self._read[name]

    @functools.cached_property
    def _read(self) -> dict[str, list[Pair]]:
        found: dict[str, list[Pair]] = {name: [] for name in SPLITS}
        for source, target, split in self.rows:
            sides = (normalize("NFC", side.lower() if self.lower else side) for side in (source, target))
            read, written = (UNITS[unit](side) for unit, side in zip(self.units, sides, strict=True))
            place = zlib.crc32("\t".join(read).encode()) % len(SHARES)
            found[split or SHARES[place]].append((read, written))
        return found

    def about(self) -> str:
        return f"{self.file}: {super().about()}"


def task(name: str) -> type[OwnPairs]:
    """The task class of the file with this path. Raises DataError, in one line, for a missing or wrong file."""
    return _task(*stamp(name))


@functools.lru_cache(maxsize=2)
def _task(path: Path, modified: int, size: int) -> type[OwnPairs]:
    """`modified` (ns) and `size` (bytes) are part of the cache's key only."""
    about: dict[str, Any] = {"rows": read(path), "file": path.name, "__doc__": OwnPairs.__doc__}
    return type("OwnPairs", (OwnPairs,), about)


def read(path: Path) -> Rows:
    """The sources, the targets and the splits of a file. Raises DataError, in one line, for a wrong one."""
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path.name}: expected lines in UTF-8, got: {error}") from None
    found: Rows = []
    for number, line in enumerate(text.split("\n"), start=1):
        columns = [column.strip() for column in line.rstrip("\r").split("\t")]
        if not any(columns):
            continue
        where = f"{path.name}, line {number}"
        if len(columns) not in (2, 3):
            raise DataError(f"{where}: expected a source, a tab and a target, got {_columns(len(columns))}")
        if empty := [side for side, text in zip(("source", "target"), columns, strict=False) if not text]:
            raise DataError(f"{where}: expected a source and a target, got an empty {empty[0]}")
        split = columns[2].lower() if len(columns) == 3 else ""
        if split not in (*SPLITS, ""):
            hint = "; the file needs no header" if number == 1 else ""
            expected = f"the split in column 3, one of {', '.join(SPLITS)}"
            raise DataError(f"{where}: expected {expected}, got {columns[2]!r}{hint}")
        found.append((columns[0], columns[1], split))
    return found


def _columns(count: int) -> str:
    return "1 column" if count == 1 else f"{count} columns"
