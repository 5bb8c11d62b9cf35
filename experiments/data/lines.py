"""A text as a set of lines: each one a sequence of its own.

Worked example: the ids of "\\nab\\nc\\n" with newline=1, a=2, b=3, c=4 are rows of 3 steps, filled up with -1:

    x  1 2 3      y  2 3  1
       1 4 0         4 1 -1
"""

import functools

import numpy as np

from tracking.errors import DataError

FEWEST = 10  # different lines: a tenth of less is no validation split
LONGEST = 2_000  # characters of a line


@functools.lru_cache(maxsize=2)
def cut(text: str) -> tuple[list[str], list[str], list[str]]:
    """The different lines that are not empty, in one fixed random order: 80% to train, 10% to validate, 10% to test."""
    found = sorted({line.strip() for line in text.splitlines()} - {""})
    if len(found) < FEWEST:
        raise DataError(f"corpus: expected at least {FEWEST} different lines, got {len(found)}")
    longest = max(map(len, found))
    if longest > LONGEST:
        raise DataError(f"corpus: expected lines of at most {LONGEST:,} characters with lines=true, got {longest:,}")
    drawn = [found[place] for place in np.random.default_rng(0).permutation(len(found))]
    first, second = len(drawn) * 8 // 10, len(drawn) * 9 // 10
    return drawn[:first], drawn[first:second], drawn[second:]


def join(found: list[str]) -> str:
    """One text, with a newline before the first line and behind the last."""
    return "\n" + "".join(f"{line}\n" for line in found)


def rows(ids: np.ndarray, newline: int, steps: int, filler: int) -> tuple[np.ndarray, np.ndarray]:
    """x and y int32 `(lines, steps)` of the ids of a joined text; x is filled up with 0, y with `filler`."""
    ends = np.flatnonzero(ids == newline)
    place = ends[:-1, None] + np.arange(steps)  # of what is read, from a newline on
    inside = place < ends[1:, None]
    place = np.minimum(place, len(ids) - 2)
    return np.where(inside, ids[place], 0), np.where(inside, ids[place + 1], np.int32(filler))


def quality(samples: list[str], text: str) -> dict[str, float]:
    """Shares of sampled lines: valid (they came to an end), unique among these, and of the unique ones new to `text`.

    A sample that has come to an end ends with a newline. As in Polykovskiy et al. 2020, arXiv:1811.12823 (MOSES).
    """
    valid = [sample[:-1] for sample in samples if sample.endswith("\n") and len(sample) > 1]
    unique, known = set(valid), set(text.splitlines())
    return {
        "valid": len(valid) / len(samples),
        "unique": len(unique) / max(1, len(valid)),
        "novel": len(unique - known) / max(1, len(unique)),
    }
