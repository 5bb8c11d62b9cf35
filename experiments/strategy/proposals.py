"""Which point of a space comes next.

Every proposal has random numbers of its own, from (search seed, trial number): two processes cannot propose the same
point by sharing a seed, and a search with one worker proposes the same points every time.
"""

from typing import Any

import numpy as np
from keras_tuner.engine import hyperparameters as kt
from optuna.samplers import RandomSampler
from optuna.trial import FrozenTrial

from experiments.strategy import tpe
from experiments.strategy.points import Values, distribution, finite, key, points, size, walk
from tracking.errors import BadInput

FEW = 5_000  # points of a space whose untried ones are all compared
PROPOSAL_SEEDS = 2  # spawn key: apart from the seeds of data (0) and training (1)


class Proposals:
    """The points of a search, one after the other.

    Args:
        strategy: random; grid (in the reverse order of the values, so that what probably takes longest comes first and
            no worker is left alone with it at the end); tpe (see tpe.py).
        space: what to choose from.
        seed: of random and tpe; 0 is a seed.
        minimize: a lower score is better.

    Raises BadInput for a grid over a range of real numbers.
    """

    def __init__(self, strategy: str, space: kt.HyperParameters, seed: int, minimize: bool = True) -> None:
        if strategy == "grid" and not finite(space):
            raise BadInput("oracle: expected lists of values for a grid, got a range of real numbers")
        self.strategy, self.space, self.seed, self.minimize = strategy, space, seed, minimize
        self.size, self.groups = size(space), tpe.groups(space)
        self.grid = points(space, backwards=True)
        self.ahead = next(self.grid, None) if strategy == "grid" else None  # the first one may be far in others' spaces
        few = strategy == "tpe" and self.size <= FEW
        self.all = list(points(space)) if few else []
        self.keys = [key(values) for values in self.all]
        self.tables = [self._table(group) for group in self.groups] if few else []

    def _table(self, group: tpe.Group) -> tuple[Any, tpe.Columns]:
        """Which of all points have the group's hyperparameters, and their values of them."""
        having = [place for place, values in enumerate(self.all) if group.keys() <= values.keys()]
        return np.array(having, int), tpe.columns(group, [self.all[place] for place in having])

    def next(self, trials: list[FrozenTrial], tried: set[Any]) -> Values | None:
        """A point that is not in `tried` (see `key`), or None when the space has no more.

        Args:
            trials: of the search so far, by their numbers.
            tried: the keys of their points.
        """
        if len(tried) >= self.size:
            return None
        if self.strategy == "grid":
            while self.ahead is not None and key(self.ahead) in tried:
                self.ahead = next(self.grid, None)
            return self.ahead
        seeds = np.random.SeedSequence(self.seed, spawn_key=(PROPOSAL_SEEDS, len(tried))).generate_state(2)
        rng, sampler = np.random.RandomState(seeds[0]), RandomSampler(int(seeds[1]))
        if self.strategy == "random" or len(trials) < tpe.STARTUP:
            return self._untried(self._around({}, sampler), tried, rng, sampler)
        better, others = tpe.split(trials, self.minimize)
        estimates = [tpe.Estimate(group, better, others) for group in self.groups]
        if self.all:
            return self._most_promising(estimates, tried, rng)
        return self._untried(self._drawn(estimates, rng, sampler), tried, rng, sampler)

    def _most_promising(self, estimates: list[tpe.Estimate], tried: set[Any], rng: np.random.RandomState) -> Values:
        promises = rng.uniform(0, 1e-9, len(self.all))  # of equals any
        for estimate, (having, columns) in zip(estimates, self.tables, strict=True):
            promises[having] += estimate.promise(columns)
        promises[[place for place, key in enumerate(self.keys) if key in tried]] = -np.inf
        return self.all[int(np.argmax(promises))]

    def _drawn(self, estimates: list[tpe.Estimate], rng: np.random.RandomState, sampler: RandomSampler) -> Values:
        drawn: Values = {}

        def choose(parameter: kt.HyperParameter) -> Any:
            if parameter.name not in drawn:
                found = [estimate for estimate in estimates if parameter.name in estimate.group]
                drawn.update(found[0].draw(rng) if found else {parameter.name: _any(parameter, sampler)})
            return drawn[parameter.name]

        return walk(self.space, choose)

    def _untried(self, values: Values, tried: set[Any], rng: np.random.RandomState, sampler: RandomSampler) -> Values:
        """These values, or where it leads to draw one of them anew, again and again."""
        while key(values) in tried:
            anew = list(values)[rng.randint(len(values))]
            values = self._around({name: value for name, value in values.items() if name != anew}, sampler)
        return values

    def _around(self, kept: Values, sampler: RandomSampler) -> Values:
        """A random point that has the kept values."""
        return walk(self.space, lambda each: kept[each.name] if each.name in kept else _any(each, sampler))


def _any(parameter: kt.HyperParameter, sampler: RandomSampler) -> Any:
    study: Any = None  # Optuna's random sampler looks at no trials
    return sampler.sample_independent(study, study, parameter.name, distribution(parameter))
