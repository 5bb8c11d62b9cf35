"""The models that a search keeps, as models in MLflow.

It is written only with `MlflowClient`. `mlflow.keras.log_model` needs TensorFlow in the launcher, and `autolog` runs a
subprocess that imports TensorFlow. MLflow's own `keras` flavour reads the result.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import LoggedModel, LoggedModelOutput, LoggedModelStatus, Metric, Run
from mlflow.models import Model

from tracking.description import model_description
from tracking.model_files import has_files, remove, send
from tracking.model_folder import write_model
from tracking.paging import models
from tracking.searches import search_name, spec_id
from tracking.tags import NOTE, filters, named, ours, renewed
from tracking.values import plain

REGISTERED = "registered"  # the tag of a model that is a version in MLflow's registry
# The tags of the models of a final and of a trial that was trained further, and their parts of the card.
FINAL, TRAINED = RETRAINED = ("final", "trained")
OF_A_MODEL = (
    "best/",
    "test/",
    "test_x",
    "cost/parameters",
    "cost/ms_per_step",
)  # how the metrics begin that a model gets


@dataclass(frozen=True)
class Wanted:
    """A model that MLflow is to have.

    Args:
        run_id: of the trial.
        keras_file: may be missing if MLflow has the model.
        card: the content of `model.json`.
    """

    run_id: str
    keras_file: Path
    card: dict[str, Any]


def logged_models(client: MlflowClient, parent: Run) -> dict[str, LoggedModel]:
    """The models of trials that a search has logged, by the runs of these trials."""
    return {model.source_run_id: model for model in reversed(_models(client, parent)) if _is_ready(model)}


def whole_models(client: MlflowClient, parent: Run) -> dict[str, LoggedModel]:
    """Those of the logged models whose files are there, by the runs of their trials."""
    return _whole(client, _models(client, parent))


def _whole(client: MlflowClient, found: list[LoggedModel]) -> dict[str, LoggedModel]:
    return {model.source_run_id: model for model in reversed(found) if _is_ready(model) and has_files(client, model)}


def log_models(client: MlflowClient, parent: Run, wanted: Sequence[Wanted]) -> None:
    """Logs the models of trials with their cards, and removes the search's other models with their files.

    A second call changes nothing. After a kill the next call completes the work, and removes half-made models. A model
    whose files are gone is logged again.

    Args:
        wanted: the first one is tagged as the best one.
    """
    tags = [
        {**_tags(parent, one.card), **named({"best": "no" if place else "yes"})} for place, one in enumerate(wanted)
    ]
    _log_only(client, [*zip(wanted, tags, strict=True)], parent, _models(client, parent))


def log_final(client: MlflowClient, parent: Run, one: Wanted) -> None:
    """Logs the model of a final with its card, and removes those of other finals. The models of trials stay."""
    tags = {**_tags(parent, one.card), **named({FINAL: str(one.card[FINAL]["seed"])})}
    _log_only(client, [(one, tags)], parent, _retrained(client, parent, FINAL))


def log_trained(client: MlflowClient, parent: Run, one: Wanted, training: str) -> None:
    """Does the same for the model of a training further, whose name is the value of its tag."""
    tags = {**_tags(parent, one.card), **named({TRAINED: training})}
    before = [model for model in _retrained(client, parent, TRAINED) if ours(model.tags)[TRAINED] == training]
    _log_only(client, [(one, tags)], parent, before)


def _log_only(
    client: MlflowClient, wanted: list[tuple[Wanted, dict[str, str]]], parent: Run, before: list[LoggedModel]
) -> None:
    """Logs the models that are not there, each with its tags, and removes the others of `before`.

    A model in MLflow's registry stays, since a version there names its files.
    """
    whole, kept = _whole(client, before), set()
    for one, tags in wanted:
        model = whole.get(one.run_id) or _log(client, parent, one, tags)
        outputs = client.get_run(one.run_id).outputs
        if model.model_id not in [output.model_id for output in (outputs.model_outputs if outputs else [])]:
            client.log_outputs(one.run_id, [LoggedModelOutput(model.model_id, step=one.card["epoch"] or 0)])
        if not tags.items() <= model.tags.items():
            client.set_logged_model_tags(model.model_id, tags)
        kept.add(model.model_id)
    for model in before:
        if model.model_id in kept:
            continue
        if REGISTERED in ours(model.tags):
            client.set_logged_model_tags(model.model_id, named({"best": "no"}))
        else:
            remove(client, model)


def final_model(client: MlflowClient, parent: Run) -> LoggedModel | None:
    """The model that the finals of a search have logged; None if they have none."""
    return next((model for model in _retrained(client, parent, FINAL) if _is_ready(model)), None)


def retrained_models(client: MlflowClient, parent: Run) -> dict[str, LoggedModel]:
    """The models of finals and of further trainings, by their runs, and those of trainings also by their names."""
    found = [model for kind in RETRAINED for model in _retrained(client, parent, kind) if _is_ready(model)]
    named_ones = {ours(model.tags)[TRAINED]: model for model in found[::-1] if TRAINED in ours(model.tags)}
    return {model.source_run_id: model for model in found[::-1]} | named_ones


def _retrained(client: MlflowClient, parent: Run, kind: str) -> list[LoggedModel]:
    return [model for model in all_models(client, parent) if kind in ours(model.tags)]


def remove_models(client: MlflowClient, parent: Run) -> None:
    """Deletes all models of a search with their files."""
    for model in all_models(client, parent):
        remove(client, model)


def rename_models(client: MlflowClient, parent: Run, name: str) -> None:
    """Gives the models of a search to its new name. The names of the models themselves cannot be changed in MLflow."""
    for model in all_models(client, parent):
        tags = renewed(model.tags, search_id=name, spec_id=spec_id(parent))
        client.set_logged_model_tags(model.model_id, tags)


def _is_ready(model: LoggedModel) -> bool:
    return bool(model.status == LoggedModelStatus.READY)


def _models(client: MlflowClient, parent: Run) -> list[LoggedModel]:
    """The models of a search's trials, the newest first. Half-made ones are among them."""
    return [model for model in all_models(client, parent) if not {*RETRAINED} & ours(model.tags).keys()]


