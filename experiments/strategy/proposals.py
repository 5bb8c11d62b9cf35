"""Which point of a space comes next.

The random numbers of a proposal are a function of (search seed, trial number). Two workers of a search never use the
same random numbers. A search with one worker proposes the same points every time.
"""

from typing import Any

import numpy as np
from keras_tuner.engine import hyperparameters as kt
from optuna.samplers import RandomSampler
from optuna.trial import FrozenTrial

from experiments.strategy import tpe
from experiments.strategy.points import Values, distribution, finite, key, points, size, walk
from tracking.errors import BadInput

FEW = 5_000  # in a space with at most 5,000 points TPE compares all untried ones
PROPOSAL_SEEDS = 2  # spawn key; data have 0, training has 1


class Proposals:
    """The points of a search, one after the other.

    Args:
        strategy: random, grid or tpe (see tpe.py). A grid takes the values in reverse order. Large models come first,
            so that no worker trains the largest model alone at the end.
        space: the space of the points.
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
        # Only a grid needs it. With a range of real numbers `points` searches for long and finds none.
        self.next_of_grid = next(self.grid, None) if strategy == "grid" else None
        few = strategy == "tpe" and self.size <= FEW
        self.all = list(points(space)) if few else []
        self.keys = [key(values) for values in self.all]
        self.tables = [self._table(group) for group in self.groups] if few else []

    def _table(self, group: tpe.Group) -> tuple[Any, tpe.Columns]:
        """(indices of the points in `self.all` that have the group's hyperparameters, the values at these points)"""
        having = [index for index, values in enumerate(self.all) if group.keys() <= values.keys()]
        return np.array(having, int), tpe.columns(group, [self.all[index] for index in having])

    def next(self, trials: list[FrozenTrial], tried: set[Any]) -> Values | None:
        """A point that is not in `tried`, or None if `tried` has all points of the space.

        Args:
            trials: all trials of the search so far, in the order of their numbers.
            tried: the keys of their points (see `points.key`).
        """
        if len(tried) >= self.size:
            return None
        if self.strategy == "grid":
            while self.next_of_grid is not None and key(self.next_of_grid) in tried:
                self.next_of_grid = next(self.grid, None)
            return self.next_of_grid
        seeds = np.random.SeedSequence(self.seed, spawn_key=(PROPOSAL_SEEDS, len(tried))).generate_state(2)
        rng, sampler = np.random.RandomState(seeds[0]), RandomSampler(int(seeds[1]))
        if self.strategy == "random" or len(trials) < tpe.RANDOM_TRIALS:
            return self._untried(self._complete({}, sampler), tried, rng, sampler)
        better, others = tpe.split(trials, self.minimize)
        ratios = [tpe.DensityRatio(group, better, others) for group in self.groups]
        if self.all:
            return self._largest_ratio(ratios, tried, rng)
        return self._untried(self._draw(ratios, rng, sampler), tried, rng, sampler)

    def _largest_ratio(self, ratios: list[tpe.DensityRatio], tried: set[Any], rng: np.random.RandomState) -> Values:
        """The untried point with the largest density ratio, by comparing all points of the space."""
        # Points with equal ratios come in random order. The numbers are too small to change the order of other points.
        totals = rng.uniform(0, 1e-9, len(self.all))
        for ratio, (having, columns) in zip(ratios, self.tables, strict=True):
            totals[having] += ratio.log_ratio(columns)
        totals[[index for index, point in enumerate(self.keys) if point in tried]] = -np.inf
        return self.all[int(np.argmax(totals))]

    def _draw(self, ratios: list[tpe.DensityRatio], rng: np.random.RandomState, sampler: RandomSampler) -> Values:
        """A point whose groups are drawn one after another. Hyperparameters without a group are drawn at random."""
        drawn: Values = {}

        def choose(parameter: kt.HyperParameter) -> Any:
            if parameter.name not in drawn:
                found = [ratio for ratio in ratios if parameter.name in ratio.group]
                drawn.update(found[0].draw(rng) if found else {parameter.name: _sample(parameter, sampler)})
            return drawn[parameter.name]

        return walk(self.space, choose)

    def _untried(self, values: Values, tried: set[Any], rng: np.random.RandomState, sampler: RandomSampler) -> Values:
        """`values` if they are untried. If not, random ones of them are replaced, one at a time, until they are."""
        while key(values) in tried:
            replaced = list(values)[rng.randint(len(values))]
            values = self._complete({name: value for name, value in values.items() if name != replaced}, sampler)
        return values

    def _complete(self, kept: Values, sampler: RandomSampler) -> Values:
        """A point with the values in `kept`; its other values are random."""
        return walk(self.space, lambda each: kept[each.name] if each.name in kept else _sample(each, sampler))


def _sample(parameter: kt.HyperParameter, sampler: RandomSampler) -> Any:
    study: Any = None  # Optuna's random sampler does not read the study
    return sampler.sample_independent(study, study, parameter.name, distribution(parameter))
