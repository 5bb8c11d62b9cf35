"""Models without memory: what they answer at a step, from the step alone. Their scores are floors of a user's data.

x and `scored` are the steps of training, and of the split that is scored: tokens `(n,)`, or features `(n, features)`.
"""

import numpy as np

MOST_NUMBERS = 2**20  # differences that `nearest` has in memory at once


def numbers(x: np.ndarray, y: np.ndarray, scored: np.ndarray) -> dict[str, np.ndarray]:
    """What the mean of y, and what a step says, answer for numbers y `(n, values)`; `(scored, values)` each."""
    exact = y.astype(np.float64)
    said = (means if x.ndim == 1 else fit)(x, exact, scored)
    return {"constant": np.broadcast_to(exact.mean(axis=0), said.shape), "last_step": said}


def classes(x: np.ndarray, y: np.ndarray, scored: np.ndarray) -> dict[str, np.ndarray]:
    """What the most frequent class, and what a step says, answer for classes y `(n,)`; `(scored,)` each."""
    frequent = int(np.bincount(y).argmax())
    said = by_token(x, y, scored, frequent) if x.ndim == 1 else nearest(x, y, scored)
    return {"constant": np.full(len(scored), frequent), "last_step": said}


def fit(x: np.ndarray, y: np.ndarray, scored: np.ndarray) -> np.ndarray:
    """The answers of least squares on the features and a constant."""
    inputs, queries = (np.column_stack([array.astype(np.float64), np.ones(len(array))]) for array in (x, scored))
    return np.asarray(queries @ np.linalg.lstsq(inputs, y, rcond=None)[0])


def means(x: np.ndarray, y: np.ndarray, scored: np.ndarray) -> np.ndarray:
    """For each token the mean of its answers in training; for a new token the mean of all answers."""
    tokens, place, counts = np.unique(x, return_inverse=True, return_counts=True)
    sums = np.zeros((len(tokens), y.shape[1]))
    np.add.at(sums, place, y)
    found = np.minimum(np.searchsorted(tokens, scored), len(tokens) - 1)
    return np.where((tokens[found] == scored)[:, None], (sums / counts[:, None])[found], y.mean(axis=0))


def by_token(x: np.ndarray, y: np.ndarray, scored: np.ndarray, frequent: int) -> np.ndarray:
    """For each token its most frequent class in training; for a new token `frequent`."""
    pairs, counts = np.unique(np.column_stack([x, y]), axis=0, return_counts=True)
    order = np.lexsort((-pairs[:, 1], counts))
    best = np.full(max(x.max(), scored.max()) + 1, frequent)
    best[pairs[order, 0]] = pairs[order, 1]  # the last class in `order` wins: the most frequent, of equals the smallest
    return best[scored]


def nearest(x: np.ndarray, y: np.ndarray, scored: np.ndarray) -> np.ndarray:
    """The class whose mean is nearest; of equally near classes the smallest.

    Args:
        x: features `(n, features)` with the classes y `(n,)`.
        scored: features `(m, features)`. They are compared in blocks, so that the memory does not grow with m.
    """
    labels, centres = _centres(x, y)
    rows, answers = max(1, MOST_NUMBERS // centres.size), np.empty(len(scored), labels.dtype)
    for start in range(0, len(scored), rows):
        block = scored[start : start + rows]
        distances = ((block[:, None] - centres) ** 2).sum(axis=2)
        answers[start : start + rows] = labels[distances.argmin(axis=1)]
    return answers


def discriminant(x: np.ndarray, y: np.ndarray, scored: np.ndarray) -> np.ndarray:
    """The classes of a linear discriminant (Fisher 1936): the nearest mean, measured by the spread within the classes.

    A share of the average variance is added to the variance of every feature, since few samples of many features seem
    to have directions without any spread (Friedman 1989). The share is the number of features for each sample. The
    arguments are those of `nearest`.
    """
    labels, centres = _centres(x, y)
    within = x - centres[np.searchsorted(labels, y)]
    spread = within.T @ within / len(x)
    spread += np.eye(len(spread)) * np.trace(spread) / len(x)
    weights = np.linalg.solve(spread, centres.T)
    return np.asarray(labels[(scored @ weights - (centres.T * weights).sum(axis=0) / 2).argmax(axis=1)])


def _centres(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The classes that occur `(classes,)`, and the mean of each `(classes, features)`."""
    labels, counts = np.unique(y, return_counts=True)
    parts = np.split(x[np.argsort(y, kind="stable")], np.cumsum(counts)[:-1])
    return labels, np.array([part.mean(axis=0, dtype=np.float64) for part in parts])
