"""The charts of the dashboard: what MLflow's UI keeps of them in a saved view. It has no documentation of that."""

from collections.abc import Iterable
from typing import Any

from tracking.marks import FLOOR

State = dict[str, Any]

MOST_LINES = 8  # beside the curves; the tag of a view has 20,000 characters, and a user may name many floors

AXES, MOST_MORE = ["cell", "depth", "width"], 5  # of the parallel coordinates, and how many further values
HORIZON = ("half_life_50", "half_life", "rate_50", "rate", "g50_g0", "tau_1pct", "tau_eff")
# Columns and axes show these better. The UI adds a chart for each of them below ours, unless a deleted one is there.
UNCHARTED = (
    *("best/epoch", "best/execution", "best/model_score", "cost/seconds", "cost/parameters", "reached/epochs"),
    *("cost/flops_per_token", "cost/flops_per_step", "cost/ms_per_step"),
    *(f"horizon/{moment}{name}" for moment in ("", "init_") for name in HORIZON),
    "horizon/task_lag",
    *("hp/depth", "hp/width", "hp/learning_rate", "hp/log10_learning_rate", "hp/dropout"),
    *("hp/bias_lstm", "hp/bias_gru", "hp/clip", "hp/residual", "hp/bidirectional"),
)


def charts(metric: str, floors: Iterable[str], values: Iterable[str] = ()) -> State:
    """One chart of parallel coordinates, and below it, in two columns: cost and score, curves, scores, losses.

    Args:
        floors: their names. The first MOST_LINES of them are lines in the chart of the score's curves.
        values: what the trials differ in. Those that no other axis has are axes of the parallel coordinates, too.
    """
    lines = [f"{FLOOR}{name}" for name in floors][:MOST_LINES]
    best, reached = f"best/{metric}", f"reached/{metric}"
    # The last metric gives the colour. Only the logarithms of learning rates spread out, and the UI has no such axis.
    # The epochs mark the trials that were pruned.
    metrics = ["hp/log10_learning_rate", "reached/epochs", reached]
    more = [name for name in values if name not in (*AXES, "learning_rate")][:MOST_MORE]
    axes = {"selectedParams": [*AXES, *more], "selectedMetrics": metrics}
    plane = {"xaxis": {"key": "cost/parameters", "type": "METRIC"}, "yaxis": {"key": reached, "type": "METRIC"}}
    shown = [
        _chart("PARALLEL", "values", "all", **axes, showAllRuns=True),
        _chart("SCATTER", "trials", "cost", **plane),
        _curve(f"val_{metric}", lines),
        _chart("BAR", "trials", best, metricKey=best),
        _curve("loss", []),
    ]
    hidden = [_chart("BAR", "trials", key, metricKey=key, deleted=True) for key in (*UNCHARTED, reached)]
    hidden += [_chart("LINE", "trials", key, metricKey=key, deleted=True) for key in lines]
    sections = [_section("values", "Values and score", 1), _section("trials", "Trials", 2)]
    return {"compareRunSections": sections, "compareRunCharts": shown + hidden}


def _section(key: str, name: str, columns: int) -> State:
    layout = {"uuid": key, "name": name, "columns": columns, "cardHeight": 360}
    return {**layout, "display": True, "isReordered": False, "deleted": False, "isGenerated": False}


def _chart(kind: str, section: str, key: str, **fields: Any) -> State:
    names = {"uuid": f"{kind}-{key}", "type": kind, "metricSectionId": section}
    return {**names, "runsCountToCompare": 10, "deleted": False, "isGenerated": False, **fields}


def _curve(key: str, beside: list[str]) -> State:
    """A learning curve, with further metrics beside it; the UI needs every field."""
    return _chart(
        "LINE",
        "trials",
        key,
        metricKey=key,
        selectedMetricKeys=[key, *beside],
        xAxisKey="step",
        selectedXAxisMetricKey="",
        useGlobalXaxisKey=True,
        useGlobalLineSmoothing=True,
        scaleType="linear",
        xAxisScaleType="linear",
        lineSmoothness=0,
        range={},
        yAxisKey="metric",
        yAxisExpressions=[],
        ignoreOutliers=False,
    )
