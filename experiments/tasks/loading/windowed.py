"""Cuts long sequences with an answer at every step into windows; the answer of a window is that of its last step.

Worked example, one sequence of 5 steps, `window=3`, `stride=2`:

    x (1, 5, 1)  10 11 12 13 14     10 11 12   12 13 14
    y (1, 5)      a  a  b  b  c            b          c

Windows that overlap share steps. So a split by chance would test what was trained on.
"""

import numpy as np

from experiments.tasks.base import NOT_SCORED
from experiments.tasks.loading.answers import AUTO, NUMBERS, ONE_HOT
from experiments.tasks.loading.arrays import SUFFIXES, Split
from experiments.tasks.loading.splitting import GROUP, LEAST_GROUPS, ORDERED, RANDOM
from tracking.errors import BadInput, DataError

ABOUT = "cuts sequences with an answer at every step into windows of so many steps; 0: they stay whole"


def overlap(window: int, stride: int, how: str) -> int:
    """How many windows share a step with the one before them; they are left out between two splits in order."""
    return -(-window // stride) - 1 if window and how == ORDERED else 0


def cut(
    found: dict[str, Split], groups: np.ndarray | None, window: int, stride: int, how: str, kind: str
) -> tuple[dict[str, Split], np.ndarray | None]:
    """The windows of each split, and the group of each window of the first split.

    A window is never padded: a sequence that is shorter has none, and the steps behind its length are in none. A window
    without an answer, -1, "" or NaN, is left out. Without `groups` each sequence is a group.

    Args:
        how, kind: of -o split_by= and of -o kind=.

    Raises BadInput for options that do not fit together, and DataError for answers that are not given at every step
    and for a split without a window.
    """
    if not window:
        if stride != 1:
            raise BadInput(f"stride: expected 1 without window, got {stride}")
        return found, groups
    if how == RANDOM and len(found) == 1:
        raise BadInput(f"split_by: expected ordered or group with window, since windows overlap, got {how!r}")
    count = len(found["train"][0])
    if how == GROUP and groups is None and count < LEAST_GROUPS:
        expected = f"ordered for fewer than {LEAST_GROUPS} sequences without an array {GROUP!r}"
        raise BadInput(f"split_by: expected {expected}, got {how!r}")
    cuts = {name: _cut(split, window, stride, SUFFIXES[name], kind) for name, split in found.items()}
    sequence_of = cuts["train"][1]
    groups = np.arange(count) if groups is None else groups
    return {name: split for name, (split, _) in cuts.items()}, groups[sequence_of]


def _cut(split: Split, window: int, stride: int, suffix: str, kind: str) -> tuple[Split, np.ndarray]:
    """The windows, and the place of the sequence that each is from."""
    x, y, lengths = split
    steps = x.shape[1]
    rows = kind == ONE_HOT and y.ndim == 2 and y.dtype.kind != "U"  # one row for each sequence
    if y.shape[:2] != x.shape[:2] or rows:
        expected = f"y{suffix}: expected an answer at every step {x.shape[:2]}, which window cuts"
        raise DataError(f"{expected}, got {y.dtype} {y.shape}")
    lengths = np.full(len(x), steps) if lengths is None else lengths
    ends = np.arange(window - 1, steps, stride)
    fits = ends < lengths[:, None]
    if not fits.any():
        expected = f"at most the {int(lengths.max())} steps of the longest sequence of x{suffix}"
        raise DataError(f"window: expected {expected}, got {window}")
    sequences, places = np.nonzero(fits & _asked(y[:, ends], kind))
    if not len(sequences):
        raise DataError(f"y{suffix}: expected an answer at the last step of some window, got none")
    ends = ends[places]
    read = x[sequences[:, None], ends[:, None] + np.arange(1 - window, 1)]
    return (read, y[sequences, ends], None), sequences


def _asked(y: np.ndarray, kind: str) -> np.ndarray:
    """Where there is an answer, `(n, time)`; see answers.py."""
    if y.dtype.kind == "U":
        missing = y == ""
    elif kind == NUMBERS or (kind == AUTO and y.dtype.kind == "f"):
        missing = np.isnan(y)
    elif y.ndim == 3 and y.shape[2] > 1:  # one-hot rows; only if the user gives the kind, a row may have no 1
        missing = (y == 0) & (kind != AUTO)
    else:
        missing = y == NOT_SCORED
    return ~(missing.all(axis=2) if y.ndim == 3 else missing)
