"""Deletes a search from MLflow. MLflow keeps deleted runs in its trash until somebody empties it."""

import shutil
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.uri import is_local_uri

from tracking.children import CHILDREN, child_runs
from tracking.models import remove_models
from tracking.paging import deleted_runs
from tracking.root import ARTIFACTS, inside, resolved
from tracking.searches import delete_others, spec_id
from tracking.tags import filters, ours
from tracking.views import drop_view


def delete_search(client: MlflowClient, parent: Run) -> None:
    """Deletes the models of a search with their files, its trials, and at last its own run.

    A kill leaves the search's own run, by which the next call finds what is left.
    """
    name = ours(parent.data.tags)["search_id"]
    remove_models(client, parent)
    for run in child_runs(client, parent):
        client.delete_run(run.info.run_id)
    drop_view(client, parent.info.experiment_id, name)
    delete_others(client, parent)
    client.delete_run(parent.info.run_id)


def trash(client: MlflowClient, name: str, own_id: str | None) -> list[Run]:
    """The deleted runs of a search, its own run last.

    Args:
        own_id: the id of the search; None for all searches that had the name.
    """
    gone = deleted_runs(client, *filters(search_id=name))
    known = {spec_id(run) for run in gone if ours(run.data.tags).get("kind") == "search"}
    ids = known if own_id is None else {own_id}
    own = [run for run in gone if spec_id(run) in ids and ours(run.data.tags).get("kind") in ("search", *CHILDREN)]
    return sorted(own, key=lambda run: ours(run.data.tags)["kind"] == "search")


def empty_trash(client: MlflowClient, file: Path, some: list[Run]) -> None:
    """Removes deleted runs from a SQLite store for ever, with their files and the deleted models that they made.

    `mlflow gc --run-ids` would also remove all deleted experiments and models of others.
    """
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    store = SqlAlchemyStore(client.tracking_uri, (file.parent / ARTIFACTS).as_uri())
    models = set(store._get_deleted_logged_models())
    for run in some:
        made = {output.model_id for output in run.outputs.model_outputs} if run.outputs else set()
        for model_id in made & models:
            place = store.get_logged_model(model_id, allow_deleted=True).artifact_location
            _remove_files(file, place, model_id)
            store._hard_delete_logged_model(model_id)
            models.remove(model_id)
        _remove_files(file, run.info.artifact_uri, run.info.run_id)
        store._hard_delete_run(run.info.run_id)


def _remove_files(file: Path, place: str, name: str) -> None:
    """Removes the folder of the files of a run or a model, if it lies in the folder of the store."""
    place = resolved(file, place)
    if is_local_uri(place, is_tracking_or_registry_uri=False):
        folder = Path(local_file_uri_to_path(place)).parent  # …/NAME/artifacts
        if folder.name == name and inside(file, place):
            shutil.rmtree(folder, ignore_errors=True)
