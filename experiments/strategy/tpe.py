"""The tree-structured Parzen estimator (Bergstra et al. 2011, NeurIPS), with Optuna's estimators, over untried points.

The trials are split into the better tenth and all others. For each group of hyperparameters with the same conditions
two densities are estimated: one from the better trials, one from the others. The next point is the one with the largest
ratio of the two densities, multiplied over the groups.

The numbers of a list are estimated in their order. A trial of width 64 says more about width 32 than about width 8.
"""

import heapq
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator, _ParzenEstimatorParameters  # of Optuna 5.0
from optuna.samplers._tpe.sampler import default_gamma, default_weights
from optuna.trial import FrozenTrial, TrialState

from experiments.strategy.points import Values, distribution

if TYPE_CHECKING:
    import keras_tuner

BEST, LATEST = 200, 800  # numbers of trials that `split` reads if there are more than 1,000
CANDIDATES = 24  # points that are drawn from the better trials' density; the one with the largest ratio is taken
PARAMETERS = _ParzenEstimatorParameters(1.0, True, False, default_weights, True)
Group = dict[str, BaseDistribution]
Columns = dict[str, Any]  # a numeric array (points,) for each name


class OrderedDistribution(IntDistribution):
    """Optuna's distribution over a list of numbers: it counts their positions in ascending order."""

    def __init__(self, numbers: list[Any]) -> None:
        super().__init__(0, len(numbers) - 1)
        self.numbers = sorted(numbers)

    def to_internal_repr(self, param_value_in_external_repr: Any) -> float:
        return float(self.numbers.index(param_value_in_external_repr))

    def to_external_repr(self, param_value_in_internal_repr: float) -> Any:
        return self.numbers[int(param_value_in_internal_repr)]


def groups(space: "keras_tuner.HyperParameters") -> list[Group]:
    """The hyperparameters with more than one value. Those with the same conditions are one group."""
    from keras_tuner.engine import hyperparameters as kt

    found: dict[Any, Group] = {}
    for parameter in space.space:
        wanted = distribution(parameter)
        if isinstance(parameter, kt.Choice) and parameter.ordered:
            wanted = OrderedDistribution(parameter.values)
        if not wanted.single():
            conditions = tuple((condition.name, *condition.values) for condition in parameter.conditions)
            found.setdefault(conditions, {})[parameter.name] = wanted
    return list(found.values())


def split(trials: list[FrozenTrial], minimize: bool) -> tuple[list[FrozenTrial], list[FrozenTrial]]:
    """The better trials and all others, both in the order of their numbers.

    The better trials are the tenth with the best scores, at most 25. The score of a pruned trial is the best score that
    it has reported. Failed and running trials have no score and are never better. Otherwise TPE would propose points
    near a failure, or near the point that another worker is trying, again and again.

    If there are more than BEST + LATEST trials, only two kinds of them are read: the newest LATEST trials, and the BEST
    best completed trials among the older ones. Reading all trials would make proposals slower and slower.

    Args:
        trials: in the order of their numbers.
        minimize: a lower score is better.
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
    """The score, or its negative if a higher score is better. A trial without a score has an infinite loss."""
    sign = 1 if minimize else -1
    if trial.state == TrialState.COMPLETE:
        return float(sign * trial.values[0])
    if trial.state == TrialState.PRUNED:
        return min((sign * value for value in trial.intermediate_values.values()), default=np.inf)
    return np.inf


class DensityRatio:
    """The densities of a group's values among the better trials and among the others."""

    def __init__(self, group: Group, better: list[FrozenTrial], others: list[FrozenTrial]) -> None:
        self.group, self.better, self.others = group, _estimator(group, better), _estimator(group, others)

    def log_ratio(self, columns: Columns) -> Any:
        """The logarithm of better / others for each point of `columns`, as an array (points,)."""
        return self.better.log_pdf(columns) - self.others.log_pdf(columns)

    def draw(self, rng: np.random.RandomState, fixed: Values) -> Values:
        """Draws CANDIDATES points from the better trials' density; returns the one with the largest ratio.

        Args:
            fixed: values that all of the points have, by the names of the hyperparameters.
        """
        columns = self.better.sample(rng, CANDIDATES)
        for name in self.group.keys() & fixed.keys():
            columns[name][:] = self.group[name].to_internal_repr(fixed[name])
        best = int(np.argmax(self.log_ratio(columns)))
        return {name: wanted.to_external_repr(columns[name][best].item()) for name, wanted in self.group.items()}


def _estimator(group: Group, trials: list[FrozenTrial]) -> _ParzenEstimator:
    having = [trial.params for trial in trials if group.keys() <= trial.params.keys()]
    return _ParzenEstimator(columns(group, having), group, PARAMETERS)


def columns(group: Group, points: list[Values]) -> Columns:
    """The values of a group's hyperparameters in Optuna's internal representation."""
    return {
        name: np.array([wanted.to_internal_repr(values[name]) for values in points]) for name, wanted in group.items()
    }
