"""Draws figures with Plotly, as JSON that the page's script shows. Colours of text and paper come from the page."""

import math
from typing import Any

from tracking.report.chart import GREY, Chart, Heat, Panel, Series, ends, placed, tick_text, ticks

Figure = dict[str, Any]  # Plotly's data and layout
TITLE, LEGEND, MARGINS = 34, 60, 96  # pixels: above a row of panels, below its axis, above and below all
DASHES = {"solid": "solid", "dash": "dash", "dot": "dot"}
CROWD = 150  # points of a series from which on they are small
MOST_WORDS = 24  # columns of a table of colours that have room for words
FEW = 20  # whole numbers, each of which has a mark
SHAPES = {"line": "linear", "step": "hv"}


def draw(chart: Chart) -> Figure:
    """The chart as a figure of Plotly.

    Plotly places the panels. The rest is written as JSON: Plotly's classes need a third of a second for twenty panels.
    """
    from plotly.subplots import make_subplots

    rows = -(-len(chart.panels) // chart.columns)
    height = rows * chart.height
    figure: Figure = make_subplots(
        rows=rows,
        cols=chart.columns,
        subplot_titles=[panel.title for panel in chart.panels],
        horizontal_spacing=0.24 / chart.columns**1.3 if chart.columns > 1 else 0,
        vertical_spacing=min(0.9 / rows, 84 / max(1, height - MARGINS)) if rows > 1 else 0,
    ).to_plotly_json()
    layout = figure["layout"]
    layout |= {"annotations": list(layout.get("annotations", ())), "shapes": []}
    named: set[str] = set()
    for place, panel in enumerate(chart.panels):
        number = str(place + 1) if place else ""  # as Plotly counts axes, row by row
        for trace in _traces(panel):
            trace |= {"showlegend": bool(trace.get("name")) and trace["name"] not in named}
            named.add(trace.get("name", ""))
            figure["data"].append(_known(trace) | {"xaxis": f"x{number}", "yaxis": f"y{number}"})
        # Panels beside each other mostly have the same axis of scores. Its name then stands once.
        same = place % chart.columns and not panel.heat and chart.panels[place - 1].y == panel.y
        _axes(layout, panel, number, "" if same else panel.y)
    below = -LEGEND / max(1, height - MARGINS)
    layout["legend"] = {"orientation": "h", "x": 0, "y": below, "yanchor": "top"}
    layout |= {"height": height + MARGINS, "hovermode": "closest"}
    return finish(figure)


def finish(figure: Figure) -> Figure:
    """A figure of Plotly without its own colours."""
    layout = figure["layout"]
    for own in ("template", "title"):
        layout.pop(own, None)
    layout |= {"paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)"}
    layout["margin"] = {"l": 70, "r": 24, "t": 34, "b": 50}
    return figure


def _known(trace: dict[str, Any]) -> dict[str, Any]:
    """A trace without what is None."""
    return {key: value for key, value in trace.items() if value is not None}


def _traces(panel: Panel) -> list[dict[str, Any]]:
    if panel.heat:
        return [_heat(panel.heat)]
    return [trace for series in panel.series for trace in (_band(series) if series.kind == "line" else [])] + [
        trace for series in panel.series for trace in _trace(series)
    ]


def _heat(heat: Heat) -> dict[str, Any]:
    return {
        "type": "heatmap",
        "x": list(heat.columns),
        "y": list(heat.rows),
        "z": [list(row) for row in heat.values],
        "text": [list(row) for row in heat.words],
        "texttemplate": "%{text}" if len(heat.columns) <= MOST_WORDS else None,
        "textfont": {"size": 11},
        "hovertext": [list(row) for row in heat.texts],
        "hoverinfo": "text",
        "zmin": heat.low,
        "zmax": heat.high,
        "colorscale": "Viridis",
        "showscale": False,
        "xgap": 2,
        "ygap": 2,
    }


def _band(series: Series) -> list[dict[str, Any]]:
    """The band around a line, below all lines."""
    if series.low is None or series.high is None:
        return []
    x, edge = list(series.x), [*series.high, *reversed(series.low)]
    return [
        {
            "type": "scatter",
            "x": [*x, *reversed(x)],
            "y": edge,
            "fill": "toself",
            "fillcolor": _clear(series.colour, 0.15),
            "line": {"width": 0},
            "mode": "lines",
            "hoverinfo": "skip",
            "legendgroup": series.name,
        }
    ]


def _clear(colour: str, share: float) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{share})"


def _trace(series: Series) -> list[dict[str, Any]]:
    base = {
        "name": series.name,
        "legendgroup": series.name,
        "x": list(series.x),
        "y": list(series.y),
        "hovertext": list(series.texts) or None,
        "hoverinfo": "text" if series.texts else "x+y+name",
        "opacity": series.opacity,
    }
    if series.kind == "bars":
        return [{**base, "type": "bar", "orientation": "h", "marker": {"color": series.colour}}]
    if series.kind == "points":
        return [trace for ring in (False, True) for trace in _points(series, base, ring)]
    line = {"color": series.colour, "width": series.width, "dash": DASHES[series.dash], "shape": SHAPES[series.kind]}
    return [{**base, "type": "scatter", "mode": "lines" if len(series.x) > 1 else "markers", "line": line}]


