"""Which trials are not worth their remaining epochs: Optuna's pruners.

A trial is judged by the scores that it reports after its epochs, against those of earlier trials after as many: for
the first time when FIRST epochs are behind it, so that very short searches are never pruned, and never after its last.
"""

import warnings

import optuna
from optuna.exceptions import ExperimentalWarning

from experiments.config.spec import PRUNERS

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
        raise ValueError(f"pruner: expected one of {', '.join(PRUNERS)}, got {name!r}")
    if name == "none" or epochs <= FIRST:
        return optuna.pruners.NopPruner()
    if name == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=STARTUP, n_warmup_steps=FIRST)
    if name == "halving":
        return optuna.pruners.SuccessiveHalvingPruner(min_resource=FIRST, reduction_factor=REDUCTION)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return optuna.pruners.HyperbandPruner(FIRST, max_resource=epochs, reduction_factor=REDUCTION)
