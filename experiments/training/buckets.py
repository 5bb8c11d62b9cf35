"""Batches of samples of similar length, so that most of them can be cut (search_spaces/bucketed.py).

Worked example, lengths 2 2 3 9 9 and two buckets, which end at 3 and at 9. The samples have 3 · 3 + 2 · 9 = 27 time
steps then, and 5 · 9 = 45 without buckets.
"""

from collections.abc import Sequence

import numpy as np

from experiments.tasks.base import NOT_SCORED, Arrays, Task
from experiments.training.windows import training_steps

KEYS = 64  # lengths that are compared when the buckets are chosen; the work grows with their square
ROWS = 4_096  # samples whose lengths are counted at once, so that little memory is needed

Bucket = tuple[int, ...]  # time steps of each side: of a source and a target, or of a sample


def of(task: Task, train: Arrays, count: int) -> tuple[list[Bucket], np.ndarray | None]:
    """The buckets of a training split, at most `count`, and the lengths of its samples as `sample_lengths` gives them.

    ([], None) if all samples would be in one bucket, and need no cut.
    """
    if count < 2:
        return [], None
    steps, lengths = train[0].shape[1], sample_lengths(task, train)
    found = choose(lengths, (task.source_steps, steps - task.source_steps) if task.source_steps else (steps,), count)
    return (found, lengths) if len(found) > 1 else ([], None)


def paid_steps(task: Task, train: Arrays, batch: int, count: int) -> float:
    """The training steps of an epoch. One whose batch is cut counts for as much as is left of it."""
    steps = float(training_steps(task, len(train[0]), batch))
    found, lengths = of(task, train, count)
    return steps if lengths is None else steps * share(lengths, found)


def sample_lengths(task: Task, arrays: Arrays) -> np.ndarray:
    """The time steps that each sample needs, int32 `(samples, sides)`.

    They end with the last step that is scored. A source, or a sample that is answered at its end, ends at its padding.
    """
    parts = [slice(start, start + ROWS) for start in range(0, len(arrays[0]), ROWS)]
    return np.concatenate([_lengths(task, *(np.asarray(side[part]) for side in arrays)) for part in parts])


def _lengths(task: Task, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    real = x != task.padding
    real = real.any(axis=2) if x.ndim == 3 else real
    scored = ~np.isnan(y) if task.loss == "mse" else y != NOT_SCORED
    last = (scored.any(axis=2) if y.ndim == 3 else scored) if task.per_step else real
    sides = [real[:, : task.source_steps], last] if task.source_steps else [last]
    return np.stack([_last(side) for side in sides], axis=1).astype(np.int32)


def _last(real: np.ndarray) -> np.ndarray:
    """The number of steps up to the last real one of each row; at least 1."""
    return np.maximum(1, (real * np.arange(1, real.shape[1] + 1)).max(axis=1))


def choose(lengths: np.ndarray, longest: Bucket, count: int) -> list[Bucket]:
    """At most `count` buckets with which the samples have the fewest time steps. The last one is `longest`.

    Args:
        lengths: as `sample_lengths` gives them.
    """
    total = lengths.sum(axis=1)
    keys = np.unique(np.quantile(total, np.linspace(0, 1, KEYS), method="higher"))
    groups = np.searchsorted(keys, total)
    sizes = np.concatenate([[0], np.cumsum(np.bincount(groups, minlength=len(keys)))])
    # The bucket that ends with a group is long enough for all samples of this group and of those before it.
    ends = np.maximum.accumulate([lengths[groups == group].max(axis=0) for group in range(len(keys))])
    ends[-1] = longest
    # For each group the fewest steps of all samples up to it, and the groups that the buckets end with.
    best: list[tuple[float, list[int]]] = [(0, []), *[(np.inf, [])] * len(keys)]
    for _ in range(min(count, len(keys))):
        more = list(best)
        for last in range(1, len(keys) + 1):
            for first in range(last):
                steps = best[first][0] + float((sizes[last] - sizes[first]) * ends[last - 1].sum())
                if steps < more[last][0]:
                    more[last] = steps, [*best[first][1], last - 1]
        best = more
    return [tuple(int(steps) for steps in ends[group]) for group in best[-1][1]]


def share(lengths: np.ndarray, buckets: Sequence[Bucket]) -> float:
    """The time steps of samples that are cut to their buckets, as a share of those that are not cut."""
    steps = np.sum(buckets, axis=1)
    return float(steps[places(lengths, buckets)].mean() / steps[-1])


def places(lengths: np.ndarray, buckets: Sequence[Bucket]) -> np.ndarray:
    """For each sample the place of the first bucket that is long enough."""
    fits = (np.array(buckets)[None] >= lengths[:, None]).all(axis=2)
    return np.asarray(fits.argmax(axis=1))


def shuffled(bucket_of: np.ndarray, batch: int, rng: np.random.Generator) -> np.ndarray:
    """All samples in a new order, in which the batches have samples of one bucket each, as far as possible.

    What is left of a bucket comes together with the samples of the next one. The last batch may be smaller.

    Args:
        bucket_of: the place of each sample's bucket.
    """
    left, batches = np.empty(0, np.int64), []
    for place in range(bucket_of.max() + 1):
        samples = np.concatenate([left, rng.permutation(np.flatnonzero(bucket_of == place))])
        full = len(samples) // batch * batch
        batches += list(samples[:full].reshape(-1, batch))
        left = samples[full:]
    return np.concatenate([*(batches[place] for place in rng.permutation(len(batches))), left])
