"""Which point of a space comes next.

The random numbers of a proposal are a function of (search seed, trial number). Two workers of a search never use the
same random numbers. A search with one worker proposes the same points every time.
"""

from collections import Counter
from typing import Any

import numpy as np
from optuna.samplers import RandomSampler
from optuna.trial import FrozenTrial

from experiments.config.spec import RANDOM_TRIALS
from experiments.strategy import tpe
from experiments.strategy.allocation import SEVERAL, allowed, cell_of
from experiments.strategy.continuations import CONTINUES
from experiments.strategy.points import Space, Values, distribution, domain, finite, key, points, size, walk
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
        allocate: what each cell gets of random and tpe (see allocation.py).

    Raises BadInput for a grid over a range of real numbers.
    """

    def __init__(self, strategy: str, space: Space, seed: int, minimize: bool = True, allocate: str = "best") -> None:
        if strategy == "grid" and not finite(space):
            raise BadInput("oracle: expected lists of values for a grid, got a range of real numbers")
        self.strategy, self.space, self.seed, self.minimize = strategy, space, seed, minimize
        self.size, self.groups = size(space), tpe.groups(space) if strategy == "tpe" else []
        self.grid = points(space, backwards=True)
        # Only a grid needs it. With a range of real numbers `points` searches for long and finds none.
        self.next_of_grid = next(self.grid, None) if strategy == "grid" else None
        few = strategy == "tpe" and self.size <= FEW
        self.all = list(points(space)) if few else []
        self.keys = [key(values) for values in self.all]
        self.tables = [self._table(group) for group in self.groups] if few else []
        self.allocate, self.looked = allocate, 0  # how many trials were looked at so far
        self.counts = Counter[str]()  # of them, by cell
        self.layers = [] if allocate == "best" else [each for each in space.space if each.name.startswith("cell")]
        self.sizes = {cell: size(space, self._stack(cell)) for layer in self.layers[:1] for cell in domain(layer) or []}
        self.cells = [cell_of(values) for values in self.all] if self.layers else []

    def _stack(self, cell: str) -> Values:
        """The values that give all layers this cell."""
        return {layer.name: cell for layer in self.layers}

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
        owed = self._owed(trials)
        fixed = self._stack(owed[rng.randint(len(owed))]) if owed else {}
        if self.strategy == "random" or len(trials) < RANDOM_TRIALS:
            return self._untried(self._complete({}, sampler, fixed), tried, rng, sampler, fixed)
        better, others = tpe.split(trials, self.minimize)
        ratios = [tpe.DensityRatio(group, better, others) for group in self.groups]
        if self.all:
            return self._largest_ratio(ratios, tried, rng, owed)
        return self._untried(self._draw(ratios, rng, sampler, fixed), tried, rng, sampler, fixed)

    def _owed(self, trials: list[FrozenTrial]) -> list[str]:
        """The cells of which the next trial must have one; none if the strategy may choose."""
        if len(self.sizes) < 2:
            return []
        new, self.looked = trials[self.looked :], len(trials)
        self.counts.update(cell_of(trial.params) for trial in new if CONTINUES not in trial.user_attrs)
        found = allowed(self.allocate, self.sizes, self.counts)
        return [] if SEVERAL in found else sorted(found)

    def _largest_ratio(
        self, ratios: list[tpe.DensityRatio], tried: set[Any], rng: np.random.RandomState, owed: list[str]
    ) -> Values:
        """The untried point with the largest density ratio, by comparing all points, or those of the owed cells."""
        # Points with equal ratios come in random order. The numbers are too small to change the order of other points.
        totals = rng.uniform(0, 1e-9, len(self.all))
        for ratio, (having, columns) in zip(ratios, self.tables, strict=True):
            totals[having] += ratio.log_ratio(columns)
        totals[[index for index, point in enumerate(self.keys) if point in tried]] = -np.inf
        totals[[index for index, cell in enumerate(self.cells) if owed and cell not in owed]] = -np.inf
        return self.all[int(np.argmax(totals))]

    def _draw(
        self, ratios: list[tpe.DensityRatio], rng: np.random.RandomState, sampler: RandomSampler, fixed: Values
    ) -> Values:
        """A point whose groups are drawn one after another. Hyperparameters without a group are drawn at random."""
        drawn = dict(fixed)

        def choose(parameter: Any) -> Any:
            if parameter.name not in drawn:
                found = [ratio for ratio in ratios if parameter.name in ratio.group]
                drawn.update(found[0].draw(rng, fixed) if found else {parameter.name: _sample(parameter, sampler)})
            return drawn[parameter.name]

        return walk(self.space, choose)

    def _untried(
        self, values: Values, tried: set[Any], rng: np.random.RandomState, sampler: RandomSampler, fixed: Values
    ) -> Values:
        """`values` if they are untried. If not, random ones of them are replaced, one at a time, until they are."""
        while key(values) in tried:
            free = [name for name in values if name not in fixed]
            replaced = free[rng.randint(len(free))]
            kept = {name: value for name, value in values.items() if name != replaced}
            values = self._complete(kept, sampler, fixed)
        return values

    def _complete(self, kept: Values, sampler: RandomSampler, fixed: Values) -> Values:
        """A point with the values in `kept` and `fixed`; its other values are random."""
        known = {**kept, **fixed}
        return walk(self.space, lambda each: known[each.name] if each.name in known else _sample(each, sampler))


def _sample(parameter: Any, sampler: RandomSampler) -> Any:
    study: Any = None  # Optuna's random sampler does not read the study
    return sampler.sample_independent(study, study, parameter.name, distribution(parameter))
