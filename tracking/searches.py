"""A search in MLflow: one parent run in its task's experiment."""

import json
import shlex
from collections.abc import Mapping
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, Metric, Param, Run, RunTag
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME

from tracking.errors import SearchStateError
from tracking.experiments import experiment_of
from tracking.journal import now
from tracking.marks import marks
from tracking.paging import deleted_runs, experiments, runs
from tracking.storable import is_storable
from tracking.store import connect, uri_arguments, working
from tracking.tags import LIMITS, filters, is_new, named, of_spec, ours, spec_in
from tracking.text import did_you_mean

# What may differ in the spec of a search that is resumed.
CHANGING = ("trials", "prefer", "record", "commit", "finals", *LIMITS)
MOST_CHARACTERS = 6_000  # of a parameter in MLflow; the spec has the whole value
MOST_OF_NAME = 500  # characters of a dataset's name in MLflow; the end of a path says more than its beginning


def find_search(client: MlflowClient, name: str) -> Run | None:
    """The parent run of a search; a name is unique in its store."""
    return next(iter(searches_of(client, name)), None)


def existing_search(name: str, uri: str) -> tuple[MlflowClient, Run]:
    """A client, and the parent run of a search that must be there. Raises SearchStateError."""
    client = connect(uri)
    with working(uri):
        parent = find_search(client, name)
        known = [] if parent else [search_name(run) for run in all_searches(client)]
        deleted = parent is None and name in deleted_searches(client)
    if deleted:
        call = shlex.join(["recurrent", "sync", name, *uri_arguments(uri)])
        raise SearchStateError(
            f"NAME: expected a search in {uri}, got {name!r}, which was deleted in MLflow;"
            f" `{call}` restores it if its folder is still there"
        )
    if parent is None:
        newest = ", ".join(known[:10]) or "none yet"
        hint = did_you_mean(name, known)
        raise SearchStateError(f"NAME: expected a search in {uri} ({newest}), got {name!r}{hint}")
    return client, parent


def searches_of(client: MlflowClient, name: str) -> list[Run]:
    """The parent runs of this name, the oldest first. A server that answered too late may have made a second one."""
    if "'" in name or not is_storable(name):  # no search has such a name, and MLflow's filter does not take it
        return []
    found = runs(client, experiments(client), *filters(kind="search", search_id=name))
    return [run for run in found if _is_search(run) and search_name(run) == name]


def all_searches(client: MlflowClient) -> list[Run]:
    """The parent runs of all searches, newest first."""
    return [run for run in runs(client, experiments(client), *filters(kind="search"))[::-1] if _is_search(run)]


def deleted_searches(client: MlflowClient) -> set[str]:
    """The names of the searches whose run was deleted in MLflow, which keeps it until its trash is emptied."""
    deleted = deleted_runs(client, *filters(kind="search"))
    return {search_name(run) for run in deleted if _is_search(run)} - {search_name(run) for run in all_searches(client)}


def _is_search(run: Run) -> bool:
    """Whether a run is ours. Another program may write tags of the names that our earlier versions wrote."""
    tags = ours(run.data.tags)
    if tags.get("kind") != "search" or not tags.get("search_id"):
        return False
    return is_new(run.data.tags) or bool(spec_in(tags)) or run.data.params.get("name") == tags["search_id"]


def search_name(parent: Run) -> str:
    """The name of a search."""
    return ours(parent.data.tags)["search_id"]


def spec_of(parent: Run) -> dict[str, Any]:
    """The settings of a search. Raises SearchStateError if somebody has cut or changed them in MLflow."""
    spec = spec_in(parent.data.tags)
    if spec is None:
        name = search_name(parent)
        raise SearchStateError(
            f"{name}: expected the settings of the search in the tags of its run, got none that can be read;"
            f" `recurrent sync {name}` writes them again"
        )
    return spec


def spec_id(parent: Run) -> str:
    """The id of a search. Another search of the same name has another one."""
    tags = ours(parent.data.tags)
    spec = spec_in(tags) or parent.data.params  # MLflow has cut the spec of a long search of an earlier version
    return tags.get("spec_id", str(spec.get("id", "")))


def is_of(parent: Run, spec: Mapping[str, Any]) -> bool | None:
    """True if a parent run is that of the search with this spec; None if nothing tells it.

    Early versions wrote no id. Their searches are told by the data.
    """
    known, own = spec_id(parent), spec.get("id", "")
    if known or own:
        return bool(known == own)
    digest = (spec_in(ours(parent.data.tags)) or parent.data.params).get("digest")
    return bool(digest == spec["digest"]) if digest and spec.get("digest") else None


