"""The dashboard that MLflow's UI opens on: saved views, kept as tags of the experiment.

The UI reads a tag `mlflow.sharedViewState.<key>`: either `{"name", "createdAt", "updatedAt", "state"}`, which it lists
under "Views", or a bare state, which opens only by its key. MLflow does not document this. It was seen to work with
3.17. A UI that does not know the tags shows its plain table of runs. Later 3.x get the tags too, earlier ones do not.
"""

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Run

from tracking.charts import State, charts
from tracking.errors import BadInput
from tracking.tags import NOTE, PREFIX, VALUE

MODELS = {"workflowType": "machine_learning"}  # without it the UI opens on its GenAI pages
Columns = list[tuple[str, str, int]]  # kind, key, width in pixels

FIRST_SEEN, NOT_TRIED = (3, 17), (4, 0)
KEY = "mlflow.sharedViewState.recurrent-"
NAMES = ("overview", "leaderboard", "searches", "failed")
SEARCH = f"{PREFIX}search_id"
TRIALS, SEARCHES = (f"tags.`{PREFIX}kind` = '{kind}'" for kind in ("trial", "search"))
FAILED = f"{TRIALS} and attributes.status = 'FAILED'"
VALUES = ("learning_rate", "dropout")  # of all searches; the cell, the depth and the width stand in a trial's name
LOADED = "A view loads 100 trials, best first: *Load more* below the table adds others to the table and the charts."
RUN_NAME = "attributes.`Run Name`"  # the column's id in the UI

log = logging.getLogger(__name__)


def write_views(
    client: MlflowClient,
    experiment_id: str,
    metric: str,
    direction: str,
    search: tuple[str, str] | None = None,
    floors: Iterable[str] = (),
    values: Iterable[str] = (),
) -> bool:
    """Writes the four views into the experiment, and a view of the trials of one search. A second call changes nothing.

    Args:
        search: its name, and the id of its parent run. The id leaves out the trials of an earlier search of that name,
            whose parent run was deleted.
        floors: their names; the learning curves show them as lines.
        values: what the candidates of the search differ in, in the order of columns and axes, if that is known.

    Returns False after a failure, which is logged: the record is whole without views.
    Raises BadInput if `direction` is neither min nor max.
    """
    if direction not in ("min", "max"):
        raise BadInput(f"direction: expected min or max, got {direction!r}")
    try:
        if not _known(mlflow.__version__):
            log.warning("no saved views: MLflow 3.17 and later know them, this is %s", mlflow.__version__)
            return False
        written = client.get_experiment(experiment_id).tags
        wanted = _tags(metric, direction == "min", search, [*floors], [*values])
        wanted |= _note(client, experiment_id, written.get(NOTE))
        for key, value in wanted.items():
            if written.get(key) != value:
                client.set_experiment_tag(experiment_id, key, value)
    except Exception as error:  # no error of a store may end a search because of its dashboard
        log.warning("no saved views in experiment %s: %s", experiment_id, error)
        return False
    return True


def write_search_views(client: MlflowClient, parent: Run, found: Mapping[str, Any], values: Iterable[str] = ()) -> None:
    """Writes the views of a search's experiment, and that of the search.

    Args:
        found: what `results` returns.
        values: as in `write_views`.
    """
    own = found["search"], parent.info.run_id
    write_views(client, parent.info.experiment_id, found["metric"], found["direction"], own, found["floors"], values)


def drop_view(client: MlflowClient, experiment_id: str, search: str) -> None:
    """Removes the view of the trials of one search."""
    key = KEY + _digest(search)
    if key in client.get_experiment(experiment_id).tags:
        client.delete_experiment_tag(experiment_id, key)


def home_link(base: str) -> str:
    """The address of the list of experiments, in the pages for the training of models."""
    return f"{base.rstrip('/')}/#/experiments?{urlencode(MODELS)}"


def dashboard_link(base: str, experiment_id: str, view: str = "overview", search: str | None = None) -> str:
    """The address of a view. With `search`, overview and leaderboard show only that search's trials.

    Raises BadInput for a view that is not one of NAMES.
    """
    if view not in NAMES:
        raise BadInput(f"view: expected one of {', '.join(NAMES)}, got {view!r}")
    own = search is not None and view in ("overview", "leaderboard")
    query = {
        **MODELS,
        "viewStateShareKey": f"recurrent-{_digest(search) if search and own else view}",
        "compareRunsMode": "CHART" if view == "overview" else "TABLE",
    }
    return f"{base.rstrip('/')}/#/experiments/{experiment_id}/runs?{urlencode(query)}"


