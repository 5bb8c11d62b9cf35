"""The points of a space. A point has a value for each hyperparameter whose conditions hold.

A space is Keras Tuner's, or one that was only declared (`search_spaces.size.Declared`), which needs no Keras.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from search_spaces import size as counting
from tracking.errors import BadInput

if TYPE_CHECKING:
    import keras_tuner
    from keras_tuner.engine import hyperparameters as kt

Space: TypeAlias = "keras_tuner.HyperParameters | counting.Declared"
Parameter: TypeAlias = "kt.HyperParameter | counting.Parameter"
Values = dict[str, Any]  # a point: the values by the names of the hyperparameters


def walk(space: Space, choose: Callable[[Any], Any]) -> Values:
    """Chooses a value for every hyperparameter whose conditions hold, in the order of declaration."""
    values: Values = {}
    for parameter in space.space:
        if _active(parameter, values):
            values[parameter.name] = choose(parameter)
    return values


def _active(parameter: Parameter, values: Values) -> bool:
    return all(condition.is_active(values) for condition in parameter.conditions)


def points(space: Space, backwards: bool = False, index: int = 0, values: Values | None = None) -> Iterator[Values]:
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


def size(space: Space, fixed: Values | None = None) -> float:
    """The number of points, counted without listing them. It is infinite with a range of real numbers.

    Args:
        fixed: only the points with these values are counted.
    """
    fixed = fixed or {}
    return counting.size(
        counting.Parameter(
            parameter.name,
            [fixed[parameter.name]] if parameter.name in fixed else domain(parameter),
            [counting.Condition(condition.name, condition.values) for condition in parameter.conditions],
        )
        for parameter in space.space
    )


def domain(parameter: Parameter) -> list[Any] | None:
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


def finite(space: Space) -> bool:
    """True if no hyperparameter is a range of real numbers."""
    return all(domain(parameter) is not None for parameter in space.space)


def key(values: Values) -> frozenset[tuple[str, Any]]:
    """A hashable key of a point. Two points with the same values have equal keys."""
    return frozenset(values.items())


def distribution(parameter: Parameter) -> BaseDistribution:
    """Optuna's distribution over the values of a hyperparameter.

    Raises BadInput for reverse_log sampling, and for log sampling with a step.
    """
    if isinstance(parameter, counting.Parameter):
        return _declared(parameter)
    from keras_tuner.engine import hyperparameters as kt

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


def _declared(parameter: counting.Parameter) -> BaseDistribution:
    """The distribution that Keras Tuner's hyperparameter of the same declaration has."""
    if parameter.interval:
        low, high, log = parameter.interval
        return FloatDistribution(low, high, log=log)
    values = parameter.values or ()
    if isinstance(values, range):
        return IntDistribution(values[0], values[-1], step=values.step)
    return CategoricalDistribution(values)
