"""The points of a space: Keras Tuner's hyperparameters, of which each has a value where its conditions hold."""

from collections.abc import Callable, Iterator
from typing import Any

from keras_tuner.engine import hyperparameters as kt
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from search_spaces import size as counting
from tracking.errors import BadInput

Values = dict[str, Any]


def walk(space: kt.HyperParameters, choose: Callable[[kt.HyperParameter], Any]) -> Values:
    """Chooses a value for every hyperparameter whose conditions hold, in the order of declaration."""
    values: Values = {}
    for parameter in space.space:
        if _active(parameter, values):
            values[parameter.name] = choose(parameter)
    return values


def _active(parameter: kt.HyperParameter, values: Values) -> bool:
    return all(condition.is_active(values) for condition in parameter.conditions)


def points(
    space: kt.HyperParameters, backwards: bool = False, index: int = 0, values: Values | None = None
) -> Iterator[Values]:
    """Every point of a finite space once; a value whose condition does not hold makes no new point."""
    values = values or {}
    if index == len(space.space):
        yield values
        return
    parameter = space.space[index]
    if not _active(parameter, values):
        yield from points(space, backwards, index + 1, values)
        return
    for value in (domain(parameter) or [])[:: -1 if backwards else 1]:
        yield from points(space, backwards, index + 1, {**values, parameter.name: value})


def size(space: kt.HyperParameters) -> float:
    """The number of points, without listing them; infinite with a range of real numbers."""
    return counting.size(
        counting.Parameter(
            parameter.name,
            domain(parameter),
            [(condition.name, condition.values) for condition in parameter.conditions],
        )
        for parameter in space.space
    )


def domain(parameter: kt.HyperParameter) -> list[Any] | None:
    """All values a hyperparameter can take, or None for a continuous one."""
    wanted = distribution(parameter)
    if isinstance(wanted, FloatDistribution) and wanted.single():
        return [wanted.low]
    if isinstance(wanted, CategoricalDistribution):
        return list(wanted.choices)
    if isinstance(wanted, IntDistribution):
        return list(range(wanted.low, wanted.high + 1, wanted.step))
    if isinstance(wanted, FloatDistribution) and wanted.step is not None:
        steps = round((wanted.high - wanted.low) / wanted.step)
        return [wanted.low + step * wanted.step for step in range(steps + 1)]
    return None


def finite(space: kt.HyperParameters) -> bool:
    return all(domain(parameter) is not None for parameter in space.space)


def key(values: Values) -> frozenset[tuple[str, Any]]:
    """What makes two points the same."""
    return frozenset(values.items())


def distribution(parameter: kt.HyperParameter) -> BaseDistribution:
    """Optuna's word for a Keras Tuner hyperparameter."""
    if isinstance(parameter, kt.Choice):
        return CategoricalDistribution(parameter.values)
    if isinstance(parameter, kt.Boolean):
        return CategoricalDistribution([False, True])
    if isinstance(parameter, kt.Fixed):
        return CategoricalDistribution([parameter.value])
    log = parameter.sampling == "log"
    if parameter.sampling == "reverse_log" or (log and parameter.step not in (None, 1)):
        raise BadInput(f"{parameter.name}: expected linear sampling, or log sampling without a step, got neither")
    if isinstance(parameter, kt.Int):
        step = 1 if log else parameter.step or 1
        high = parameter.min_value + (parameter.max_value - parameter.min_value) // step * step
        return IntDistribution(parameter.min_value, high, log=log, step=step)
    return FloatDistribution(parameter.min_value, parameter.max_value, log=log, step=None if log else parameter.step)
