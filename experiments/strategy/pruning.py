"""Which trials are given up before their last epoch, by Optuna's pruners.

A trial is judged by the scores that it reports after its epochs, against those of earlier trials after as many. It is
judged for the first time when FIRST epochs are behind it, so that very short searches are never pruned, and never after
its last one.

The decision is stored in the study before anybody acts on it. Optuna's successive halving stores the score of a rung
before it decides. If the worker is killed right after that, asking again would keep the trial.
"""

import copy
import warnings
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning

from experiments.config.spec import PRUNERS
from tracking.errors import BadInput

GIVEN_UP = "given_up"  # attribute of a trial that is given up: what its pruner keeps of it
FIRST = 3  # epochs that every trial gets
REDUCTION = 3  # of the trials that reach a rung one in so many goes on to the next one, at so many times its epochs
STARTUP = 5  # trials that must have ended before the median means something


def pruner(name: str, epochs: int) -> optuna.pruners.BasePruner:
    """
    Args:
        name: none; median (worse than the median of the others' scores after as many epochs); halving (asynchronous
            successive halving, Li et al. 2020, arXiv:1810.05934); hyperband (Li et al. 2018, arXiv:1603.06560).
        epochs: of a trial that is not pruned.
    """
    if name not in PRUNERS:
        raise BadInput(f"pruner: expected one of {', '.join(PRUNERS)}, got {name!r}")
    if name == "none" or epochs <= FIRST:
        return optuna.pruners.NopPruner()
    if name == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=STARTUP, n_warmup_steps=FIRST)
    if name == "halving":
        return optuna.pruners.SuccessiveHalvingPruner(min_resource=FIRST, reduction_factor=REDUCTION)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return optuna.pruners.HyperbandPruner(FIRST, max_resource=epochs, reduction_factor=REDUCTION)


class Held:
    """Optuna's storage, but for what a pruner writes there: that is held back."""

    def __init__(self, storage: Any) -> None:
        self._storage = storage
        self.attributes: dict[str, Any] = {}

    def set_trial_system_attr(self, trial_id: int, name: str, value: Any) -> None:
        self.attributes[name] = value

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)


def given_up(pruner: optuna.pruners.BasePruner, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
    """True if the trial, by what it has reported, is not worth further epochs; once given up it stays so."""
    kept = trial.user_attrs.get(GIVEN_UP)
    pruned = kept is not None
    if kept is None:
        asked: Any = copy.copy(study)
        asked._storage = held = Held(study._storage)
        pruned, kept = pruner.prune(asked, trial), held.attributes
        if pruned:
            study._storage.set_trial_user_attr(trial._trial_id, GIVEN_UP, kept)
    for name, value in kept.items():
        if name not in trial.system_attrs:
            study._storage.set_trial_system_attr(trial._trial_id, name, value)
    return pruned