def all_models(client: MlflowClient, parent: Run) -> list[LoggedModel]:
    """The models of a search, and of what was trained again, the newest first."""
    found = models(client, parent.info.experiment_id, *filters(search_id=search_name(parent)))
    return [model for model in found if _is_of(parent, model)]


def _is_of(parent: Run, model: LoggedModel) -> bool:
    tags, name = ours(model.tags), search_name(parent)
    # Early versions wrote no id.
    same = tags["spec_id"] == spec_id(parent) if "spec_id" in tags else model.name == _model_name(name, "best")
    return same and tags.get("search_id") == name


def _model_name(search: str, trial: str) -> str:
    return f"{search.replace('.', '_')}-{trial}"  # MLflow refuses dots


def _tags(parent: Run, card: dict[str, Any]) -> dict[str, str]:
    about = {key: str(card[key]) for key in ("architecture", "trial", "parameters")}
    return named({"search_id": search_name(parent), "spec_id": spec_id(parent), **about})


def _log(client: MlflowClient, parent: Run, one: Wanted, tags: dict[str, str]) -> LoggedModel:
    """Makes a model with the values and the metrics of its run. It is ready when it is whole."""
    kinds = [f"-{kind}" for kind in RETRAINED if kind in one.card]
    name = _model_name(search_name(parent), one.card["trial"] + "".join(kinds))
    values = {"architecture": one.card["architecture"], **one.card["values"]}
    params = {key: plain(value) for key, value in values.items()}
    about = tags | {NOTE: model_description(one.card)}
    model = client.create_logged_model(parent.info.experiment_id, name, one.run_id, about, params, "keras")
    _log_metrics(client, one.run_id, model.model_id)
    with tempfile.TemporaryDirectory() as folder:
        write_model(Path(folder), Model(model_id=model.model_id, run_id=one.run_id), one.keras_file, one.card)
        send(client, model, folder)
    return client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)


def _log_metrics(client: MlflowClient, run_id: str, model_id: str) -> None:
    """Gives a model the metrics of its run, each with the time that it has there. So the run gets no second value."""
    names = [name for name in client.get_run(run_id).data.metrics if name.startswith(OF_A_MODEL)]
    points = [client.get_metric_history(run_id, name)[-1] for name in names]
    metrics = [Metric(point.key, point.value, point.timestamp, point.step, model_id) for point in points]
    client.log_batch(run_id, metrics)
