"""MLflow's registry of models: versions of a model, and an alias such as `champion` that names the best one.

Scores on the validation split decide, those of the finals where both versions have finals. MLflow cannot set an alias
on a condition, and two processes may both find that their version is the better one. So the alias is read again after
it was set, until it names the better one. On one machine a lock keeps the processes of a store apart.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities import LoggedModel
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from tracking.errors import BadInput, StoreError
from tracking.models import REGISTERED
from tracking.root import resolved
from tracking.store import database, in_a_line
from tracking.tags import named, ours
from tracking.text import format_number

LOCK_SECONDS = 60.0  # longest wait for another process that registers a model; one takes less than a second
TRIES = 20  # of an alias that processes on other machines set at the same moment
PREFIX = "models:/"


@dataclass(frozen=True)
class Registered:
    """What has come of it.

    Args:
        version: of the model.
        holder: the version that has the alias now.
        why: the alias stays where it was; "" if the new version has it.
    """

    name: str
    version: str
    alias: str
    holder: str
    why: str


def register(
    client: MlflowClient, model: LoggedModel, card: dict[str, Any], name: str, alias: str, force: bool
) -> Registered:
    """Makes a version of the model, and gives it the alias if it is better than the version that has it.

    A model that is registered under the name already gets no second version.

    Args:
        card: what `model.json` holds.
        force: give it the alias in any case.
    """
    with _alone(client.tracking_uri):
        version = _version(client, model, card, name)
        number = str(version.version)  # MLflow returns a number, and takes a text
        client.set_logged_model_tags(model.model_id, named({REGISTERED: "yes"}))  # a later search keeps its files
        why = ""
        for _ in range(TRIES):
            holder = _holder(client, name, alias)
            if holder is not None and str(holder.version) == number:
                return Registered(name, number, alias, number, "")
            why = "" if holder is None or force else _why_not(_facts(version), _facts(holder))
            if holder is not None and why:
                return Registered(name, number, alias, str(holder.version), why)
            client.set_registered_model_alias(name, alias, number)
    raise StoreError(f"register: expected the alias {alias!r} to stay where it was set, and others set it again")


@contextmanager
def _alone(uri: str) -> Iterator[None]:
    """Keeps out other processes that register models in the same file store."""
    from filelock import FileLock, Timeout

    file = database(uri)
    if file is None:
        yield
        return
    try:
        # Between the reading of an alias and its setting another process could set it. The lock closes this gap.
        with FileLock(f"{file}.registry.lock", timeout=LOCK_SECONDS):
            yield
    except Timeout:
        raise StoreError(
            f"register: expected the lock {file}.registry.lock to be free, another process holds it"
        ) from None


def _version(client: MlflowClient, model: LoggedModel, card: dict[str, Any], name: str) -> ModelVersion:
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    for version in client.search_model_versions(f"name = '{name}'"):
        if ours(version.tags).get("model_id") == model.model_id:
            return version
    final = card.get("final", {}).get("validation")
    about = {"search_id": card["search"], "model_id": model.model_id, "architecture": card["architecture"]}
    about |= {key: str(card[key]) for key in ("trial", "task", "digest", "metric", "direction")}
    about |= {"score": repr(card["model_score"]), **({"final": repr(fmean(final))} if final else {})}
    about |= {"test_score": repr(card["test_score"])} if card.get("test_score") is not None else {}
    return client.create_model_version(
        name, model.artifact_location, model.source_run_id, named(about), model_id=model.model_id
    )


def _holder(client: MlflowClient, name: str, alias: str) -> ModelVersion | None:
    """The version that has an alias."""
    try:
        return client.get_model_version_by_alias(name, alias)
    except MlflowException:  # nobody has it yet
        return None


def _facts(version: ModelVersion) -> dict[str, str]:
    return ours(version.tags)


def _why_not(new: dict[str, str], old: dict[str, str]) -> str:
    """Why a version does not take the alias of another one; "" if it does, since its score is better."""
    for key in ("task", "digest", "metric"):
        if new.get(key) != old.get(key):
            what = {"task": "task", "digest": "training and validation data", "metric": "score"}[key]
            return f"the other one has another {what}, so the scores cannot be compared; --force gives it the alias"
    kind = "final" if "final" in new and "final" in old else "score"
    ours_, theirs = float(new[kind]), float(old[kind])
    if (ours_ < theirs) if new["direction"] == "min" else (ours_ > theirs):
        return ""
    where = "mean of the finals on validation" if kind == "final" else "score on validation"
    return f"its {where}, {format_number(ours_)}, is not better than {format_number(theirs)}"


def find(client: MlflowClient, uri: str) -> ModelVersion:
    """The version that models:/MODEL@alias or models:/MODEL/version names. Raises BadInput if there is none."""
    name, at, alias = uri.removeprefix(PREFIX).partition("@")
    if not at:
        name, _, number = uri.removeprefix(PREFIX).partition("/")
    try:
        return client.get_model_version_by_alias(name, alias) if at else client.get_model_version(name, number)
    except MlflowException as error:
        known = sorted(f"{one.name}@{alias}" for one in client.search_registered_models() for alias in one.aliases)
        expected = f"a registered model ({', '.join(known) or 'there is none yet'})"
        raise BadInput(f"{PREFIX}: expected {expected}, got {uri!r}: {in_a_line(error)}") from None


def download_registered(uri: str, store: str, to: Path) -> Path:
    """The files of a registered model, in a local folder."""
    from tracking.store import connect

    client = connect(store)
    version = find(client, uri)
    model = client.get_logged_model(ours(version.tags)["model_id"])
    place = resolved(database(store), model.artifact_location)
    folder = Path(download_artifacts(artifact_uri=place, dst_path=str(to), tracking_uri=store))
    json.loads((folder / "model.json").read_text("utf-8"))
    return folder
