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
    """The chart as a figure of Plotly."""
    from plotly.subplots import make_subplots

    rows = -(-len(chart.panels) // chart.columns)
    height = rows * chart.height
    figure = make_subplots(
        rows=rows,
        cols=chart.columns,
        subplot_titles=[panel.title for panel in chart.panels],
        horizontal_spacing=0.24 / chart.columns**1.3 if chart.columns > 1 else 0,
        vertical_spacing=min(0.9 / rows, 84 / max(1, height - MARGINS)) if rows > 1 else 0,
    )
    named: set[str] = set()
    for place, panel in enumerate(chart.panels):
        where = {"row": place // chart.columns + 1, "col": place % chart.columns + 1}
        for trace in _traces(panel):
            trace["showlegend"] = bool(trace.get("name")) and trace["name"] not in named
            named.add(trace.get("name", ""))
            figure.add_trace(trace, **where)
        # Panels beside each other mostly have the same axis of scores. Its name then stands once.
        same = where["col"] > 1 and not panel.heat and chart.panels[place - 1].y == panel.y
        _axes(figure, panel, where, "" if same else panel.y)
    below = -LEGEND / max(1, height - MARGINS)
    legend = {"orientation": "h", "x": 0, "y": below, "yanchor": "top"}
    figure.update_layout(height=height + MARGINS, legend=legend, hovermode="closest")
    return finish(figure)


def finish(figure: Any) -> Figure:
    """A figure of Plotly as JSON, without its own colours."""
    figure.update_layout(
        template=None,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        margin={"l": 70, "r": 24, "t": 34, "b": 50},
        title=None,
    )
    found: Figure = figure.to_plotly_json()
    found["layout"].pop("template", None)
    return found


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


def _axes(figure: Any, panel: Panel, where: dict[str, int], title: str) -> None:
    grid = {"type": "category", "showgrid": False} if panel.heat else {}
    figure.update_xaxes(
        title_text=panel.x, **_axis(panel.log_x, panel.whole_x, panel.x_range, ends(panel, "x")), **grid, **where
    )
    figure.update_yaxes(
        title_text=title, **_axis(panel.log_y, panel.whole_y, panel.y_range, ends(panel, "y")), **grid, **where
    )
    for words, value, side in placed(panel):
        figure.add_hline(y=value, line={"color": GREY, "width": 1, "dash": "dot"}, **where)
        at = {"right": 1.0, "left": 0.0, "center": 0.5}[side]
        # A line on a logarithmic axis stands at its value, but a text at the logarithm of it.
        y = math.log10(value) if panel.log_y else value
        _write(figure, words, where, x=at, xref="x domain", xanchor=side, y=y, yanchor="bottom")
    if panel.x_names:
        figure.update_xaxes(tickvals=list(panel.x_names), ticktext=list(panel.x_names.values()), **where)
    if panel.names:
        _parallel(figure, panel, where)
    for words, value in panel.marks.items():
        figure.add_vline(x=value, line={"color": GREY, "width": 1}, **where)
        _write(figure, words, where, x=value, xanchor="right", y=1, yref="y domain", yanchor="top")


def _parallel(figure: Any, panel: Panel, where: dict[str, int]) -> None:
    """Axes beside each other, with their names and marks."""
    figure.update_yaxes(visible=False, **where)
    figure.update_xaxes(
        tickvals=list(range(len(panel.names))), ticktext=panel.names, showgrid=False, side="top", **where
    )
    for place in range(len(panel.names)):
        figure.add_shape(type="line", x0=place, x1=place, y0=0, y1=1, line={"color": GREY, "width": 1}, **where)
    for x, y, text in panel.words:
        figure.add_annotation(
            text=text, x=x, y=y, xanchor="right", xshift=-4, showarrow=False, font={"size": 11}, **where
        )


def _write(figure: Any, words: str, where: dict[str, int], **place: Any) -> None:
    """Writes small grey words into a panel."""
    figure.add_annotation(text=words, font={"size": 11, "color": GREY}, showarrow=False, **place, **where)


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
