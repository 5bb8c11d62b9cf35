"""Whether a trial is given up: its pruner's verdict, kept in the study, so that after a kill it is the same.

Optuna's successive halving writes the score of a rung into the study before it decides, and a trial whose rung is
there passes it: asked again, it would let go on whom it had given up. Here the verdict is written first.
"""

import copy
from typing import Any

import optuna

GIVEN_UP = "given_up"  # attribute of a trial that is given up: what its pruner keeps of it


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
