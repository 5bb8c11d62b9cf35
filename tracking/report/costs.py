"""The figure of the costs: what a better score takes."""

from collections.abc import Sequence

from tracking.report.chart import GREY, Chart, Panel, Series, logarithmic
from tracking.report.gather import Search, Trial
from tracking.report.scores import axis, floors, label, points_of, reached_of

COSTS = {
    "parameters": "parameters",
    "ms_per_step": "ms per training step",
    "flops_per_token": "operations per time step",
}


def pareto(search: Search) -> Chart | None:
    """Score against parameters, time and operations, with the front of each."""
    shown, panels = axis(search), []
    for key, words in COSTS.items():
        some = [trial for trial in search.reached if trial[key]]
        if not some:
            continue
        x = [float(trial[key]) for trial in some]
        series = [points_of(search, cell, some, x, reached_of(some)) for cell in search.cells]
        front = front_of([trial for trial in some if trial["score"] is not None], key, search.minimum)
        if front:
            ends = [*(float(trial[key]) for trial in front), max(x)]
            series.append(Series("front", ends, [*reached_of(front), front[-1]["score"]], "step", GREY))
        log = logarithmic(x)
        panels.append(
            Panel(words, label(search), series, log_x=log, log_y=shown.log, y_range=shown.ends, lines=floors(search))
        )
    says = (
        "A point is a trial, a ring a pruned one. On the line lie the completed trials that no other one beats in both"
        f" score and cost.{shown.note}"
    )
    return Chart("pareto", "What a better score costs", says, panels, columns=len(panels)) if panels else None


def front_of(trials: Sequence[Trial], cost: str, minimum: bool) -> list[Trial]:
    """The trials with a score that none beats in both score and cost, the cheapest first."""
    sign = 1 if minimum else -1
    front: list[Trial] = []
    for trial in sorted(trials, key=lambda trial: (trial[cost], sign * trial["score"])):
        if not front or sign * trial["score"] < sign * front[-1]["score"]:
            front.append(trial)
    return front
