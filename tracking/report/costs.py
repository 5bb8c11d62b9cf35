"""Figures of the values of a trial and of its costs: what a better score takes."""

from collections.abc import Sequence
from typing import Any

from tracking.report.chart import GREY, Chart, Panel, Series, logarithmic
from tracking.report.gather import Search, Trial
from tracking.report.scores import axis, floors, label, points_of, reached_of

COSTS = {"parameters": "parameters", "ms_per_step": "ms per training step", "flops_per_token": "operations per step"}
MOST_SLICES = 12


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


def varied(search: Search) -> dict[str, list[Any]]:
    """The values that differ between trials: for each name its values, in the order of `search.reached`.

    A recipe's value that a trial does not use is "none" or 0.
    """
    names = dict.fromkeys(name for trial in search.reached for name in trial["values"])
    found = {name: [trial["values"].get(name, "none") for trial in search.reached] for name in names}
    return {name: values for name, values in found.items() if len(set(values)) > 1}


def slices(search: Search) -> Chart | None:
    """Score against each value that was searched."""
    found, some = varied(search), search.reached
    names = [name for name in found if name not in ("cell", "architecture")]
    if not names:
        return None
    shown, panels = axis(search), []
    for name in names[:MOST_SLICES]:
        values = found[name]
        numbers = all(isinstance(value, int | float) for value in values)
        x: list[Any] = values if numbers else [str(value) for value in values]
        series = [points_of(search, cell, some, x, reached_of(some)) for cell in search.cells]
        log = numbers and logarithmic(values)
        words = name.replace("_", " ")
        whole = numbers and not log and all(isinstance(value, int) for value in values)
        axes = {"log_x": log, "log_y": shown.log, "y_range": shown.ends, "whole_x": whole}
        panels.append(Panel(words, label(search), series, **axes))
    left = f" Left out: {', '.join(names[MOST_SLICES:])}." if names[MOST_SLICES:] else ""
    unused = " A value that a trial does not use is none or 0." if any("none" in found[name] for name in names) else ""
    says = f"Each value that was searched, against the score; a ring is a pruned trial.{unused}{left}{shown.note}"
    return Chart("slices", "Score by value", says, panels, columns=min(3, len(panels)), height=320)