def _known(version: str) -> bool:
    major, minor = version.split(".")[:2]
    return FIRST_SEEN <= (int(major), int(minor)) < NOT_TRIED


def _note(client: MlflowClient, experiment_id: str, present: str | None) -> dict[str, str]:
    """The line above the table of runs, which links to the views. A note that the user has written stays."""
    if present and not present.startswith("[Overview]("):
        return {}
    failed = client.search_runs([experiment_id], FAILED, max_results=1)
    names = NAMES if failed else NAMES[:-1]
    links = [f"[{name.capitalize()}]({dashboard_link('', experiment_id, name)[1:]})" for name in names]
    return {NOTE: f"{' · '.join([*links, *([] if failed else ['no failures'])])}. {LOADED}"}


def _tags(
    metric: str, ascending: bool, search: tuple[str, str] | None, floors: list[str], values: list[str]
) -> dict[str, str]:
    """The tags of the views. The view of a search has a digest and no name, so that the UI's list stays short."""
    # Pruned and failed trials have no best score. They stand where their last score puts them.
    trials = _table(TRIALS, f"metrics.`reached/{metric}`", ascending, _trial_columns(metric, VALUES))
    trials |= charts(metric, floors)
    states = {"overview": trials, "leaderboard": trials, "searches": _searches(metric), "failed": _failed()}
    # The UI lists the newest view first. Fixed numbers in place of times keep our order, and a second call writes the
    # same tags.
    tags = {KEY + name: _envelope(name, 4 - place, state) for place, (name, state) in enumerate(states.items())}
    if search is not None:
        where = f"{TRIALS} and tags.`{SEARCH}` = '{search[0]}' and tags.`mlflow.parentRunId` = '{search[1]}'"
        own = _table(where, trials["orderByKey"], ascending, _trial_columns(metric, values or VALUES))
        tags[KEY + _digest(search[0])] = _compact(trials | own | charts(metric, floors, values))
    return tags


def _envelope(name: str, time: int, state: State) -> str:
    return _compact({"name": name.capitalize(), "createdAt": time, "updatedAt": time, "state": _compact(state)})


def _compact(state: State) -> str:
    """Without spaces: a tag is cut at 20,000 characters."""
    return json.dumps(state, separators=(",", ":"))


def _digest(search: str) -> str:
    return hashlib.sha256(search.encode()).hexdigest()[:12]


def _trial_columns(metric: str, values: Iterable[str]) -> Columns:
    return [
        ("metrics", f"reached/{metric}", 180),
        ("tags", f"{PREFIX}verdict", 200),
        ("tags", f"{PREFIX}outcome", 150),
        ("metrics", "reached/epochs", 130),
        ("metrics", "cost/parameters", 140),
        ("metrics", "cost/seconds", 120),
        ("tags", SEARCH, 140),
        *(("tags", f"{PREFIX}{VALUE}{name}", 120) for name in values),
        ("metrics", "best/epoch", 110),
        ("params", "architecture", 160),
    ]


def _searches(metric: str) -> State:
    params: Columns = [("params", name, 100) for name in ("epochs", "executions", "seed")]
    first: Columns = [("metrics", f"best/{metric}", 180), ("params", "cells", 230), ("params", "oracle", 100)]
    columns = [*first, ("tags", f"{PREFIX}trials", 100), *params]  # --resume may change their number
    return _table(SEARCHES, "attributes.start_time", False, columns)


def _failed() -> State:
    columns = [
        ("tags", SEARCH, 160),
        ("params", "architecture", 160),
        ("tags", f"{PREFIX}reason", 260),
        ("tags", f"{PREFIX}error", 500),
    ]
    # In the usual order, which is by time, the UI would show the parent runs instead.
    return _table(FAILED, f"tags.`{SEARCH}`", True, columns)


def _table(where: str, order: str, ascending: bool, columns: Columns) -> State:
    names = [f"{kind}.`{key}`" for kind, key, _ in columns]
    widths = {name: width for name, (_, _, width) in zip(names, columns, strict=True)}
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
        "columnWidths": {RUN_NAME: 220, **widths},
        "runsHiddenMode": "SHOW_ALL",  # by default charts show the first ten runs only
        "isAccordionReordered": True,
        "hideEmptyCharts": True,
    }
