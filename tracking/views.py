"""The dashboard that MLflow's UI opens on: saved views, kept as tags of the experiment.

The UI reads a tag `mlflow.sharedViewState.<key>`: either `{"name", "createdAt", "updatedAt", "state"}`, which it lists
under "Views", or a bare state, which opens by its key alone. MLflow does not document this. It was seen to work with
3.17; a UI that does not know the tags shows its plain run table, so any later 3.x gets them too, and an earlier one none.
"""

import hashlib
import json
import logging
from typing import Any
from urllib.parse import urlencode

import mlflow
from mlflow import MlflowClient

State = dict[str, Any]

FIRST_SEEN, NOT_TRIED = (3, 17), (4, 0)
KEY = "mlflow.sharedViewState.recurrent-"
NOTE = "mlflow.note.content"
NAMES = ("overview", "leaderboard", "searches", "failed")
RUN_NAME = "attributes.`Run Name`"  # a column, in the UI's words
# Columns and axes show these better: unless it finds a deleted chart of each, the UI adds one below ours.
UNCHARTED = (
    *("best/epoch", "best/model_score", "cost/seconds", "cost/parameters"),
    *("hp/depth", "hp/width", "hp/learning_rate", "hp/log10_learning_rate", "hp/dropout"),
)

log = logging.getLogger(__name__)


def write_views(
    client: MlflowClient, experiment_id: str, metric: str, direction: str, search: str | None = None
) -> bool:
    """Writes the four views, and one of `search`'s trials alone, into the experiment. Again: nothing changes.

    Best effort: without these tags the record is whole, so a failure is logged and returned as False.
    Raises ValueError if `direction` is neither min nor max.
    """
    if direction not in ("min", "max"):
        raise ValueError(f"direction: expected min or max, got {direction!r}")
    try:
        if not known(mlflow.__version__):
            log.warning("no saved views: MLflow 3.17 and later know them, this is %s", mlflow.__version__)
            return False
        written = client.get_experiment(experiment_id).tags
        for key, value in tags(experiment_id, metric, direction, search, written.get(NOTE)).items():
            if written.get(key) != value:
                client.set_experiment_tag(experiment_id, key, value)
    except Exception as error:  # whatever a store raises: the search must not end for its dashboard
        log.warning("no saved views in experiment %s: %s", experiment_id, error)
        return False
    return True


def known(version: str) -> bool:
    """Whether this MLflow's UI is taken to read the views."""
    major, minor = version.split(".")[:2]
    return FIRST_SEEN <= (int(major), int(minor)) < NOT_TRIED


def dashboard_link(base: str, experiment_id: str, view: str = "overview", search: str | None = None) -> str:
    """The address that opens a view; with `search`, of that search's trials alone (its views must be written).

    Raises ValueError for a view that is not one of NAMES.
    """
    return f"{base.rstrip('/')}/{fragment(experiment_id, view, search)}"


def fragment(experiment_id: str, view: str, search: str | None = None) -> str:
    """The part of the address that the UI itself reads. Without `workflowType` it would open on its GenAI pages."""
    if view not in NAMES:
        raise ValueError(f"view: expected one of {', '.join(NAMES)}, got {view!r}")
    query = {
        "workflowType": "machine_learning",
        "viewStateShareKey": f"recurrent-{view}" if search is None else f"recurrent-{digest(search)}",
        "compareRunsMode": "CHART" if view == "overview" else "TABLE",
    }
    return f"#/experiments/{experiment_id}/runs?{urlencode(query)}"


def tags(experiment_id: str, metric: str, direction: str, search: str | None, note: str | None) -> dict[str, str]:
    """All that belongs into the experiment: the views by name, the search's own by key, and the note's links."""
    columns = trial_columns(metric)
    trials = table("tags.kind = 'trial'", f"metrics.`best/{metric}`", direction == "min", columns)
    states = {
        "overview": trials | charts(metric),
        "leaderboard": trials | charts(metric),
        "searches": table("tags.kind = 'search'", "attributes.start_time", False, [("metrics", f"best/{metric}", 140)]),
        "failed": table(
            "tags.kind = 'trial' and attributes.status = 'FAILED'",
            "tags.`search_id`",  # by time the UI would show their parents instead
            True,
            [("tags", "search_id", 160), ("params", "architecture", 160), ("tags", "reason", 400), ("tags", "error", 400)],
        ),
    }
    # The UI sorts its list by creation, newest first: fixed numbers keep our order and never change the tag.
    written = {KEY + name: envelope(name, 4 - place, state) for place, (name, state) in enumerate(states.items())}
    if search is not None:
        own = trials | charts(metric) | {"searchFilter": f"tags.kind = 'trial' and tags.search_id = '{search}'"}
        written[KEY + digest(search)] = json.dumps(own)
    links = note_links(experiment_id)
    return written | ({NOTE: links} if note is None or note.startswith("[Overview](") else {})


