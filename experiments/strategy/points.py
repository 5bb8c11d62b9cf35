"""The points of a space. A point has a value for each Keras Tuner hyperparameter whose conditions hold."""

from collections.abc import Callable, Iterator
from typing import Any

from keras_tuner.engine import hyperparameters as kt
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from search_spaces import size as counting
from tracking.errors import BadInput

Values = dict[str, Any]  # a point: the values by the names of the hyperparameters


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
    """Every point of a finite space once. Hyperparameters whose conditions do not hold are left out.

    Args:
        backwards: the values of each hyperparameter come in reverse order.
        index: the first hyperparameter that has no value yet; 0 except in recursive calls.
        values: of the hyperparameters before `index`.
    """
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


def size(space: kt.HyperParameters, fixed: Values | None = None) -> float:
    """The number of points, counted without listing them. It is infinite with a range of real numbers.

    Args:
        fixed: only the points with these values are counted.
    """
    fixed = fixed or {}
    return counting.size(
        counting.Parameter(
            parameter.name,
            [fixed[parameter.name]] if parameter.name in fixed else domain(parameter),
            [(condition.name, condition.values) for condition in parameter.conditions],
        )
        for parameter in space.space
    )


def domain(parameter: kt.HyperParameter) -> list[Any] | None:
    """All values that a hyperparameter can take, or None for a range of real numbers."""
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
    """True if no hyperparameter is a range of real numbers."""
    return all(domain(parameter) is not None for parameter in space.space)


def key(values: Values) -> frozenset[tuple[str, Any]]:
    """A hashable key of a point. Two points with the same values have equal keys."""
    return frozenset(values.items())


def distribution(parameter: kt.HyperParameter) -> BaseDistribution:
    """Optuna's distribution over the values of a Keras Tuner hyperparameter.

    Raises BadInput for reverse_log sampling, and for log sampling with a step.
    """
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