def _points(series: Series, base: dict[str, Any], ring: bool) -> list[dict[str, Any]]:
    """The filled points of a series, or its rings."""
    own = [place for place in range(len(series.x)) if bool(series.hollow and series.hollow[place]) is ring]
    if not own:
        return []
    taken = {key: [base[key][place] for place in own] for key in ("x", "y", "hovertext") if base[key]}
    size = 8 if len(series.x) < CROWD else 5
    marker = {"color": series.colour, "size": size, "symbol": "circle-open" if ring else "circle"}
    marker |= {"line": {"width": 1.8}} if ring else {}
    return [{**base, **taken, "type": "scatter", "mode": "markers", "marker": marker, "error_y": _interval(series)}]


def _interval(series: Series) -> dict[str, Any] | None:
    if series.low is None or series.high is None:
        return None
    above = [high - at for high, at in zip(series.high, series.y, strict=True)]
    below = [at - low for low, at in zip(series.low, series.y, strict=True)]
    return {"type": "data", "array": above, "arrayminus": below, "symmetric": False, "thickness": 2, "width": 8}


def _axes(layout: Figure, panel: Panel, number: str, title: str) -> None:
    """What belongs to the axes of a panel: names, marks, lines and words.

    Args:
        number: what Plotly puts behind "xaxis" and "yaxis": "" for the first panel, then 2, 3, ...
    """
    x, y = layout[f"xaxis{number}"], layout[f"yaxis{number}"]
    grid = {"type": "category", "showgrid": False} if panel.heat else {}
    for one, name, told in (
        (x, panel.x, _axis(panel.log_x, panel.whole_x, panel.x_range, ends(panel, "x"))),
        (y, title, _axis(panel.log_y, panel.whole_y, panel.y_range, ends(panel, "y"))),
    ):
        one |= {"title": {"text": name}, **told, **grid}
    for words, value, side in placed(panel):
        _line(layout, number, {"y0": value, "y1": value}, {"width": 1, "dash": "dot"})
        at = {"right": 1.0, "left": 0.0, "center": 0.5}[side]
        # A line on a logarithmic axis stands at its value, but a text at the logarithm of it.
        height = math.log10(value) if panel.log_y else value
        _write(layout, words, number, x=at, x_of=" domain", xanchor=side, y=height, yanchor="bottom")
    if panel.x_names:
        x |= {"tickvals": list(panel.x_names), "ticktext": list(panel.x_names.values())}
    if panel.names:
        _parallel(layout, panel, number)
    for words, value in panel.marks.items():
        _line(layout, number, {"x0": value, "x1": value}, {"width": 1})
        _write(layout, words, number, x=value, xanchor="right", y=1, y_of=" domain", yanchor="top")


def _line(layout: Figure, number: str, place: dict[str, float], line: dict[str, Any]) -> None:
    """A grey line. Where `place` does not say from where to where, it goes through the whole panel."""
    through = {f"{axis}{end}": end for axis in "xy" for end in (0, 1) if f"{axis}0" not in place}
    of = {f"{axis}ref": f"{axis}{number}{'' if f'{axis}0' in place else ' domain'}" for axis in "xy"}
    layout["shapes"].append({"type": "line", "line": {"color": GREY, **line}, **through, **place, **of})


def _parallel(layout: Figure, panel: Panel, number: str) -> None:
    """Axes beside each other, with their names and marks."""
    layout[f"yaxis{number}"]["visible"] = False
    at = {"tickvals": list(range(len(panel.names))), "ticktext": list(panel.names)}
    layout[f"xaxis{number}"] |= {**at, "showgrid": False, "side": "top"}
    for place in range(len(panel.names)):
        _line(layout, number, {"x0": place, "x1": place, "y0": 0, "y1": 1}, {"width": 1})
    for x, y, text in panel.words:
        _write(layout, text, number, {"size": 11}, x=x, y=y, xanchor="right", xshift=-4)


def _write(
    layout: Figure, words: str, number: str, font: dict[str, Any] | None = None, x_of: str = "", y_of: str = "",
    **place: Any,
) -> None:  # fmt: skip
    """Writes small words into a panel, grey ones if no font is given.

    Args:
        x_of, y_of: what x and y are shares of, " domain"; "" for values of the axes.
    """
    where = {"xref": f"x{number}{x_of}", "yref": f"y{number}{y_of}"}
    own = font or {"size": 11, "color": GREY}
    layout["annotations"].append({"text": words, "font": own, "showarrow": False, **place, **where})


def _axis(
    log: bool, whole: bool, given: tuple[float, float] | None, seen: tuple[float, float] | None
) -> dict[str, Any]:
    """What Plotly is told of an axis. `given` are its ends, `seen` those of the numbers on it."""
    found: dict[str, Any] = {"zeroline": False, "automargin": True}
    if given:
        found["range"] = [math.log10(end) if log else end for end in given]
    if log and seen:
        marks = ticks(*seen)
        found |= {"type": "log", "tickvals": marks, "ticktext": [tick_text(mark) for mark in marks]}
    if whole and seen:
        found |= {"tickformat": "d"} | ({"dtick": 1} if seen[1] - seen[0] < FEW else {})
    return found
