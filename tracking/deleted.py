"""Runs of a search that were deleted in MLflow. MLflow keeps them until its trash is emptied, so they can come back."""

from collections.abc import Iterator, Mapping
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run, ViewType

from tracking.children import CHILDREN, own_trials, trial_runs
from tracking.paging import deleted_runs, runs
from tracking.searches import find_search, is_of
from tracking.tags import filters, ours


def restore(client: MlflowClient, name: str, spec: Mapping[str, Any]) -> int:
    """Brings back the deleted runs of a search that no other run stands for; returns their number.

    A search and each of its trials have one run. Deleted twins, which slow servers make, stay deleted. A deleted
    experiment comes back with them.
    """
    found = 0
    parent = find_search(client, name)
    if parent is None:
        twins = [run for run in deleted_runs(client, *filters(kind="search", search_id=name)) if is_of(run, spec)]
        found = _restore(client, twins[-1:])
        parent = find_search(client, name)
    if parent is None or not is_of(parent, spec):
        return found
    for kind in CHILDREN:
        for which, some in _by_training(deleted_runs(client, *filters(kind=kind, search_id=name))):
            gone = own_trials(parent, some)
            there = trial_runs(client, parent, kind, **which) if gone else {}
            found += _restore(client, [same[0] for trial, same in gone.items() if trial not in there])
    return found


def _by_training(some: list[Run]) -> Iterator[tuple[dict[str, str], list[Run]]]:
    """The runs with the tag that they share. Only the runs of further trainings have one; each numbers its own."""
    tags = {run.info.run_id: ours(run.data.tags).get("training") for run in some}
    for training in sorted({*tags.values()}, key=str):
        own = [run for run in some if tags[run.info.run_id] == training]
        yield {} if training is None else {"training": training}, own


def _restore(client: MlflowClient, some: list[Run]) -> int:
    for experiment_id in {run.info.experiment_id for run in some}:
        if client.get_experiment(experiment_id).lifecycle_stage == "deleted":
            _restore_experiment(client, experiment_id)
    for run in some:
        client.restore_run(run.info.run_id)
    return len(some)


def _restore_experiment(client: MlflowClient, experiment_id: str) -> None:
    """Restores an experiment alone. MLflow brings back all of its runs, and those of other searches stay deleted."""
    gone = runs(client, [experiment_id], "", view=ViewType.DELETED_ONLY)
    client.restore_experiment(experiment_id)
    for run in gone:
        client.delete_run(run.info.run_id)
