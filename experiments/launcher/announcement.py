"""What a person reads before a search trains."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.text import Text

from experiments.config import estimate
from experiments.config.finals import SEEDS
from experiments.config.spec import Spec
from experiments.config.units import parse_duration
from experiments.strategy.allocation import FEWEST
from experiments.system.devices import gpus
from experiments.tasks.base import Task
from experiments.tasks.loading import find
from experiments.tasks.loading.code import note
from tracking.text import format_duration, format_range, marks_line

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
    steps: float,
    drawn: Sequence[dict[str, Any]] = (),
) -> list[str | Text]:
    """The lines of a search, its task, its space and its estimated time.

    Args:
        copy: the folder with the search's copy of a user's code.
        described: the task, as `card.describe` returns it.
        size: of the space; None if it is infinite.
        trials, workers: how many there are.
        steps: training steps of an epoch, as `buckets.paid_steps` counts them.
        drawn: the parameters of the first trials, as far as they are known.
    """
    marks = marks_line(described["floors"], described["solved"], task.direction)
    about = f": {find.title(spec.task)}, {', '.join(spec.cells)}; space: {_models(size)}"
    lines: list[str | Text] = [
        find.choice(type(task)),
        note(spec.code, Path(spec.task), copy),
        task.about(),
        Text.assemble((spec.name, "bold"), about),
        _plan(spec, task, trials, workers, steps, drawn),
        _few(spec, trials),
        _finals(spec),
        gpus().line(),
        f"{task.metric} floors, what models with less memory score: {marks}",
    ]
    return [line for line in lines if line]


def _finals(spec: Spec) -> str:
    return f"then finals: the best {spec.finals} of each cell, {SEEDS} fresh seeds each" if spec.finals else ""


def _plan(spec: Spec, task: Task, trials: int, workers: int, steps: float, drawn: Sequence[dict[str, Any]] = ()) -> str:
    """The line of what is trained, and how long that takes. The arguments are those of `announcement`."""
    each = f"x {spec.executions} execution(s) x {spec.epochs} epochs"
    how = f"{workers} worker(s), oracle {spec.oracle}, seed {spec.seed}"
    if spec.budget:
        time = parse_duration("--budget", spec.budget) or 0.0
        about = spec, task, steps, workers
        low, high = (estimate.trials_within(*about, seconds, trials, drawn) for seconds in (time / RANGE, time * RANGE))
        fit = f"as many trials as fit into {format_duration(time)}, about {low:,} to {high:,},"
        return f"{fit} {each}, {how}"
    seconds = estimate.search_seconds(spec, task, steps, workers, trials, drawn)
    return f"{trials} trials {each}, {how}; about {format_range(seconds / RANGE, seconds * RANGE)}"


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
