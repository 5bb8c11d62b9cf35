"""The files of the models that a search has logged: sent, found, fetched and removed."""

import json
import shutil
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities import LoggedModel
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.uri import is_local_uri

from tracking.errors import StoreError
from tracking.model_folder import CARD, KERAS_FILE
from tracking.root import inside, resolved
from tracking.store import database, in_a_line


def has_files(client: MlflowClient, model: LoggedModel) -> bool:
    files = get_artifact_repository(_place(client, model), tracking_uri=client.tracking_uri)
    return {KERAS_FILE, CARD} <= {file.path for folder in (None, "data") for file in files.list_artifacts(folder)}


def _place(client: MlflowClient, model: LoggedModel) -> str:
    """Where the model's files lie."""
    return resolved(database(client.tracking_uri), model.artifact_location)


def send(client: MlflowClient, model: LoggedModel, folder: str) -> None:
    """Sends the files of a model to where the store lies now. MLflow itself would take the path that it has stored."""
    place = _place(client, model)
    if place == model.artifact_location:
        client.log_model_artifacts(model.model_id, folder)
    else:
        get_artifact_repository(place).log_artifacts(folder)


def remove(client: MlflowClient, model: LoggedModel) -> None:
    """Deletes a model and its local files, since MLflow only hides the model. A server deletes its files itself.

    Files outside the folder of the store are left alone.
    """
    place = _place(client, model)
    if is_local_uri(place, is_tracking_or_registry_uri=False):
        folder = Path(local_file_uri_to_path(place)).parent  # …/models/m-…/artifacts
        if folder.name == model.model_id and _is_own(client, model, place):
            shutil.rmtree(folder, ignore_errors=True)
    client.delete_logged_model(model.model_id)


def _is_own(client: MlflowClient, model: LoggedModel, place: str) -> bool:
    """True for a place whose files may be deleted: in the folder of a file store, or of an experiment of a server."""
    if file := database(client.tracking_uri):
        return inside(file, place)
    whole = Path(local_file_uri_to_path(client.get_experiment(model.experiment_id).artifact_location))
    return Path(local_file_uri_to_path(place)).resolve().is_relative_to(whole.resolve())


def download(client: MlflowClient, uri: str, model: LoggedModel, to: Path) -> tuple[Path, dict[str, Any]]:
    """(the `.keras` file, the card) of a logged model."""
    place = resolved(database(uri), model.artifact_location)
    try:
        folder = Path(download_artifacts(artifact_uri=place, dst_path=str(to), tracking_uri=uri))
    except (MlflowException, OSError) as error:
        expected = f"export: expected the model's files at {place}, got none"
        raise StoreError(f"{expected} ({in_a_line(error)}); `recurrent search … --resume` logs them again") from None
    except Exception as error:  # a library for the store's files may be missing
        got = f"{type(error).__name__}: {error}"
        raise StoreError(f"export: expected the model's files at {place}, got {got}") from None
    return folder / KERAS_FILE, json.loads((folder / CARD).read_text("utf-8"))
