"""Reads all that a report shows of one search from MLflow."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run

from tracking.expected import reached
from tracking.horizon import with_curves
from tracking.recording import ALL
from tracking.results import ranked, results
from tracking.searches import spec_of
from tracking.tags import ours

MOST_CURVES = 60  # learning curves that one figure shows
NORMS = ("norm_10pct", "norm_median", "norm_90pct")
Curve = list[tuple[int, float]]  # (step, value), by step
Trial = dict[str, Any]


@dataclass
class Search:
    """A search as a report shows it.

    Args:
        found: as `results` returns it. Each trial has also `begun` and `ended` (seconds since 1970; `ended` is None
            for a trial that runs), `worker` (a number) and `curve` (its learning curve, if that is shown).
        spec: the settings, with versions, commit and machine.
        begun, ended: of the search, seconds since 1970; `ended` is None for a search that runs.
        cells: of the trials, in the order of the palette.
        horizons: for each cell its best trial with a horizon, with `curves`.
        norms: by cell the curves of the gradient norm of its best trial, in the order of NORMS.
        notes: what was left out, in sentences, by the name of a figure.
    """

    found: dict[str, Any]
    spec: dict[str, Any]
    begun: float
    ended: float | None
    tags: dict[str, str]
    cells: list[str] = field(default_factory=list)
    horizons: list[Trial] = field(default_factory=list)
    norms: dict[str, list[Curve]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.found["search"])

    @property
    def trials(self) -> list[Trial]:
        trials: list[Trial] = self.found["trials"]
        return trials

    @cached_property
    def ranked(self) -> list[Trial]:
        """The trials with a score, best first."""
        return ranked(self.found)

    @cached_property
    def reached(self) -> list[Trial]:
        """The completed and the pruned trials, in the order of their numbers. `reached(trial)` is their score."""
        return [trial for trial in self.trials if reached(trial) is not None]

    @property
    def minimum(self) -> bool:
        return bool(self.found["direction"] == "min")


def gather(client: MlflowClient, parent: Run, check: Callable[[], None] = lambda: None) -> Search:
    """Reads a search.

    Args:
        check: called between the questions to MLflow. What it raises ends the reading.
    """
    found, spec = results(client, parent, also=_add), spec_of(parent)
    check()
    begun, ended = parent.info.start_time / 1000, parent.info.end_time
    search = Search(found, spec, begun, ended / 1000 if ended else None, ours(parent.data.tags))
    _number_workers(search.trials)
    search.cells = sorted({cell_of(trial) for trial in search.trials} - {"None"})
    for trial in _shown(search):
        trial["curve"] = _history(client, trial["run_id"], f"val_{spec['metric']}")
        check()
    best = _best_by_cell([trial for trial in search.ranked if trial["recorded"] == ALL])
    search.horizons = with_curves(client, search.ranked)
    for cell, trial in best.items():
        curves = [_history(client, trial["run_id"], f"gradient/{name}") for name in NORMS]
        if all(curves):
            search.norms[cell] = curves
        check()
    return search


def cell_of(trial: Trial) -> str:
    """The cell of a trial; of a stack of several cells their names with "+"."""
    return str(trial["values"].get("cell"))


def _add(trial: Trial, run: Run) -> None:
    """Adds to a trial what `results` does not say of its run."""
    worker = ours(run.data.tags).get("worker", "")
    trial["begun"] = run.info.start_time / 1000
    trial["ended"] = run.info.end_time / 1000 if run.info.end_time else None
    trial["worker"] = int(worker) if worker.isdecimal() else None


def _number_workers(trials: list[Trial]) -> None:
    """Gives trials of an earlier version, which did not note the worker, the lowest number that was free."""
    free: list[float] = []  # when each worker has ended its last trial
    for trial in sorted(trials, key=lambda trial: trial["begun"]):
        if trial["worker"] is None:
            ready = [number for number, since in enumerate(free) if since <= trial["begun"]]
            number = ready[0] if ready else len(free)
            free += [] if ready else [0.0]
            trial["worker"], free[number] = number, trial["ended"] or math.inf


def _best_by_cell(trials: Sequence[Trial]) -> dict[str, Trial]:
    """The first trial of each cell."""
    return {cell_of(trial): trial for trial in reversed(trials)}


def _shown(search: Search) -> list[Trial]:
    """The trials whose learning curves are shown: all that MLflow has, or the best ones of each cell."""
    some = [trial for trial in search.reached if trial["recorded"] == ALL]
    if len(some) < len(search.reached):
        how = search.spec.get("record", ALL)
        left = f"MLflow has the curves of {len(some)} of {len(search.reached)} trials (--record {how})."
        search.notes |= dict.fromkeys(("learning", "horizons", "gradients"), left)
    if len(some) <= MOST_CURVES:
        return some
    sign = 1 if search.minimum else -1
    each, chosen = MOST_CURVES // max(1, len(search.cells)), []
    for cell in search.cells:
        own = [trial for trial in some if cell_of(trial) == cell]
        chosen += sorted(own, key=lambda trial: sign * (reached(trial) or 0.0))[:each]
    thinned = (
        f"The figure shows {len(chosen)} of {len(some)} trials: the best {each} of each cell."
        " Trials that have failed have no curve here."
    )
    search.notes["learning"] = " ".join(filter(None, [search.notes.get("learning"), thinned]))
    return chosen


def _history(client: MlflowClient, run_id: str, metric: str) -> Curve:
    points = {point.step: point.value for point in client.get_metric_history(run_id, metric)}
    return sorted((step, value) for step, value in points.items() if math.isfinite(value))
