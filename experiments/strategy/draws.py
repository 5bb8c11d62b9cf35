"""The candidates that a search draws at random before it has scores. They are known before it begins."""

from typing import Any

from optuna.trial import FrozenTrial, create_trial

from experiments.config import recipes
from experiments.config.spec import RANDOM_TRIALS, Spec
from experiments.strategy.points import distribution, key
from experiments.strategy.proposals import Proposals
from experiments.tasks.base import Task
from search_spaces.architecture import parameters
from search_spaces.dimensions import declare
from search_spaces.size import Declared

MOST = 100  # candidates that are drawn: the mean of the others is known well enough


def first_draws(spec: Spec, task: Task) -> list[dict[str, Any]]:
    """The values of the first trials, with the summary that a journal has: architecture, cell and width.

    A search with tpe draws RANDOM_TRIALS of them. A grid draws none.
    """
    if spec.oracle == "grid":
        return []
    space = Declared()
    declare(space, **recipes.dimensions(spec), recipe=recipes.recipe(spec, task))
    known = {parameter.name: distribution(parameter) for parameter in space.space}
    proposals = Proposals("random", space, spec.seed, allocate=spec.allocate)
    trials: list[FrozenTrial] = []
    tried: set[Any] = set()
    for _ in range(min(spec.trials, RANDOM_TRIALS if spec.oracle == "tpe" else MOST)):
        values = proposals.next(trials, tried)
        if values is None:
            break
        tried.add(key(values))
        trials.append(create_trial(value=0.0, params=values, distributions={name: known[name] for name in values}))
    return [{**trial.params, **parameters(trial.params, [])} for trial in trials]
