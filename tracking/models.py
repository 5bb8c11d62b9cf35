"""The best model of a search, as a model in MLflow.

It is written only with `MlflowClient`. `mlflow.keras.log_model` needs TensorFlow in the launcher, and `autolog` runs a
subprocess that imports TensorFlow. MLflow's own `keras` flavour reads the result.
"""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from mlflow import MlflowClient, pyfunc
from mlflow.artifacts import download_artifacts
from mlflow.entities import LoggedModel, LoggedModelOutput, LoggedModelStatus, Run
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.types.schema import Schema, TensorSpec
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.uri import is_local_uri

from tracking.as_json import as_json
from tracking.errors import StoreError
from tracking.paging import models
from tracking.root import inside, resolved
from tracking.searches import search_name, spec_id
from tracking.store import database, in_a_line
from tracking.tags import filters, is_new, named, ours, renewed

CARD = "model.json"
FINAL = "final"  # the tag of the model of a final, and its part of the card
KERAS_FILE = "data/model.keras"
FLAVOR = {"data": "data", "keras_backend": "tensorflow", "save_exported_model": False}


def logged_model(client: MlflowClient, parent: Run) -> LoggedModel | None:
    """The model that a search has logged."""
    ready = (model for model in _models(client, parent) if model.status == LoggedModelStatus.READY)
    return next(ready, None)


def log_best(client: MlflowClient, parent: Run, run_id: str, keras_file: Path, card: dict[str, Any]) -> None:
    """Logs a trial's model with its card, and removes the search's other models with their files.

    A second call changes nothing. After a kill the next call completes the work, and removes half-made models. A model
    whose files are gone is logged again.
    """
    _log_only(client, parent, run_id, keras_file, card, _models(client, parent))


def _log_only(
    client: MlflowClient,
    parent: Run,
    run_id: str,
    keras_file: Path,
    card: dict[str, Any],
    before: list[LoggedModel],
) -> None:
    """Logs a model unless it is there, and removes the others of `before`."""
    whole = [model for model in before if model.source_run_id == run_id and _is_whole(client, model)]
    kept = whole[0] if whole else _log(client, parent, run_id, keras_file, card)
    outputs = client.get_run(run_id).outputs
    if kept.model_id not in [output.model_id for output in (outputs.model_outputs if outputs else [])]:
        client.log_outputs(run_id, [LoggedModelOutput(kept.model_id, step=card["epoch"] or 0)])
    if not is_new(kept.tags):
        client.set_logged_model_tags(kept.model_id, _tags(parent, card))
    for model in before:
        if model.model_id != kept.model_id:
            _remove(client, model)


def log_final(client: MlflowClient, parent: Run, run_id: str, keras_file: Path, card: dict[str, Any]) -> None:
    """Logs the model of a final with its card, and removes those of other finals. The best trial's model stays."""
    _log_only(client, parent, run_id, keras_file, card, _finals(client, parent))


def final_model(client: MlflowClient, parent: Run) -> LoggedModel | None:
    """The model that the finals of a search have logged; None if they have none."""
    return next((model for model in _finals(client, parent) if model.status == LoggedModelStatus.READY), None)


def _finals(client: MlflowClient, parent: Run) -> list[LoggedModel]:
    return [model for model in _all_models(client, parent) if FINAL in ours(model.tags)]


def remove_models(client: MlflowClient, parent: Run) -> None:
    """Deletes all models of a search with their files."""
    for model in _all_models(client, parent):
        _remove(client, model)


def rename_models(client: MlflowClient, parent: Run, name: str) -> None:
    """Gives the models of a search to its new name. The names of the models themselves cannot be changed in MLflow."""
    for model in _all_models(client, parent):
        tags = renewed(model.tags, search_id=name, spec_id=spec_id(parent))
        client.set_logged_model_tags(model.model_id, tags)