def open_search(
    client: MlflowClient,
    name: str,
    experiment: str,
    artifacts: str | None,
    spec: dict[str, Any],
    floors: dict[str, float],
    solved: float | None = None,
) -> Run:
    """Finds or makes the parent run, and sets it RUNNING. Raises as `find_or_make_search` does."""
    return describe_search(client, find_or_make_search(client, name, experiment, artifacts, spec), spec, floors, solved)


def find_or_make_search(
    client: MlflowClient, name: str, experiment: str, artifacts: str | None, spec: dict[str, Any]
) -> Run:
    """The parent run of the search with this spec; made if it is not there.

    Raises SearchStateError if another search has the name, or if MLflow has deleted the experiment.
    """
    found = searches_of(client, name) or [_new_search(client, name, experiment, artifacts, spec)]
    parent = found[0]
    if is_of(parent, spec) is False:
        raise SearchStateError(f"--name: expected a new name, got {name!r}, which {client.tracking_uri} holds already")
    delete_others(client, parent, found)
    return parent


def delete_others(client: MlflowClient, parent: Run, found: list[Run] | None = None) -> None:
    """Deletes further runs of a search, which a server has made that answered too late. The spec's id tells them.

    Runs without an id stay, since they may be of another search.

    Args:
        found: the runs of its name, if they are known.
    """
    own = spec_id(parent)
    for other in searches_of(client, search_name(parent)) if found is None else found:
        if own and spec_id(other) == own and other.info.run_id != parent.info.run_id:
            client.delete_run(other.info.run_id)


def describe_search(
    client: MlflowClient, parent: Run, spec: dict[str, Any], floors: dict[str, float], solved: float | None = None
) -> Run:
    """Writes what the search is into its parent run, and sets it RUNNING. Returns the changed run.

    Args:
        floors, solved: as `verdict` takes them.
    """
    _describe(client, parent, spec, marks(floors, solved, spec.get("metric", "")))
    client.update_run(parent.info.run_id, status="RUNNING")
    return client.get_run(parent.info.run_id)


def _new_search(client: MlflowClient, name: str, experiment: str, artifacts: str | None, spec: dict[str, Any]) -> Run:
    """Makes a parent run. Returns it, or the run of another search that has taken the name at the same moment."""
    experiment_id = experiment_of(client, experiment, artifacts, spec)
    tags = named(_identity(name, spec) | of_spec(spec, {}))
    new = client.create_run(experiment_id, start_time=now(), tags={MLFLOW_RUN_NAME: name, **tags})
    others = [run for run in searches_of(client, name) if spec_id(run) != spec.get("id", "")]
    if others:  # another search has begun since we looked, and may not have seen ours
        client.delete_run(new.info.run_id)
    return others[0] if others else new


def _identity(name: str, spec: dict[str, Any]) -> dict[str, str]:
    return {"kind": "search", "search_id": name, "spec_id": spec.get("id", "")}


def _describe(client: MlflowClient, parent: Run, spec: dict[str, Any], values: dict[str, float]) -> None:
    """Logs parameters, metrics, versions and data. What a resumed search may change is a tag: parameters are fixed.

    A parameter that is there stays: the search may have another name since, and its data another place.
    """
    flat = {key: value for key, value in spec.items() if not isinstance(value, dict) and key not in CHANGING}
    texts = {key: ",".join(value) if isinstance(value, list) else str(value) for key, value in flat.items()}
    texts |= {f"option.{key}": str(value) for key, value in spec["options"].items()}
    new = {key: value for key, value in texts.items() if key not in parent.data.params}
    params = [Param(key, value[:MOST_CHARACTERS]) for key, value in new.items()]
    time = parent.info.start_time
    metrics = [Metric(key, value, time, 0) for key, value in values.items()]
    tags = _identity(search_name(parent), spec) | of_spec(spec, parent.data.tags)
    tags |= {f"version.{key}": value for key, value in spec["versions"].items()}
    tags |= {key: str(spec[key]) for key in CHANGING if key in spec}
    client.log_batch(parent.info.run_id, metrics, params, [RunTag(*tag) for tag in named(tags).items()])
    known = parent.inputs.dataset_inputs if parent.inputs else []
    if any(one.dataset.digest == spec["digest"][:32] for one in known):
        return
    source = json.dumps({"task": spec["task"], "options": spec["options"], "seed": spec["seed"]})
    dataset = Dataset(name=spec["task"][-MOST_OF_NAME:], digest=spec["digest"][:32], source_type="code", source=source)
    client.log_inputs(parent.info.run_id, [DatasetInput(dataset, [])])
