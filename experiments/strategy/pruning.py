"""Which trials are pruned before their last epoch, by Optuna's pruners.

A pruner compares the scores that a trial has reported with those that earlier trials had reported after as many epochs.
A trial is judged after each epoch from epoch FIRST on, except after its last one. Trials of at most FIRST
epochs are never pruned.

The decision is stored in the study before the worker acts on it. Optuna's successive halving stores the score of a rung
before it decides. If the worker is killed right after that, a second question may have another answer, and the trial
would go on.
"""

import copy
import warnings
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning

from experiments.config.spec import FIRST, MEDIAN_STARTUP, PRUNERS, REDUCTION
from tracking.errors import BadInput

DECISION = "given_up"  # the user attribute of a pruned trial that keeps the system attributes set by its pruner


def pruner(name: str, epochs: int) -> optuna.pruners.BasePruner:
    """Optuna's pruner for a name of PRUNERS.

    Args:
        name: none; median (prunes what is worse than the median of the other trials after as many epochs); halving
            (asynchronous successive halving, Li et al. 2020, arXiv:1810.05934); hyperband (Li et al. 2018,
            arXiv:1603.06560).
        epochs: of a trial that is not pruned.

    Raises BadInput for an unknown name.
    """
    if name not in PRUNERS:
        raise BadInput(f"pruner: expected one of {', '.join(PRUNERS)}, got {name!r}")
    if name == "none" or epochs <= FIRST:
        return optuna.pruners.NopPruner()
    if name == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=MEDIAN_STARTUP, n_warmup_steps=FIRST)
    if name == "halving":
        return optuna.pruners.SuccessiveHalvingPruner(min_resource=FIRST, reduction_factor=REDUCTION)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return optuna.pruners.HyperbandPruner(FIRST, max_resource=epochs, reduction_factor=REDUCTION)


class BufferedStorage:
    """An Optuna storage that keeps the system attributes of trials in memory and passes every other call on."""

    def __init__(self, storage: Any) -> None:
        self._storage = storage
        self.attributes: dict[str, Any] = {}

    def set_trial_system_attr(self, trial_id: int, name: str, value: Any) -> None:
        self.attributes[name] = value

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)


def should_prune(pruner: optuna.pruners.BasePruner, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
    """True if the reported scores of the trial are not worth further epochs. A pruned trial stays pruned."""
    attributes = trial.user_attrs.get(DECISION)
    pruned = attributes is not None
    if attributes is None:
        buffered: Any = copy.copy(study)
        buffered._storage = storage = BufferedStorage(study._storage)
        pruned, attributes = pruner.prune(buffered, trial), storage.attributes
        if pruned:
            study._storage.set_trial_user_attr(trial._trial_id, DECISION, attributes)
    for name, value in attributes.items():
        if name not in trial.system_attrs:
            study._storage.set_trial_system_attr(trial._trial_id, name, value)
    return pruned
