"""The values that a hyperparameter can take: a list, or the two ends of an interval. They are checked and declared."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from search_spaces.errors import SpaceError

if TYPE_CHECKING:
    import keras_tuner

Whole = Sequence[int] | range
Interval = tuple[float, float]
Real = list[float] | Interval


def check_real(name: str, values: Real, fit: bool, which: str) -> None:
    """Raises SpaceError unless `values` are a list or an interval of finite numbers, and `fit` is true.

    Args:
        fit: whether all numbers are in the range of this argument.
        which: that range in words, for the message.
    """
    ends = not isinstance(values, tuple) or (len(values) == 2 and values[0] < values[1])
    if not (values and fit and ends and all(math.isfinite(value) for value in values)):
        raise SpaceError(f"{name}: expected a list of numbers {which}, or the two ends of an interval, got {values}")


def whole(hp: "keras_tuner.HyperParameters", name: str, values: Whole) -> None:
    """Declares whole numbers."""
    if isinstance(values, range):
        hp.Int(name, values[0], values[-1], step=values.step)
    else:
        hp.Choice(name, list(values))


def real(hp: "keras_tuner.HyperParameters", name: str, values: Real, sampling: str) -> None:
    """Declares real numbers; `sampling` is that of an interval, "log" or "linear"."""
    if isinstance(values, tuple):
        hp.Float(name, values[0], values[1], sampling=sampling)
    else:
        hp.Choice(name, list(values))
