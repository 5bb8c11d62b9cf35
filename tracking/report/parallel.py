"""The figure of all values: each trial is a line through an axis for each value and one for the score.

Optuna draws a figure for each line, which is slow and large with 1,000 trials, and puts the axes in the order of the
alphabet. Here the lines of a group are one, and the most important values stand beside the score.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

from tracking.expected import reached
from tracking.report.chart import GREY, Chart, Panel, Series, logarithmic, tick_text
from tracking.report.gather import Search, Trial
from tracking.report.scores import axis, describe
from tracking.report.slices import in_order, numeric, varied
from tracking.text import metric_name

MOST_AXES = 10
BEST, UPPER, LOWER = "#e07b39", "#3b8bd9", "#7f9bb5"
MARKS = 5  # of an axis of numbers

Place = Callable[[Any], float]  # where a value stands on its axis, from 0 to 1


def parallel(search: Search, names: Sequence[str] | None = None) -> Chart | None:
    """Every completed and pruned trial as a line.

    Args:
        names: of the values, the most important ones first. By default in the order of the record.
    """
    found = {name: _filled(values) for name, values in varied(search).items()}
    order = [*(name for name in names or () if name in found), *(name for name in found if name not in (names or ()))]
    if not order:
        return None
    better = "less" if search.minimum else "more"
    left = [name.replace("_", " ") for name in order[MOST_AXES:]]
    rest = f" Left out, since they matter least: {', '.join(left)}." if left else ""
    says = (
        f"Each line is a trial. The largest value of an axis is at its top; of the score {better} is better."
        " A click on a name below hides its lines. Values that a trial does not use are none or 0."
        f"{rest}"
    )
    panel = _panel(search, {name: found[name] for name in order[:MOST_AXES]})
    return Chart("parallel", "All values of every trial", says, [panel], height=440)


def _panel(search: Search, shown: dict[str, list[Any]]) -> Panel:
    """The axes and lines of the score and of these values."""
    metric, scores = axis(search), [float(reached(trial) or 0.0) for trial in search.reached]
    columns = {metric_name(search.found["metric"]): (scores, metric.log and min(scores) > 0)}
    columns |= {name.replace("_", " "): (values, _log(values)) for name, values in shown.items()}
    places, words = [], []
    for x, (values, log) in enumerate(columns.values()):
        place, marks = _axis(values, log)
        places.append([place(value) for value in values])
        words += [(float(x), place(mark), text) for mark, text in marks]
    series = [
        _lines(name, own, search.reached, places, colour, opacity) for name, own, colour, opacity in _groups(search)
    ]
    across, upwards = (-0.4, len(columns) - 0.6), (-0.05, 1.05)
    shown_series = [one for one in series if one.x]
    return Panel("", "", shown_series, x_range=across, y_range=upwards, names=list(columns), words=words)


def _filled(values: list[Any]) -> list[Any]:
    """The values, with something in place of one that a trial does not have."""
    return [(0 if numeric(values) else "none") if value is None else value for value in values]


def _log(values: list[Any]) -> bool:
    return numeric(values) and logarithmic(values)


def _axis(values: list[Any], log: bool) -> tuple[Place, list[tuple[Any, str]]]:
    """Where a value stands, and the marks of the axis with their texts."""
    if not numeric(values):
        names = [str(value) for value in in_order(values)]
        spots = {name: number / max(1, len(names) - 1) for number, name in enumerate(names)}
        return lambda value: spots[str(value)], [(name, name) for name in names]
    scale = math.log10 if log else float
    low, high = scale(min(values)), scale(max(values))
    single = sorted(set(values))
    marks = single if len(single) <= MARKS else [low + (high - low) * step / (MARKS - 1) for step in range(MARKS)]
    if marks is not single:
        marks = [10**mark if log else mark for mark in marks]
    return lambda value: (scale(value) - low) / ((high - low) or 1.0), [(mark, tick_text(mark)) for mark in marks]


def _groups(search: Search) -> list[tuple[str, set[str], str, float]]:
    """(name, trials, colour, opacity) of the groups of lines; the best ones are drawn last."""
    ranked = [trial["trial"] for trial in search.ranked]
    tenth, half = max(1, len(ranked) // 10), max(1, len(ranked) // 2)
    pruned = {trial["trial"] for trial in search.reached} - set(ranked)
    return [
        ("pruned, by the last score", pruned, GREY, 0.45),
        ("worse half", set(ranked[half:]), LOWER, 0.45),
        ("better half", set(ranked[tenth:half]), UPPER, 0.6),
        ("best tenth", set(ranked[:tenth]), BEST, 0.95),
    ]


def _lines(
    name: str, own: set[str], trials: list[Trial], places: list[list[float]], colour: str, opacity: float
) -> Series:
    """The lines of a group as one, interrupted between two trials."""
    x: list[Any] = []
    y: list[Any] = []
    texts: list[str] = []
    for number, trial in enumerate(trials):
        if trial["trial"] in own:
            x += [*map(float, range(len(places))), None]
            y += [*(column[number] for column in places), None]
            texts += [describe(trial)] * (len(places) + 1)
    dash = "dot" if name.startswith("pruned") else "solid"
    width = 2.5 if opacity > 0.9 else 1.2
    return Series(name, x, y, colour=colour, texts=texts, dash=dash, width=width, opacity=opacity)
