"""Which point of a space comes next: Optuna's samplers over Keras Tuner's hyperparameters.

A sampler is made anew for every proposal, seeded from (search seed, trial number, redraw): two processes cannot propose
the same point by sharing a seed, and a search with one worker proposes the same points every time.
"""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import optuna
from keras_tuner.engine import hyperparameters as kt
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

REDRAWS = 50  # after so many duplicates in a row the untried points of a finite space are listed instead, ...
PATIENCE = 5_000  # ... and an infinite one, of which a branch may be finite, is drawn from at random
BEST, LATEST = 200, 800  # trials that a sampler sees at the most
PROPOSAL_SEEDS = 2  # spawn key: apart from the seeds of data (0) and training (1)

Values = dict[str, Any]


class View(optuna.Study):
    """The study as a sampler should see it: failed and running trials count as the worst score so far, and of very many
    trials only the best and the latest are seen, since TPE's time grows with their number.

    TPE reads completed trials alone, so a failing region would be proposed again and again, and so would the point
    that another worker is just trying. The stored states stay as they are.
    """

    def _get_trials(
        self, deepcopy: bool = True, states: Any = None, use_cache: bool = False
    ) -> list[FrozenTrial]:  # the one place where samplers of Optuna 5.0 read a study
        trials = self._storage.get_all_trials(self._study_id, deepcopy=False)
        scores = [trial.values[0] for trial in trials if trial.state == TrialState.COMPLETE]
        if not scores:
            return []
        minimize = self.direction == optuna.study.StudyDirection.MINIMIZE
        worst = max(scores) if minimize else min(scores)
        if len(trials) > BEST + LATEST:
            done = [trial for trial in trials[:-LATEST] if trial.state == TrialState.COMPLETE]
            best = sorted(done, key=lambda trial: trial.values[0], reverse=not minimize)[:BEST]
            trials = sorted(best, key=lambda trial: trial.number) + trials[-LATEST:]
        known = (TrialState.COMPLETE, TrialState.PRUNED)
        seen = [trial if trial.state in known else _completed(trial, worst) for trial in trials]
        return [trial for trial in seen if states is None or trial.state in states]


def _completed(trial: FrozenTrial, score: float) -> FrozenTrial:
    return optuna.trial.FrozenTrial(
        number=trial.number,
        state=TrialState.COMPLETE,
        value=score,
        datetime_start=trial.datetime_start,
        datetime_complete=trial.datetime_start,
        params=trial.params,
        distributions=trial.distributions,
        user_attrs={},
        system_attrs={},
        intermediate_values={},
        trial_id=trial._trial_id,
    )


def propose(strategy: str, space: kt.HyperParameters, view: optuna.Study, seed: int, tried: set[Any]) -> Values | None:
    """The next point that is not in `tried` (see `key`), or None when the space has no more."""
    if strategy == "grid":
        if not finite(space):
            raise ValueError("oracle: expected lists of values for a grid, got a range of real numbers")
        return next((values for values in points(space) if key(values) not in tried), None)
    for redraw in range(REDRAWS if finite(space) else PATIENCE):
        drawn = strategy if redraw < REDRAWS else "random"
        values = _draw(drawn, space, view, _seed(seed, len(tried), redraw))
        if key(values) not in tried:
            return values
    if not finite(space):
        return None
    untried = [values for values in points(space) if key(values) not in tried]
    rng = np.random.default_rng(_seed(seed, len(tried), REDRAWS))
    return untried[rng.integers(len(untried))] if untried else None


def _seed(seed: int, number: int, redraw: int) -> int:
    return int(np.random.SeedSequence(seed, spawn_key=(PROPOSAL_SEEDS, number, redraw)).generate_state(1)[0])


def _draw(strategy: str, space: kt.HyperParameters, view: optuna.Study, seed: int) -> Values:
    sampler = _sampler(strategy, seed)
    trial = optuna.trial.create_trial(state=TrialState.RUNNING)
    known = sampler.infer_relative_search_space(view, trial)
    together = sampler.sample_relative(view, trial, known)

    def choose(parameter: kt.HyperParameter) -> Any:
        name, wanted = parameter.name, distribution(parameter)
        if name in together and wanted._contains(wanted.to_internal_repr(together[name])):
            return together[name]
        return sampler.sample_independent(view, trial, name, wanted)

    return walk(space, choose)


def _sampler(strategy: str, seed: int) -> BaseSampler:
    if strategy == "random":
        return RandomSampler(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return TPESampler(multivariate=True, group=True, constant_liar=False, seed=seed)  # View is the liar


def walk(space: kt.HyperParameters, choose: Callable[[kt.HyperParameter], Any]) -> Values:
    """Chooses a value for every hyperparameter whose conditions hold, in the order of declaration."""
    values: Values = {}
    for parameter in space.space:
        if _active(parameter, values):
            values[parameter.name] = choose(parameter)
    return values


def _active(parameter: kt.HyperParameter, values: Values) -> bool:
    return all(condition.is_active(values) for condition in parameter.conditions)


def points(space: kt.HyperParameters, index: int = 0, values: Values | None = None) -> Iterator[Values]:
    """Every point of a finite space once; a value whose condition does not hold makes no new point."""
    values = values or {}
    if index == len(space.space):
        yield values
        return
    parameter = space.space[index]
    if not _active(parameter, values):
        yield from points(space, index + 1, values)
        return
    for value in domain(parameter) or ():
        yield from points(space, index + 1, {**values, parameter.name: value})


def domain(parameter: kt.HyperParameter) -> list[Any] | None:
    """All values a hyperparameter can take, or None for a continuous one."""
    wanted = distribution(parameter)
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
        raise ValueError(f"{parameter.name}: expected linear sampling, or log sampling without a step, got neither")
    if isinstance(parameter, kt.Int):
        step = 1 if log else parameter.step or 1
        high = parameter.min_value + (parameter.max_value - parameter.min_value) // step * step
        return IntDistribution(parameter.min_value, high, log=log, step=step)
    return FloatDistribution(parameter.min_value, parameter.max_value, log=log, step=None if log else parameter.step)
