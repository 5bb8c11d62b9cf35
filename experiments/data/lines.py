"""A text as a set of lines: each line is a separate sequence.

Worked example: the ids of "\\nab\\nc\\n" with newline=1, a=2, b=3, c=4 are rows of 3 steps, filled up with -1:

    x  1 2 3      y  2 3  1
       1 4 0         4 1 -1
"""

import functools

import numpy as np

from tracking.errors import DataError

MIN_LINES = 10  # different ones; a tenth of fewer is no validation split
MAX_CHARACTERS = 2_000  # of a line


@functools.lru_cache(maxsize=2)
def split_lines(text: str) -> tuple[list[str], list[str], list[str]]:
    """The different lines that are not empty, in one fixed random order, cut into train, val and test: 80/10/10."""
    distinct = sorted({line.strip() for line in text.splitlines()} - {""})
    if len(distinct) < MIN_LINES:
        raise DataError(f"corpus: expected at least {MIN_LINES} different lines, got {len(distinct)}")
    longest = max(map(len, distinct))
    if longest > MAX_CHARACTERS:
        raise DataError(
            f"corpus: expected lines of at most {MAX_CHARACTERS:,} characters with lines=true, got {longest:,}"
        )
    drawn = [distinct[place] for place in np.random.default_rng(0).permutation(len(distinct))]
    first, second = len(drawn) * 8 // 10, len(drawn) * 9 // 10
    return drawn[:first], drawn[first:second], drawn[second:]


def join_lines(split: list[str]) -> str:
    """One text, with a newline before the first line and behind the last."""
    return "\n" + "".join(f"{line}\n" for line in split)


def pad_lines(ids: np.ndarray, newline: int, steps: int, filler: int) -> tuple[np.ndarray, np.ndarray]:
    """x and y int32 `(lines, steps)` from the ids of a joined text; x is filled up with 0, y with `filler`."""
    ends = np.flatnonzero(ids == newline)
    place = ends[:-1, None] + np.arange(steps)  # x begins with the newline in front of the line
    inside = place < ends[1:, None]
    place = np.minimum(place, len(ids) - 2)
    return np.where(inside, ids[place], 0), np.where(inside, ids[place + 1], np.int32(filler))


def line_quality(samples: list[str], text: str) -> dict[str, float]:
    """The shares of sampled lines that are valid, unique and novel, as in MOSES (Polykovskiy 2020, arXiv:1811.12823).

    A sample is valid if it ends with a newline and is not empty. `unique` is the share of different lines among the
    valid ones. `novel` is the share of these different lines that are not in `text`.
    """
    valid = [sample[:-1] for sample in samples if sample.endswith("\n") and len(sample) > 1]
    unique, trained = set(valid), set(text.splitlines())
    return {
        "valid": len(valid) / len(samples),
        "unique": len(unique) / max(1, len(valid)),
        "novel": len(unique - trained) / max(1, len(unique)),
    }
