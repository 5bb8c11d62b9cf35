"""Runs of a search that were deleted in MLflow. MLflow keeps them until its trash is emptied, so they can come back."""

from mlflow import MlflowClient
from mlflow.entities import Run, ViewType

from tracking.paging import experiments, runs
from tracking.searches import find_search, own_trials, spec_id, trial_runs
from tracking.tags import filters


def restore(client: MlflowClient, name: str, search: str) -> int:
    """Brings back the deleted runs of a search that no other run stands for; returns their number.

    A search and each of its trials have one run. Deleted twins, which slow servers make, stay deleted.

    Args:
        search: the id in the search's spec.
    """
    found = 0
    parent = find_search(client, name)
    if parent is None:
        twins = [run for run in _deleted(client, kind="search", search_id=name) if spec_id(run) == search]
        found = _restore(client, twins[-1:])
        parent = find_search(client, name)
    if parent is None or spec_id(parent) != search:
        return found
    gone = own_trials(parent, _deleted(client, kind="trial", search_id=name))
    there = trial_runs(client, parent) if gone else {}
    return found + _restore(client, [same[0] for trial, same in gone.items() if trial not in there])


def _restore(client: MlflowClient, some: list[Run]) -> int:
    for run in some:
        client.restore_run(run.info.run_id)
    return len(some)


def _deleted(client: MlflowClient, **tags: str) -> list[Run]:
    return runs(client, experiments(client), *filters(**tags), view=ViewType.DELETED_ONLY)
