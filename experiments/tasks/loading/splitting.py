"""Cuts a user's samples into train, val and test, 80/10/10: at random, in their order, or by groups.

With samples that were cut from one series, or that come from the same person, a random split tests what was trained on.
"""

import numpy as np

from experiments.tasks.base import SPLITS
from experiments.tasks.loading.arrays import Split, check_alike
from tracking.errors import BadInput, DataError

RANDOM, ORDERED, GROUP = "random", "ordered", "group"
KINDS = (RANDOM, ORDERED, GROUP)  # of -o split_by=
ABOUT = "how the file is split: random; ordered, as the samples stand; group: no value of its array group in two splits"
LEAST_GROUPS = 3
MIN_SAMPLES = 10  # a tenth of fewer is no validation split


def made(found: dict[str, Split], groups: np.ndarray | None, how: str, gap: int, shared: int = 0) -> dict[str, Split]:
    """The splits of a file, cut as the options say. Raises BadInput for an option that does not fit the file.

    Args:
        found: the splits that the file has.
        groups: the array `group` of the file.
        shared: windows in front of a split that share a step with it, and are left out; see windowed.py.
    """
    check_alike(found)
    if len(found) == len(SPLITS):
        if how != RANDOM:
            raise BadInput(f"split_by: expected {RANDOM} for a file that has its own splits, got {how!r}")
        if gap:
            raise BadInput(f"gap: expected 0 for a file that has its own splits, got {gap}")
        return found
    if gap and how != ORDERED:
        raise BadInput(f"gap: expected 0 without split_by={ORDERED}, got {gap}")
    if how == GROUP and groups is None:
        raise BadInput(f"split_by: expected a file with an array {GROUP!r} for {GROUP}, got one without")
    (data,) = found.values()
    if len(data[0]) < MIN_SAMPLES:
        raise DataError(f"x: expected at least {MIN_SAMPLES} samples to split 80/10/10, got {len(data[0])}")
    if how == GROUP and groups is not None:
        return by_group(data, groups)
    return ordered(data, gap, shared) if how == ORDERED else drawn(data)


def shown(how: str) -> str:
    """How the samples were split, for the line that describes the data; "" for at random."""
    return {RANDOM: "", ORDERED: ", in their order", GROUP: ", by group"}[how]


def drawn(data: Split) -> dict[str, Split]:
    """The samples in one fixed random order."""
    order = np.random.default_rng(0).permutation(len(data[0]))
    first, second = len(order) * 8 // 10, len(order) * 9 // 10
    return taken(data, {"train": order[:first], "val": order[first:second], "test": order[second:]})


def ordered(data: Split, gap: int, shared: int) -> dict[str, Split]:
    """The first 80 % are for training. `gap` samples in front of each later split are left out, or `shared` if more."""
    count, given, gap = len(data[0]), gap, max(gap, shared)
    first, second = count * 8 // 10, count * 9 // 10
    rows = {
        "train": np.arange(first - gap),
        "val": np.arange(first, second - gap),
        "test": np.arange(second, count),
    }
    if not all(own.size for own in rows.values()):
        most = min(first, second - first) - 1
        if shared > max(given, most):
            expected = f"at most {most} windows that share a step with the next split"
            raise DataError(f"window: expected {expected}, got {shared}: take a shorter window or a larger stride")
        raise DataError(f"gap: expected at most {most}, which leaves samples in every split, got {gap}")
    return taken(data, rows)


def by_group(data: Split, groups: np.ndarray) -> dict[str, Split]:
    """Whole groups in one fixed random order: the first are for training until 80 % of the samples are."""
    names, place, counts = np.unique(groups, return_inverse=True, return_counts=True)
    if len(names) < LEAST_GROUPS:
        raise DataError(f"group: expected at least {LEAST_GROUPS} different values, got {len(names)}")
    order = np.random.default_rng(0).permutation(len(names))
    before = np.cumsum(counts[order]) - counts[order]  # samples of the groups in front of each
    part = np.searchsorted([8 * len(place) / 10, 9 * len(place) / 10], before, side="right")
    part[0], part[-1] = 0, 2  # one large group may reach over a whole split
    if 1 not in part:
        part[-2] = 1
    split_of = np.empty(len(names), int)
    split_of[order] = part
    return taken(
        data, {name: np.flatnonzero(split_of[place] == at) for at, name in enumerate(("train", "val", "test"))}
    )


def taken(data: Split, rows: dict[str, np.ndarray]) -> dict[str, Split]:
    """The samples in these rows, for each split."""
    x, y, lengths = data
    return {name: (x[own], y[own], None if lengths is None else lengths[own]) for name, own in rows.items()}
