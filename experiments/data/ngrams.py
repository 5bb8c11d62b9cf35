"""The floors of a language model: the scores of models that count which symbol follows the last few symbols.

Interpolated n-gram models with Witten-Bell smoothing (Witten & Bell 1991, "The zero-frequency problem", method C):

    P(w | h) = (c(hw) + T(h) P(w | h')) / (c(h) + T(h))

where h is the history (the n - 1 symbols before w at order n), h' the history without its oldest symbol, c(hw) how
often w follows h in the training text, c(h) the sum of c(hw) over w, and T(h) the number of distinct w that follow h.
Below order 1 stands the uniform distribution. A history that never occurs in training leaves P(w | h').

Worked example: training text "aab" over the symbols {a, b}, evaluated on "ab". Order 1: c(a) = 2, c(b) = 1, c() = 3,
T() = 2, so P(a) = (2 + 2/2) / 5 = 3/5 and P(b) = 2/5. Order 2: after "a" both "a" and "b" came once, so
P(b | a) = (1 + 2 * 2/5) / (2 + 2) = 9/20. The first "a" has no history and keeps its 3/5. Bits per symbol:
-(log2 3/5 + log2 2/5) / 2 = 1.0294 at order 1, -(log2 3/5 + log2 9/20) / 2 = 0.9445 at order 2.
"""

import hashlib
from collections.abc import Iterator
from math import isfinite

import numpy as np

from experiments.data.cache import cached
from tracking.errors import DataError

FORMAT = 1  # raise it when a change here changes the numbers
ORDERS = 6
NAMES = ("unigram", "bigram", "trigram", "4-gram", "5-gram")  # of the orders that are shown


def bars(
    train: np.ndarray, evaluated: np.ndarray, symbols: int, orders: int = ORDERS, newline: int | None = None
) -> list[float]:
    """Bits per symbol of the models of order 1 to `orders`, counted on `train` and measured on `evaluated`.

    No history reaches back from `evaluated` into `train`: the first symbols have shorter histories.

    Args:
        train, evaluated: ids (symbols,) of any integer type, at least one each, from 0 to `symbols` - 1.
        newline: the id of the symbol that stands before and behind each of many short texts, if there are many. Then no
            history reaches back beyond it, and the first newline, which nothing precedes, is not measured.

    Raises:
        DataError: when ids are empty, not one-dimensional, not integers or out of range, or `orders` is below 1.
    """
    if orders < 1:
        raise DataError(f"orders: expected at least 1, got {orders}")
    train, evaluated = _checked("train", train, symbols), _checked("evaluated", evaluated, symbols)
    train_sizes, sizes = (_history_sizes(ids, newline) for ids in (train, evaluated))
    if not (sizes >= 0).any():
        raise DataError(f"evaluated: expected symbols behind the first newline, got {len(evaluated)}")
    probabilities = _probabilities(train, evaluated, symbols, orders, train_sizes, sizes)
    return [float(np.log2(1 / p[sizes >= 0]).mean()) for p in probabilities]


def _history_sizes(ids: np.ndarray, newline: int | None) -> np.ndarray:
    """The number of symbols in the history of each place (symbols,); -1 where there is nothing to predict."""
    places = np.arange(len(ids))
    if newline is None:
        return places
    last = np.maximum.accumulate(np.where(ids == newline, places, -1))  # the last newline up to each place
    return np.concatenate([[-1], places[1:] - last[:-1]])


def cached_bars(
    key: str, train: np.ndarray, evaluated: np.ndarray, symbols: int, newline: int | None = None
) -> list[float]:
    """`bars` of orders 1 to 6, kept in a file. Raises what `bars` raises.

    The file's name depends on the ids, so a wrong `key` cannot return the numbers of another text. `key` says what was
    measured, for example the sha256 of a corpus.
    """
    train, evaluated = _checked("train", train, symbols), _checked("evaluated", evaluated, symbols)
    digest = hashlib.sha256(train.astype("<i8").tobytes())
    digest.update(evaluated.astype("<i8").tobytes())
    file_key = f"{FORMAT} {ORDERS} {symbols} {newline} {len(train)} {len(evaluated)} {key} {digest.hexdigest()}"
    return list(cached("ngrams", file_key, lambda: bars(train, evaluated, symbols, newline=newline), _valid))


def _valid(bits: object) -> bool:
    return isinstance(bits, list) and len(bits) == ORDERS and all(isinstance(b, float) and isfinite(b) for b in bits)


def _checked(name: str, ids: np.ndarray, symbols: int) -> np.ndarray:
    if ids.ndim != 1 or ids.size == 0 or ids.dtype.kind not in "iu":
        raise DataError(f"{name}: expected integers (characters,), at least one, got {ids.dtype} {ids.shape}")
    if ids.min() < 0 or ids.max() >= symbols:
        raise DataError(f"{name}: expected ids from 0 to {symbols - 1}, got {ids.min()} to {ids.max()}")
    return ids.astype(np.int64)


def _probabilities(
    train: np.ndarray, evaluated: np.ndarray, symbols: int, orders: int, train_sizes: np.ndarray, sizes: np.ndarray
) -> Iterator[np.ndarray]:
    """For each order P(symbol | history) of every symbol of `evaluated`: (symbols,) float64.

    `train_sizes` and `sizes` are the `_history_sizes` of `train` and `evaluated`.
    """
    p = np.full(len(evaluated), 1 / symbols)
    # The n-gram that ends at each place, as an id that both texts share. At n = 0 it is the empty one.
    grams, seen = np.zeros(len(train) + 1, np.int64), np.zeros(len(evaluated) + 1, np.int64)
    for n in range(1, orders + 1):
        history = seen[:-1]
        packed = grams[:-1] * symbols + train[n - 1 :], history * symbols + evaluated[n - 1 :]
        distinct, dense = np.unique(np.concatenate(packed), return_inverse=True)
        grams, seen = dense[: len(packed[0])], dense[len(packed[0]) :]
        count = np.bincount(grams, train_sizes[n - 1 :] >= n - 1, minlength=len(distinct))
        total = np.bincount(distinct // symbols, count)[history]  # c(h)
        kinds = np.bincount(distinct // symbols, count > 0)[history]  # T(h)
        lower, p = p[n - 1 :], p.copy()  # the first n - 1 symbols have no such history
        smoothed = (count[seen] + kinds * lower) / np.maximum(total + kinds, 1)
        p[n - 1 :] = np.where((total > 0) & (sizes[n - 1 :] >= n - 1), smoothed, lower)
        yield p
