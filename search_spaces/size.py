"""A declared space, and the number of its points. Nothing here imports Keras or Keras Tuner."""

import contextlib
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

Chosen = frozenset[tuple[str, Any]]


class Condition(NamedTuple):
    """A parameter under it is active where the parameter `name` has one of the values."""

    name: str
    values: Sequence[Any]

    def is_active(self, chosen: dict[str, Any]) -> bool:
        return self.name in chosen and chosen[self.name] in self.values


class Parameter(NamedTuple):
    """One hyperparameter of a space.

    Args:
        values: all that it can have, a range for whole numbers in steps; None for an interval of real numbers.
        conditions: the parameter is active where all of them are.
        interval: of real numbers: the lowest one, the highest one, and whether it is drawn on a log scale.
    """

    name: str
    values: Sequence[Any] | None
    conditions: Sequence[Condition]
    interval: tuple[float, float, bool] | None = None

    def active(self, chosen: dict[str, Any]) -> bool:
        """Whether the parameter has a value at a point where `chosen` has been chosen."""
        return all(condition.is_active(chosen) for condition in self.conditions)


class Declared:
    """Stands for `keras_tuner.HyperParameters` where no model is built: keeps what is declared to it, in `space`."""

    def __init__(self) -> None:
        self.space: list[Parameter] = []
        self._conditions: list[Condition] = []

    def Choice(self, name: str, values: Sequence[Any]) -> None:
        self._add(name, values)

    def Int(self, name: str, min_value: int, max_value: int, step: int) -> None:
        self._add(name, range(min_value, max_value + 1, step))

    def Float(self, name: str, min_value: float, max_value: float, sampling: str) -> None:
        self._add(name, None, (min_value, max_value, sampling == "log"))

    @contextlib.contextmanager
    def conditional_scope(self, name: str, values: Sequence[Any]) -> Iterator[None]:
        self._conditions.append(Condition(name, values))
        yield
        self._conditions.pop()

    def _add(self, name: str, values: Sequence[Any] | None, interval: tuple[float, float, bool] | None = None) -> None:
        self.space.append(Parameter(name, values, tuple(self._conditions), interval))


def size(parameters: Iterable[Parameter]) -> float:
    """The number of points; infinite where an active parameter is an interval.

    Goes through the parameters once, in the order of declaration. Points that agree in every value that a later
    condition asks for are counted together.
    """
    parameters = list(parameters)
    counts: dict[Chosen, int] = {frozenset(): 1}
    for parameter, asked in zip(parameters, _asked_later(parameters), strict=True):
        following: dict[Chosen, int] = {}
        for chosen, count in counts.items():
            values = parameter.values if parameter.active(dict(chosen)) else ()
            if values is None:
                return math.inf
            for point, times in _extended(dict(chosen), parameter.name, values, parameter.name in asked):
                kept = frozenset((name, value) for name, value in point.items() if name in asked)
                following[kept] = following.get(kept, 0) + count * times
        counts = following
    return sum(counts.values())


def _asked_later(parameters: Sequence[Parameter]) -> list[set[str]]:
    """For each parameter the names that the conditions of later parameters ask for."""
    found: list[set[str]] = [set()]
    for parameter in reversed(parameters):
        found.append(found[-1] | {condition.name for condition in parameter.conditions})
    return found[:-1][::-1]


def _extended(
    point: dict[str, Any], name: str, values: Sequence[Any], asked: bool
) -> Iterator[tuple[dict[str, Any], int]]:
    """(point, number of points) for each way to go on from a point; a value that nobody asks for is only counted."""
    if not (values and asked):
        yield point, len(values) or 1
        return
    for value in values:
        yield {**point, name: value}, 1
