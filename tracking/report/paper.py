"""Draws figures with matplotlib, as files for a paper: PNG, SVG and PDF. No browser is needed."""

import math
from pathlib import Path
from typing import Any

from tracking.report.chart import GREY, Chart, Heat, Panel, Series, ends, placed, tick_text, ticks

KINDS = ("png", "svg", "pdf")
DPI = 160
INCH = 100  # pixels of a chart's height in an inch
WIDTH = 9.0  # inches
LINES = {"solid": "-", "dash": "--", "dot": ":"}
LEGEND = 90  # letters in a row of the legend
MANY = 3  # words on an axis from which on they stand aslant


def draw(chart: Chart, folder: Path) -> list[Path]:
    """Writes the chart into a folder in all KINDS; returns the files."""
    from matplotlib.figure import Figure

    rows = -(-len(chart.panels) // chart.columns)
    figure = Figure(figsize=(WIDTH, max(2.5, rows * chart.height / INCH)), dpi=DPI, layout="constrained")
    axes = figure.subplots(rows, chart.columns, squeeze=False).ravel()
    for place, (one, panel) in enumerate(zip(axes, chart.panels, strict=False)):
        _panel(one, panel)
        if place % chart.columns and chart.panels[place - 1].y == panel.y and not panel.heat:
            one.set_ylabel("")  # it stands at the panel on the left
    for unused in axes[len(chart.panels) :]:
        unused.set_axis_off()
    figure.suptitle(chart.title)
    handles = {label: handle for one in axes for handle, label in zip(*one.get_legend_handles_labels(), strict=True)}
    if handles:
        words = list(handles)
        across = min(len(words), max(1, LEGEND // max(map(len, words))))
        figure.legend(
            handles.values(), words, loc="outside lower center", ncols=across, frameon=False, fontsize="small"
        )
    return save(figure, folder, chart.name)


def save(figure: Any, folder: Path, name: str) -> list[Path]:
    """Writes a figure of matplotlib in all KINDS; returns the files."""
    files = [folder / f"{name}.{kind}" for kind in KINDS]
    for file in files:
        figure.savefig(file)
    return files


def _panel(axes: Any, panel: Panel) -> None:
    from matplotlib.ticker import MaxNLocator

    if panel.heat:
        _heat(axes, panel.heat)
    for series in panel.series:
        _series(axes, series)
    if panel.y_range:
        axes.set_ylim(*panel.y_range)
    if panel.x_range:
        axes.set_xlim(*panel.x_range)
    for side, log in (("x", panel.log_x), ("y", panel.log_y)):
        if log and (seen := ends(panel, side)):
            marks = ticks(*seen)
            axes.set(**{f"{side}scale": "log"})
            axes.set(**{f"{side}ticks": marks, f"{side}ticklabels": [tick_text(mark) for mark in marks]})
            axes.tick_params(axis=side, which="minor", length=0, labelleft=False, labelbottom=False)
    for axis, whole in ((axes.xaxis, panel.whole_x), (axes.yaxis, panel.whole_y)):
        if whole:
            axis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel=panel.x, ylabel=panel.y)
    axes.set_title(panel.title, fontsize="medium")
    _words(axes, panel)


def _words(axes: Any, panel: Panel) -> None:
    """Lines, marks and names of an axis."""
    for words, value, side in placed(panel):
        at = {"right": 0.99, "left": 0.01, "center": 0.5}[side]
        axes.axhline(value, color=GREY, linewidth=0.8, linestyle=":")
        place = {"transform": axes.get_yaxis_transform(), "ha": side, "va": "bottom"}
        axes.text(at, value, words, color=GREY, fontsize="x-small", clip_on=True, **place)
    for words, value in panel.marks.items():
        axes.axvline(value, color=GREY, linewidth=0.8)
        place = {"transform": axes.get_xaxis_transform(), "ha": "right", "va": "top"}
        axes.text(value, 0.98, f"{words} ", color=GREY, fontsize="x-small", **place)
    if panel.x_names:
        axes.set_xticks(
            list(panel.x_names), list(panel.x_names.values()), rotation=30 if len(panel.x_names) > MANY else 0
        )
    if panel.names:
        axes.set_axis_off()
        for number, name in enumerate(panel.names):
            axes.plot([number, number], [0, 1], color=GREY, linewidth=0.8)
            axes.text(number, 1.06, name, ha="center", va="bottom", fontsize="small")
        for x, y, text in panel.words:
            axes.text(x - 0.03, y, text, ha="right", va="center", fontsize="x-small")
    elif not panel.heat:
        axes.grid(alpha=0.2)


def _heat(axes: Any, heat: Heat) -> None:
    values = [[math.nan if value is None else value for value in row] for row in heat.values]
    axes.imshow(values, origin="lower", aspect="auto", cmap="viridis", vmin=heat.low, vmax=heat.high)
    axes.set_xticks(range(len(heat.columns)), heat.columns)
    axes.set_yticks(range(len(heat.rows)), heat.rows)
    middle = (heat.low + heat.high) / 2
    for row, words in enumerate(heat.words):
        for column, word in enumerate(words):
            value = heat.values[row][column]
            colour = "black" if value is None or value > middle else "white"
            axes.text(column, row, word, ha="center", va="center", fontsize="xx-small", color=colour)


def _series(axes: Any, series: Series) -> None:
    name = series.name or None
    style = {"color": series.colour, "alpha": series.opacity, "label": name}
    if series.kind == "bars":
        axes.barh(series.y, series.x, **style)
    elif series.kind == "points":
        _points(axes, series, style)
    elif series.kind == "step":
        axes.step(series.x, series.y, where="post", linewidth=series.width * 0.7, **style)
    else:
        x, y = ([math.nan if one is None else one for one in values] for values in (series.x, series.y))
        marker = "o" if len(x) == 1 else None
        axes.plot(x, y, LINES[series.dash], marker=marker, linewidth=series.width * 0.7, solid_capstyle="butt", **style)
        if series.low is not None and series.high is not None:
            axes.fill_between(series.x, series.low, series.high, color=series.colour, alpha=0.15, linewidth=0)


def _points(axes: Any, series: Series, style: dict[str, Any]) -> None:
    hollow = list(series.hollow) or [False] * len(series.x)
    if series.low is not None and series.high is not None:
        below = [at - low for low, at in zip(series.low, series.y, strict=True)]
        above = [high - at for high, at in zip(series.high, series.y, strict=True)]
        axes.errorbar(series.x, series.y, [below, above], fmt="none", ecolor=series.colour, capsize=5)
    for ring in (False, True):
        own = [place for place, one in enumerate(hollow) if one is ring]
        if own or not ring:
            faces = {"facecolors": "none", "edgecolors": series.colour} if ring else {"color": series.colour}
            x, y = ([values[place] for place in own] for values in (series.x, series.y))
            label = style["label"] if not ring else None
            axes.scatter(x, y, s=16, alpha=series.opacity, label=label, **faces)
