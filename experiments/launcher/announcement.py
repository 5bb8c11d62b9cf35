"""What a person reads before a search trains."""

from pathlib import Path
from typing import Any

from rich.text import Text

from experiments.config import estimate
from experiments.config.spec import Spec
from experiments.strategy.allocation import FEWEST
from experiments.system.devices import gpus
from experiments.tasks.base import Task
from experiments.tasks.loading import find
from experiments.tasks.loading.code import note
from tracking.text import format_range, marks_line

RANGE = 1.6  # the estimate of a search is shown as a range from a RANGE-th to RANGE times of it
MANY = 10**12  # a space with this many models or more is shown as a power of ten


def announcement(
    spec: Spec,
    task: Task,
    copy: Path,
    described: dict[str, Any],
    size: int | None,
    trials: int,
    workers: int,
    steps: int,
) -> list[str | Text]:
    """The lines of a search, its task, its space and its estimated time.

    Args:
        copy: the folder with the search's copy of a user's code.
        described: the task, as `card.describe` returns it.
        size: of the space; None if it is infinite.
        trials, workers: how many there are.
        steps: training steps of an epoch.
    """
    marks = marks_line(described["floors"], described["solved"], task.direction)
    seconds = estimate.search_seconds(spec, task, steps, workers, trials)
    about = f": {find.title(spec.task)}, {', '.join(spec.cells)}; space: {_models(size)}"
    lines: list[str | Text] = [
        find.choice(type(task)),
        note(spec.code, Path(spec.task), copy),
        task.about(),
        Text.assemble((spec.name, "bold"), about),
        f"{trials} trials x {spec.executions} execution(s) x {spec.epochs} epochs,"
        f" {workers} worker(s), oracle {spec.oracle}, seed {spec.seed};"
        f" about {format_range(seconds / RANGE, seconds * RANGE)}",
        _few(spec, trials),
        gpus().line(),
        f"{task.metric} floors, what models with less memory score: {marks}",
    ]
    return [line for line in lines if line]


def _few(spec: Spec, trials: int) -> str:
    """A line that says that some cell gets fewer than FEWEST trials; "" if all get as many, or all of their models."""
    cells = len(spec.cells)
    if cells == 1 or spec.oracle == "grid" or trials < spec.trials or trials >= FEWEST * cells:
        return ""
    return f"--trials {trials} is few for {cells} cells: with {FEWEST * cells} each cell gets {FEWEST}"


def _models(size: int | None) -> str:
    """How many models a space has."""
    if size is None:
        return "infinitely many models (it has a range of real numbers)"
    return f"{size:,} models" if size < MANY else f"10^{len(str(size)) - 1} models"
