"""The bar for a language model: what models that only count the last few characters reach.

Interpolated n-gram models with Witten-Bell smoothing (Witten & Bell 1991, "The zero-frequency problem", method C):

    P(w | h) = (c(hw) + T(h) P(w | h')) / (c(h) + T(h))

where h is the history (the n - 1 symbols before w at order n), h' the history without its oldest symbol, c(hw) how
often w follows h in the training text, c(h) the sum of c(hw) over w, and T(h) the number of distinct w that follow h.
Below order 1 lies the uniform distribution; a history never seen in training leaves P(w | h').

Worked example: training text "aab" over the symbols {a, b}, evaluated on "ab". Order 1: c(a) = 2, c(b) = 1, c() = 3,
T() = 2, so P(a) = (2 + 2/2) / 5 = 3/5 and P(b) = 2/5. Order 2: after "a" both "a" and "b" came once, so
P(b | a) = (1 + 2 * 2/5) / (2 + 2) = 9/20. The first "a" has no history and keeps its 3/5. Bits per symbol:
-(log2 3/5 + log2 2/5) / 2 = 1.0294 at order 1, -(log2 3/5 + log2 9/20) / 2 = 0.9445 at order 2.
"""

import hashlib
from collections.abc import Iterator
from math import isfinite

import numpy as np

from experiments.data.cache import kept
from tracking.errors import DataError

FORMAT = 1  # raise it when a change here changes the numbers
ORDERS = 6


def bars(
    train: np.ndarray, evaluated: np.ndarray, symbols: int, orders: int = ORDERS, newline: int | None = None
) -> list[float]:
    """Bits per symbol of the models of order 1 to `orders`, counted on `train` and measured on `evaluated`.

    `train` and `evaluated` are ids (characters,) of any integer type, at least one each, from 0 to `symbols` - 1.
    No history reaches back from `evaluated` into `train`: the first symbols have shorter ones. With `newline`, the id
    of the symbol that stands before and behind each of many short texts, no history reaches back beyond it, and the
    first one, before which there is nothing, is not measured.

    Raises:
        ValueError: when ids are empty, not one-dimensional, not integers or out of range, or `orders` is below 1.
    """
    if orders < 1:
        raise DataError(f"orders: expected at least 1, got {orders}")
    train, evaluated = _checked("train", train, symbols), _checked("evaluated", evaluated, symbols)
    known, asked = (_reach(ids, newline) for ids in (train, evaluated))
    if not (asked >= 0).any():
        raise DataError(f"evaluated: expected symbols behind the first newline, got {len(evaluated)}")
    found = _probabilities(train, evaluated, symbols, orders, known, asked)
    return [float(np.log2(1 / p[asked >= 0]).mean()) for p in found]


def _reach(ids: np.ndarray, newline: int | None) -> np.ndarray:
    """How many symbols the history of each place has (characters,); -1 where there is nothing to predict."""
    places = np.arange(len(ids))
    if newline is None:
        return places
    last = np.maximum.accumulate(np.where(ids == newline, places, -1))  # newline up to each place
    return np.concatenate([[-1], places[1:] - last[:-1]])


def cached_bars(
    key: str, train: np.ndarray, evaluated: np.ndarray, symbols: int, newline: int | None = None
) -> list[float]:
    """`bars` of orders 1 to 6, kept in a file. Raises what `bars` raises.

    The numbers belong to the ids, so that no `key` can bring up another text's numbers; it says what was measured, a
    corpus's sha256 say.
    """
    train, evaluated = _checked("train", train, symbols), _checked("evaluated", evaluated, symbols)
    digest = hashlib.sha256(train.astype("<i8").tobytes())
    digest.update(evaluated.astype("<i8").tobytes())
    known = f"{FORMAT} {ORDERS} {symbols} {newline} {len(train)} {len(evaluated)} {key} {digest.hexdigest()}"
    return list(kept("ngrams", known, lambda: bars(train, evaluated, symbols, newline=newline), _valid))


def _valid(bits: object) -> bool:
    return isinstance(bits, list) and len(bits) == ORDERS and all(isinstance(b, float) and isfinite(b) for b in bits)


def _checked(name: str, ids: np.ndarray, symbols: int) -> np.ndarray:
    if ids.ndim != 1 or ids.size == 0 or ids.dtype.kind not in "iu":
        raise DataError(f"{name}: expected integers (characters,), at least one, got {ids.dtype} {ids.shape}")
    if ids.min() < 0 or ids.max() >= symbols:
        raise DataError(f"{name}: expected ids from 0 to {symbols - 1}, got {ids.min()} to {ids.max()}")
    return ids.astype(np.int64)


def _probabilities(
    train: np.ndarray, evaluated: np.ndarray, symbols: int, orders: int, known: np.ndarray, asked: np.ndarray
) -> Iterator[np.ndarray]:
    """For each order P(symbol | history) of every symbol of `evaluated`: (characters,) float64.

    `known` and `asked` are the symbols that the history of each place of `train` and `evaluated` has.
    """
    p = np.full(len(evaluated), 1 / symbols)
    # The n-grams that end at each place, as ids dense over both texts; at n = 0 the empty one, before every symbol.
    grams, seen = np.zeros(len(train) + 1, np.int64), np.zeros(len(evaluated) + 1, np.int64)
    for n in range(1, orders + 1):
        history = seen[:-1]
        packed = grams[:-1] * symbols + train[n - 1 :], history * symbols + evaluated[n - 1 :]
        distinct, dense = np.unique(np.concatenate(packed), return_inverse=True)
        grams, seen = dense[: len(packed[0])], dense[len(packed[0]) :]
        count = np.bincount(grams, known[n - 1 :] >= n - 1, minlength=len(distinct))
        total = np.bincount(distinct // symbols, count)[history]  # c(h)
        kinds = np.bincount(distinct // symbols, count > 0)[history]  # T(h)
        lower, p = p[n - 1 :], p.copy()  # the first n - 1 symbols have no such history
        smoothed = (count[seen] + kinds * lower) / np.maximum(total + kinds, 1)
        p[n - 1 :] = np.where((total > 0) & (asked[n - 1 :] >= n - 1), smoothed, lower)
        yield p
