"""The last trials of a search: each cell ends with a candidate that is trained to the end.

A cell whose candidates were all pruned has no score that can be compared with those of other cells. So when all trials
have begun, a new trial continues the best pruned one of such a cell, from its checkpoint, with its values and seeds.
The pruned trial stays pruned. The trial that continues it is never pruned.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from experiments.config.folders import SearchFolder

CONTINUES = "continues"  # the attribute of a trial in the study: the number of the trial that it continues


@dataclass(frozen=True)
class Past:
    """What has become of a trial.

    Args:
        outcome: completed, pruned, failed or running.
        loss: the last score that it has reported; the negative one if a higher score is better.
        continues: it continues another trial.
    """

    number: int
    cell: str
    outcome: str
    loss: float
    continues: bool


def best_pruned(trials: Iterable[Past], cells: Sequence[str]) -> dict[str, Past]:
    """The best pruned trial of each cell that has no completed trial, and has not been continued yet."""
    found: dict[str, Past] = {}
    served = set()
    for trial in sorted(trials, key=lambda trial: (trial.loss, trial.number)):
        if trial.outcome == "completed" or trial.continues:
            served.add(trial.cell)
        elif trial.outcome == "pruned":
            found.setdefault(trial.cell, trial)
    return {cell: found[cell] for cell in cells if cell in found and cell not in served}


def due(trials: Sequence[Past], cells: Sequence[str]) -> list[Past]:
    """The pruned trials that are to be continued now. A cell with a running trial may still get a completed one."""
    running = {trial.cell for trial in trials if trial.outcome == "running"}
    return [trial for cell, trial in best_pruned(trials, cells).items() if cell not in running]


def clear(folder: SearchFolder, trials: Sequence[Past], cells: Sequence[str]) -> None:
    """Removes the checkpoints of pruned trials, except those that may be continued."""
    kept = {trial.number for trial in best_pruned(trials, cells).values()}
    for trial in trials:
        if trial.outcome == "pruned" and trial.number not in kept:
            found = folder.trial(trial.number)
            if found.checkpoint.exists():
                found.clear()
