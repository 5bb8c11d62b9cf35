"""The values that were searched, and the figure that has each of them against the score."""

import re
from typing import Any

from tracking.report.chart import Chart, Panel, Series, logarithmic
from tracking.report.gather import Search, cell_of
from tracking.report.scores import axis, label, points_of, reached_of

MOST_SLICES = 12
FEW = 8  # different values: each then has a place of its own on the axis
BESIDE = 0.22  # share of that place between the points of two cells
LAYER = re.compile(
    r"_\d+$"
)  # of a value of one layer; the summaries `cell` and `width` stand for those of a mixed search


def varied(search: Search) -> dict[str, list[Any]]:
    """The values that differ between trials: for each name the values of `search.reached`, in order.

    A value that only one cell has, for example `bias_gru`, counts as `bias` of that cell's trials. It is None for a
    trial whose cell has none.
    """
    cells = {part for cell in search.cells for part in cell.split("+")}
    names: dict[str, None] = {}
    for trial in search.reached:
        for name in trial["values"]:
            if not LAYER.search(name):
                names[_merged(name, cells)] = None
    found = {name: [_value(trial["values"], name, cell_of(trial)) for trial in search.reached] for name in names}
    return {name: values for name, values in found.items() if len(set(values)) > 1}


def _merged(name: str, cells: set[str]) -> str:
    """The name of a value without its cell."""
    return next((name.removesuffix(f"_{cell}") for cell in cells if name.endswith(f"_{cell}")), name)


def _value(values: dict[str, Any], name: str, cell: str) -> Any:
    return values.get(name, values.get(f"{name}_{cell}"))


def numeric(values: list[Any]) -> bool:
    """Whether all values are numbers, apart from those that a trial does not have."""
    return all(isinstance(value, int | float) for value in values if value is not None)


def in_order(values: list[Any]) -> list[Any]:
    """The different values, without None."""
    different = {value for value in values if value is not None}
    return sorted(different) if numeric(values) else sorted(different, key=str)


def slices(search: Search) -> Chart | None:
    """Score against each value that was searched."""
    found = {name: values for name, values in varied(search).items() if name != "cell"}
    if not found:
        return None
    names, shown = list(found), axis(search)
    panels = [_panel(search, name, found[name]) for name in names[:MOST_SLICES]]
    left = f" Left out: {', '.join(names[MOST_SLICES:])}." if names[MOST_SLICES:] else ""
    says = (
        "Each value that was searched, against the score; a ring is a pruned trial. A trial without the value has no"
        f" point.{left}{shown.note}"
    )
    return Chart("slices", "Score by value", says, panels, columns=min(3, len(panels)), height=320)


def _panel(search: Search, name: str, values: list[Any]) -> Panel:
    shown, words = axis(search), name.replace("_", " ")
    axes: dict[str, Any] = {"log_y": shown.log, "y_range": shown.ends}
    places = in_order(values)
    if len(places) > FEW and numeric(values):
        # Learning rates are drawn on a logarithmic scale.
        log = name == "learning_rate" or logarithmic([value for value in values if value is not None])
        series = [_points(search, cell, values) for cell in search.cells]
        return Panel(words, label(search), series, log_x=log, **axes)
    middle = (len(search.cells) - 1) / 2
    series = []
    for number, cell in enumerate(search.cells):
        aside = (number - middle) * BESIDE * min(1.0, 3 / len(search.cells))
        x = [None if value is None else places.index(value) + aside for value in values]
        series.append(_points(search, cell, x))
    names = {float(number): f"{value}" for number, value in enumerate(places)}
    return Panel(words, label(search), series, x_names=names, x_range=(-0.6, len(places) - 0.4), **axes)


def _points(search: Search, cell: str, x: list[Any]) -> Series:
    """The trials of a cell that have the value."""
    own = [place for place, value in enumerate(x) if value is not None]
    trials = [search.reached[place] for place in own]
    return points_of(search, cell, trials, [x[place] for place in own], reached_of(trials))