def _is_whole(client: MlflowClient, model: LoggedModel) -> bool:
    """True if the model is ready and its files are there."""
    if model.status != LoggedModelStatus.READY:
        return False
    files = get_artifact_repository(_place(client, model), tracking_uri=client.tracking_uri)
    return {KERAS_FILE, CARD} <= {file.path for folder in (None, "data") for file in files.list_artifacts(folder)}


def _place(client: MlflowClient, model: LoggedModel) -> str:
    """Where the model's files lie."""
    return resolved(database(client.tracking_uri), model.artifact_location)


def _models(client: MlflowClient, parent: Run) -> list[LoggedModel]:
    """The models of a search without that of its finals, the newest first. Half-made ones are among them."""
    return [model for model in _all_models(client, parent) if FINAL not in ours(model.tags)]


def _all_models(client: MlflowClient, parent: Run) -> list[LoggedModel]:
    """The models of a search and of its finals, the newest first."""
    found = models(client, parent.info.experiment_id, *filters(search_id=search_name(parent)))
    return [model for model in found if _is_of(parent, model)]


def _is_of(parent: Run, model: LoggedModel) -> bool:
    tags, name = ours(model.tags), search_name(parent)
    # Early versions wrote no id.
    same = tags["spec_id"] == spec_id(parent) if "spec_id" in tags else model.name == _model_name(name)
    return same and tags.get("search_id") == name


def _model_name(search: str) -> str:
    return f"{search.replace('.', '_')}-best"  # MLflow refuses dots


def _tags(parent: Run, card: dict[str, Any]) -> dict[str, str]:
    tags = {"search_id": search_name(parent), "spec_id": spec_id(parent), "architecture": card["architecture"]}
    return named(tags | ({FINAL: str(card[FINAL]["seed"])} if FINAL in card else {}))


def _log(client: MlflowClient, parent: Run, run_id: str, keras_file: Path, card: dict[str, Any]) -> LoggedModel:
    name, tags = _model_name(search_name(parent)), _tags(parent, card)
    model = client.create_logged_model(parent.info.experiment_id, name, run_id, tags, model_type="keras")
    with tempfile.TemporaryDirectory() as folder:
        write_model(Path(folder), Model(model_id=model.model_id, run_id=run_id), keras_file, card)
        _send(client, model, folder)
    return client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)


def _send(client: MlflowClient, model: LoggedModel, folder: str) -> None:
    """Sends the files of a model to where the store lies now. MLflow itself would take the path that it has stored."""
    place = _place(client, model)
    if place == model.artifact_location:
        client.log_model_artifacts(model.model_id, folder)
    else:
        get_artifact_repository(place).log_artifacts(folder)


def _remove(client: MlflowClient, model: LoggedModel) -> None:
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


def write_model(folder: Path, model: Model, keras_file: Path, card: dict[str, Any]) -> None:
    """An MLflow model folder of the `keras` flavour around a `.keras` file."""
    (folder / KERAS_FILE).parent.mkdir()
    shutil.copyfile(keras_file, folder / KERAS_FILE)
    (folder / "data" / "keras_module.txt").write_text("keras")
    (folder / CARD).write_text(as_json(card) + "\n", "utf-8")
    requirements = [f"{name}=={card['versions'][name]}" for name in ("keras", "tensorflow", "numpy")]
    (folder / "requirements.txt").write_text("\n".join([f"mlflow=={card['versions']['mlflow']}", *requirements]) + "\n")
    model.signature = ModelSignature(_schema(card["shapes"]["input"]), _schema(card["shapes"]["output"]))
    model.add_flavor("keras", keras_version=card["versions"]["keras"], **FLAVOR)
    pyfunc.add_to_model(model, loader_module="mlflow.keras")
    model.save(str(folder / "MLmodel"))


def _schema(shape: dict[str, Any]) -> Schema:
    """A schema with free batch and time. A schema inferred from data would refuse sequences of another length."""
    sizes = tuple(-1 if size is None else size for size in shape["shape"])
    return Schema([TensorSpec(np.dtype(shape["dtype"]), sizes)])


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
