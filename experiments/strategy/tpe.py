"""The tree-structured Parzen estimator (Bergstra et al. 2011), by Optuna's estimators, over points that are tried once.

The better tenth of the trials and all others make a density each, of the hyperparameters that have the same conditions
together; a point is the more promising the larger the ratio of the two. The numbers of a list are taken in their
order: what is known of width 64 says more about 32 than about 8.
"""

import heapq
from typing import Any

import numpy as np
from keras_tuner.engine import hyperparameters as kt
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator, _ParzenEstimatorParameters  # of Optuna 5.0
from optuna.samplers._tpe.sampler import default_gamma, default_weights
from optuna.trial import FrozenTrial, TrialState

from experiments.strategy.points import Values, distribution

BEST, LATEST = 200, 800  # trials that are looked at
STARTUP = 10  # trials after which there is something to go by
CANDIDATES = 24  # draws of which the most promising one is taken
PARAMETERS = _ParzenEstimatorParameters(1.0, True, False, default_weights, True)
Group = dict[str, BaseDistribution]
Columns = dict[str, Any]  # a numeric array for each name


class InOrder(IntDistribution):
    """The places of numbers in their order."""

    def __init__(self, numbers: list[Any]) -> None:
        super().__init__(0, len(numbers) - 1)
        self.numbers = sorted(numbers)

    def to_internal_repr(self, param_value_in_external_repr: Any) -> float:
        return float(self.numbers.index(param_value_in_external_repr))

    def to_external_repr(self, param_value_in_internal_repr: float) -> Any:
        return self.numbers[int(param_value_in_internal_repr)]


def groups(space: kt.HyperParameters) -> list[Group]:
    """The hyperparameters with a choice to make, those with the same conditions together."""
    found: dict[Any, Group] = {}
    for parameter in space.space:
        wanted = distribution(parameter)
        if isinstance(parameter, kt.Choice) and parameter.ordered:
            wanted = InOrder(parameter.values)
        if not wanted.single():
            conditions = tuple((condition.name, *condition.values) for condition in parameter.conditions)
            found.setdefault(conditions, {})[parameter.name] = wanted
    return list(found.values())


def split(trials: list[FrozenTrial], minimize: bool) -> tuple[list[FrozenTrial], list[FrozenTrial]]:
    """The better tenth of the trials with a score, and all others, by their numbers.

    A pruned trial has the best score that it has reported. One that has failed or still runs is never among the better
    ones: that region, and the point that another worker is just trying, would be proposed again and again. Of very many
    trials only the best and the latest are looked at, since the time for a proposal grows with their number.
    """
    if len(trials) > BEST + LATEST:
        early, late = trials[:-LATEST], trials[-LATEST:]
        done = [trial for trial in early if trial.state == TrialState.COMPLETE]
        best = heapq.nsmallest(BEST, done, key=lambda trial: _loss(trial, minimize))
        trials = sorted(best, key=lambda trial: trial.number) + late
    losses = {trial.number: _loss(trial, minimize) for trial in trials}
    scored = sorted((number for number, loss in losses.items() if loss < np.inf), key=losses.__getitem__)
    better = set(scored[: default_gamma(len(trials))])
    return [t for t in trials if t.number in better], [t for t in trials if t.number not in better]


def _loss(trial: FrozenTrial, minimize: bool) -> float:
    """Infinite without a score."""
    sign = 1 if minimize else -1
    if trial.state == TrialState.COMPLETE:
        return float(sign * trial.values[0])
    if trial.state == TrialState.PRUNED:
        return min((sign * value for value in trial.intermediate_values.values()), default=np.inf)
    return np.inf


class Estimate:
    """What the trials so far say about the values of a group."""

    def __init__(self, group: Group, better: list[FrozenTrial], others: list[FrozenTrial]) -> None:
        self.group, self.better, self.others = group, _estimator(group, better), _estimator(group, others)

    def promise(self, columns: Columns) -> Any:
        """The logarithm of the ratio of the densities, for each row of `columns`."""
        return self.better.log_pdf(columns) - self.others.log_pdf(columns)

    def draw(self, rng: np.random.RandomState) -> Values:
        """The most promising one of some draws from the density of the better trials."""
        columns = self.better.sample(rng, CANDIDATES)
        best = int(np.argmax(self.promise(columns)))
        return {name: wanted.to_external_repr(columns[name][best].item()) for name, wanted in self.group.items()}


def _estimator(group: Group, trials: list[FrozenTrial]) -> _ParzenEstimator:
    having = [trial.params for trial in trials if group.keys() <= trial.params.keys()]
    return _ParzenEstimator(columns(group, having), group, PARAMETERS)


def columns(group: Group, points: list[Values]) -> Columns:
    """The values of a group's hyperparameters as the estimators take them."""
    return {
        name: np.array([wanted.to_internal_repr(values[name]) for values in points]) for name, wanted in group.items()
    }
