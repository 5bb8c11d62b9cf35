"""What y of a user's file means: classes or numbers, one answer for each sequence or one at every step.

    integers or strings (n,)      a class                integers or strings (n, time)   a class at every step
    0 and 1 (n, classes)          a class, one-hot       0 and 1 (n, time, classes)      the same at every step
    floats (n,) or (n, values)    numbers                floats (n, time, values)        numbers at every step, or NaN

What may be both is refused: many different integers, few different whole floats, and integers (n, time) whose rows are
all one-hot, so that they may be (n, classes). `-o kind=` decides then.
"""

from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from experiments.tasks.base import NOT_SCORED
from experiments.tasks.loading.arrays import SUFFIXES, Split
from tracking.errors import DataError

AUTO, CLASSES, NUMBERS, ONE_HOT = "auto", "classes", "numbers", "one-hot"
KINDS = (AUTO, CLASSES, ONE_HOT, NUMBERS)  # of -o kind=
ABOUT = "what y is: classes (labels), one-hot (a row of 0 and 1 for a class), numbers, or auto: as y looks"
FEW = 20  # different values that are few, however few answers there are
MANY = 100  # different values, above which they are many; between the two, half of the answers decides
ASK = "give -o kind=classes or -o kind=numbers"


@dataclass(frozen=True)
class Answers:
    """y of each split as it is trained on.

    Args:
        y: for classes the places of the labels in `labels`, int32 `(n,)` or `(n, time)`, -1 where none is asked; for
            numbers float32 `(n, values)` or `(n, time, values)`, NaN where none is asked.
        labels: the labels of all splits in order, integers or strings; none for numbers.
        one_hot: the file has the classes as one-hot rows.
    """

    y: dict[str, np.ndarray]
    labels: np.ndarray
    one_hot: bool = False

    @property
    def classes(self) -> bool:
        """True for classes, False for numbers."""
        return self.labels.size > 0

    @property
    def per_step(self) -> bool:
        return self.y["train"].ndim == (2 if self.classes else 3)


def read(splits: dict[str, Split], kind: str) -> Answers:
    """The answers of the splits, read as `kind` says. Raises DataError in one line if they cannot be."""
    if kind == AUTO:
        _refuse_either(*splits["train"][:2])
    ys = {name: _with_values(y, x.shape[1], name, kind) for name, (x, y, _) in splits.items()}
    real = {name: _real(ys[name], lengths) for name, (_, _, lengths) in splits.items()}
    meaning = _meaning(ys["train"], real["train"], kind)
    if meaning == NUMBERS:
        return _numbers(ys, real)
    found = {name: _labels(y, real[name], name, meaning, kind) for name, y in ys.items()}
    labels = np.unique(np.concatenate([values[asked] for values, asked in found.values()]))
    if not labels.size:
        raise DataError("y: expected a class somewhere, got none: all are -1")
    places = {name: np.searchsorted(labels, values) for name, (values, _) in found.items()}
    y = {name: np.where(found[name][1], place, NOT_SCORED).astype(np.int32) for name, place in places.items()}
    return Answers(y, labels, meaning == ONE_HOT)


def read_as_before(splits: dict[str, Split]) -> Answers:
    """The answers as a search without `reading` in its spec read them: integers are classes, floats are numbers."""
    if splits["train"][1].dtype.kind == "f":
        return _numbers({name: _with_values(y, x.shape[1], name) for name, (x, y, _) in splits.items()}, {})
    y = {name: y.astype(np.int32) for name, (_, y, _) in splits.items()}
    return Answers(y, np.arange(1 + max(int(part.max()) for part in y.values())))


def _refuse_either(x: np.ndarray, y: np.ndarray) -> None:
    """Raises DataError for integers that may be one-hot rows `(n, classes)`, or classes 0 and 1 `(n, time)`."""
    if y.dtype.kind == "i" and y.shape == x.shape[:2] and y.shape[1] > 1 and _are_one_hot(y, False, AUTO):
        raise DataError(
            f"y: expected one class for each sequence, or one at every step, got one-hot rows of integers {y.shape},"
            f" which may be both; give -o kind={ONE_HOT} for {y.shape[1]} classes, or -o kind={CLASSES} for 0 or 1 at"
            f" every one of the {y.shape[1]} steps"
        )


def _with_values(y: np.ndarray, steps: int, name: str, kind: str = AUTO) -> np.ndarray:
    """y with an axis of values: `(n, values)`, or `(n, time, values)` where every step has an answer."""
    at_steps = y.ndim == 2 and y.shape[1] == steps and y.dtype.kind != "f" and (kind != ONE_HOT or y.dtype.kind == "U")
    found = y[..., None] if y.ndim == 1 or at_steps else y
    fits = found.ndim == 2 or (found.ndim == 3 and found.shape[1] == steps)
    if not fits or 0 in found.shape[1:] or (y.dtype.kind == "U" and found.shape[-1] > 1):
        raise DataError(
            f"y{SUFFIXES[name]}: expected labels (n,) or (n, time={steps}), one-hot rows (n, classes), or floats (n,),"
            f" (n, values) or (n, time={steps}, values), got {y.dtype} {y.shape}"
        )
    return found