def envelope(name: str, time: int, state: State) -> str:
    return json.dumps({"name": name.capitalize(), "createdAt": time, "updatedAt": time, "state": json.dumps(state)})


def trial_columns(metric: str) -> list[tuple[str, str, int]]:
    """A trial's columns: kind, key, width in pixels."""
    return [
        ("metrics", f"best/{metric}", 180),
        ("metrics", "best/epoch", 110),
        ("metrics", "cost/parameters", 140),
        ("metrics", "cost/seconds", 120),
        ("params", "learning_rate", 130),
        ("params", "dropout", 100),
        ("tags", "search_id", 160),
        ("tags", "outcome", 110),
        ("params", "architecture", 150),
    ]


def table(where: str, order: str, ascending: bool, columns: list[tuple[str, str, int]]) -> State:
    """A table of runs. `SHOW_ALL`: the UI hides all but the first ten from its charts otherwise."""
    names = [f"{kind}.`{key}`" for kind, key, _ in columns]
    return {
        "searchFilter": where,
        "orderByKey": order,
        "orderByAsc": ascending,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": names,
        "columnOrder": [RUN_NAME, *names],
        "columnWidths": {RUN_NAME: 220} | {name: width for name, (_, _, width) in zip(names, columns, strict=True)},
        "runsHiddenMode": "SHOW_ALL",
        "isAccordionReordered": True,
        "hideEmptyCharts": True,
    }


def charts(metric: str) -> State:
    """Parallel coordinates over the whole width, then cost against score, scores and curves side by side."""
    best, curve = f"best/{metric}", f"val_{metric}"
    cost = {"key": "cost/parameters", "type": "METRIC"}
    # The last metric gives the colour. Learning rates spread out only as logarithms, and the UI has no such axis.
    axes = {"selectedParams": ["cell", "depth", "width"], "selectedMetrics": ["hp/log10_learning_rate", best]}
    return {
        "compareRunSections": [
            section("values", "Values and score", 1, 420),
            section("trials", "Trials", 2, 380),
        ],
        "compareRunCharts": [
            chart("PARALLEL", "values", "Parallel coordinates", **axes, showAllRuns=True),
            chart("SCATTER", "trials", "Cost and score", xaxis=cost, yaxis={"key": best, "type": "METRIC"}),
            line(curve),
            chart("BAR", "trials", best, metricKey=best),
            line("loss"),
            *(chart("BAR", "trials", key, metricKey=key) | {"deleted": True} for key in UNCHARTED),
        ],
    }


def section(key: str, name: str, columns: int, height: int) -> State:
    flags = {"display": True, "isReordered": False, "deleted": False, "isGenerated": False}
    return {"uuid": key, "name": name, "columns": columns, "cardHeight": height, **flags}


def chart(kind: str, section: str, title: str, **fields: Any) -> State:
    names = {"uuid": f"{kind}-{title}", "type": kind, "metricSectionId": section, "displayName": title}
    return {**names, "runsCountToCompare": 10, "deleted": False, "isGenerated": False, **fields}


def line(key: str) -> State:
    """A learning curve; every field is needed."""
    return chart(
        "LINE",
        "trials",
        f"{key} by epoch",
        metricKey=key,
        selectedMetricKeys=[key],
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


def note_links(experiment_id: str) -> str:
    """The line above the run table."""
    return " · ".join(f"[{name.capitalize()}]({fragment(experiment_id, name)})" for name in NAMES)


def digest(search: str) -> str:
    return hashlib.sha256(search.encode()).hexdigest()[:12]

