"""The experiment of a task in MLflow. Tasks in files of one name have different experiments.

An experiment has the dashboard of one metric, and its table compares scores of one set of data. So it holds the
searches of one task. Its tags say which one.
"""

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mlflow import MlflowClient
from mlflow.entities import Experiment
from mlflow.exceptions import MlflowException

from tracking.errors import SearchStateError
from tracking.paging import runs
from tracking.root import inside
from tracking.store import database
from tracking.tags import filters, named

MOST_OF_NAME, MOST_OF_FOLDER = 180, 60  # characters; MLflow's table takes 256 in all


def experiment_of(client: MlflowClient, title: str, artifacts: str | None, spec: Mapping[str, Any]) -> str:
    """The id of the experiment for a new search of a task; it is made if it is not there.

    Args:
        title: the name of the experiment, unless another task has taken it.
        artifacts: where a new experiment called `title` keeps its files; None leaves it to the server. If it gets
            another name, its files lie in a folder of that name beside this one.
        spec: of the search.

    Raises SearchStateError if MLflow has deleted the experiment.
    """
    task = _whole(spec["task"])
    about = named({"task": _place(client, task), "metric": spec.get("metric", "")})
    for name in _names(title, task):
        found = client.get_experiment_by_name(name)
        try:
            if found is None:
                place = artifacts if name == title or not artifacts else _beside(artifacts, name)
                return client.create_experiment(name, place, about)
        except MlflowException:  # another process has made it at the same moment
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
        if found.lifecycle_stage == "deleted":
            raise SearchStateError(
                f"task: expected an experiment {name!r} in use, got a deleted one; restore it in MLflow"
            )
        if _keeps_files_here(client, found) and _is_of(client, found, spec, about):
            return str(found.experiment_id)
    raise AssertionError("there is always another name")


def _names(title: str, task: str) -> Iterator[str]:
    """data, data (FOLDER), data (2), data (3), … A task that comes with the project lies in no folder."""
    title = title[:MOST_OF_NAME]
    yield title
    if folder := Path(task).parent.name[:MOST_OF_FOLDER]:
        yield f"{title} ({folder})"
    yield from (f"{title} ({number})" for number in itertools.count(2))


def _place(client: MlflowClient, task: str) -> str:
    """The task's name or file. A file in the folder of the store is named from there, so that both may be moved."""
    store = database(client.tracking_uri)
    if store is None or not Path(task).is_relative_to(store.parent):
        return task
    return str(Path(task).relative_to(store.parent))


def _whole(task: str) -> str:
    """The name of a task, or the whole path of a file, which the spec has relative to the current folder."""
    return str(Path(task).absolute()) if Path(task).suffix else task


def _keeps_files_here(client: MlflowClient, experiment: Experiment) -> bool:
    """False if an experiment of a file store keeps its files outside the store's folder. Nothing is written there."""
    file = database(client.tracking_uri)
    return file is None or inside(file, experiment.artifact_location)


def _beside(artifacts: str, name: str) -> str:
    return f"{artifacts.rpartition('/')[0]}/{quote(name)}"


def _is_of(client: MlflowClient, experiment: Experiment, spec: Mapping[str, Any], about: dict[str, str]) -> bool:
    """True if the experiment holds the searches of this task. One of an earlier version, or without searches, gets the
    tags that say so."""
    if about.keys() <= experiment.tags.keys():
        return about.items() <= experiment.tags.items()
    searches = runs(client, [experiment.experiment_id], *filters(kind="search"))
    known = [(run.data.params.get("task"), run.data.params.get("metric")) for run in searches]
    tasks, metric = (spec["task"], _whole(spec["task"])), spec.get("metric")
    same = all(one == (None, None) or (one[0] in tasks and one[1] == metric) for one in known)
    for tag in about.items() if same else ():
        client.set_experiment_tag(experiment.experiment_id, *tag)
    return same