def _real(y: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
    """True for the rows of y in front of the ends of their sequences."""
    if y.ndim == 2 or lengths is None:
        return np.ones(y.shape[:-1], bool)
    return np.asarray(np.arange(y.shape[1]) < lengths[:, None])


def _meaning(y: np.ndarray, real: np.ndarray, kind: str) -> str:
    """CLASSES (labels), ONE_HOT or NUMBERS, from y of the training split."""
    rows, floats = y[real], y.dtype.kind == "f"
    if y.dtype.kind == "U":
        if kind in (NUMBERS, ONE_HOT):
            raise DataError(f"y: expected numbers for -o kind={kind}, got strings, for example {str(rows[0, 0])!r}")
        return CLASSES
    if kind == NUMBERS:
        return NUMBERS
    if y.shape[-1] > 1 or kind == ONE_HOT:
        return _meaning_of_rows(rows, floats, y.ndim == 3, kind)
    whole = not floats or bool((rows == np.round(rows)).all())
    if kind == CLASSES and not whole:
        raise DataError(f"y: expected whole numbers for -o kind=classes, got {_shown(rows)}")
    few = _are_few(rows if floats else rows[rows != NOT_SCORED])
    if kind == AUTO and whole and few == floats:
        raise DataError(f"y: expected classes or numbers, got {_shown(rows)}, which may be both; {ASK}")
    return CLASSES if kind == CLASSES or not floats else NUMBERS


def _meaning_of_rows(rows: np.ndarray, floats: bool, per_step: bool, kind: str) -> str:
    """ONE_HOT or NUMBERS, from rows `(rows, values)` of several values."""
    if _are_one_hot(rows, per_step, kind):
        return ONE_HOT
    if floats and kind == AUTO and not _are_binary(rows):
        return NUMBERS
    raise DataError(
        f"y: expected one-hot rows, each with one 1, got other rows of {_shown(rows)};"
        " -o kind=numbers predicts them as numbers"
    )


def numbers_as_strings(y: np.ndarray) -> str:
    """A line about strings that are most likely numbers to predict; "" for other answers."""
    if y.dtype.kind != "U" or _are_few(y):
        return ""
    with suppress(ValueError):  # other labels
        numbers = np.unique(y).astype(np.float64)
        some = f"{len(numbers):,} different strings that are numbers from {numbers.min():g} to {numbers.max():g}"
        return f"y: expected labels, got {some}; save y.astype(float) to predict numbers, or give -o kind=classes"
    return ""


def _are_few(values: np.ndarray) -> bool:
    """True if the values are so few different ones that they are names of classes and no measurements."""
    different = len(np.unique(values))
    return different <= FEW or (different <= MANY and 2 * different <= values.size)


def _are_binary(rows: np.ndarray) -> bool:
    return bool(((rows == 0) | (rows == 1)).all())


def _are_one_hot(rows: np.ndarray, per_step: bool, kind: str) -> bool:
    """True if each row has one 1 beside zeros. If the user gives the kind, a step may have none: it is not asked."""
    sums = rows.sum(axis=-1)
    least = 0 if per_step and kind != AUTO else 1
    return _are_binary(rows) and bool(((least <= sums) & (sums <= 1)).all())


def _labels(y: np.ndarray, real: np.ndarray, name: str, meaning: str, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """The labels of a split, int64 or strings, and where they are asked: `(n,)` or `(n, time)` both."""
    where, per_step = f"y{SUFFIXES[name]}", y.ndim == 3
    if meaning == ONE_HOT:
        if not _are_one_hot(y[real], per_step, kind):
            raise DataError(f"{where}: expected one-hot rows as in y, got other rows of {_shown(y[real])}")
        return y.argmax(axis=-1), real & (y.max(axis=-1) == 1)
    labels = y[..., 0]
    if labels.dtype.kind == "U":
        return labels, real & ((labels != "") | (not per_step))
    rows = labels[real]
    if (rows != np.round(rows)).any():
        raise DataError(f"{where}: expected whole numbers as in y, got {_shown(rows)}")
    labels, least = labels.astype(np.int64), int(rows.min(initial=0))
    if (per_step and least < NOT_SCORED) or (not per_step and least < 0 and kind == AUTO):
        more = "" if per_step else "; with -o kind=classes negative labels are classes, too"
        raise DataError(f"{where}: expected labels from {NOT_SCORED if per_step else 0}, got {least}{more}")
    return labels, real & ((labels != NOT_SCORED) | (not per_step))


def _numbers(ys: dict[str, np.ndarray], real: dict[str, np.ndarray]) -> Answers:
    """Numbers. Behind the end of a sequence none is asked: they are NaN."""
    found = {name: y.astype(np.float32) for name, y in ys.items()}
    for name, where in real.items():
        found[name] = np.where(where[..., None], found[name], np.float32(np.nan))
    return Answers(found, np.empty(0, np.int64))


def _shown(values: np.ndarray) -> str:
    """What values are, in a few words."""
    different = np.unique(values)
    some = f"{len(different):,} different {'floats' if values.dtype.kind == 'f' else 'integers'}"
    if values.dtype.kind == "f" and (different == np.round(different)).all():
        some = some.replace("floats", "whole floats")
    return f"{some} from {different[0]:g} to {different[-1]:g}"
