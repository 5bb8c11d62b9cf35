"""MLflow's registry of models: versions of a model, and an alias such as `champion` that names the best one.

Scores on the validation split decide, those of the finals where both versions have finals. MLflow cannot set an alias
on a condition, and two processes may both find that their version is the better one. So the alias is read again after
it was set, until it names the better one. On one machine a lock keeps the processes of a store apart.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import LoggedModel, Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from tracking.errors import BadInput, StoreError
from tracking.models import REGISTERED, all_models
from tracking.store import database, in_a_line
from tracking.tags import PREFIX as TAG
from tracking.tags import named, ours
from tracking.text import format_number

LOCK_SECONDS = 60.0  # longest wait for another process that registers a model; one takes less than a second
TRIES = 20  # of an alias that processes on other machines set at the same moment
PREFIX = "models:/"
# What two versions must share before their scores are compared, in words. A model that was trained on the validation
# split too has a score on it that says nothing.
APART = {"task": "task", "digest": "training and validation data", "metric": "score", "trained_on": "training split"}


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

    Raises BadInput for a name or an alias that MLflow does not take.
    """
    _check_names(name, alias)
    with _alone(client.tracking_uri):
        version = _version(client, model, card, name)
        own = str(version.version)  # MLflow returns a number, and takes a text
        client.set_logged_model_tags(model.model_id, named({REGISTERED: "yes"}))  # a later search keeps its files
        if force:
            client.set_model_version_tag(name, own, f"{TAG}forced", alias)
            client.set_registered_model_alias(name, alias, own)
            return Registered(name, own, alias, own, "")
        for _ in range(TRIES):
            holder = _holder(client, name, alias)
            best = _better(client, name, alias, version, holder)
            if holder is not None and str(holder.version) == str(best.version):
                why = "" if str(best.version) == own else _why_not(ours(version.tags), ours(best.tags))
                return Registered(name, own, alias, str(best.version), why)
            client.set_registered_model_alias(name, alias, str(best.version))
    raise StoreError(f"register: expected the alias {alias!r} to stay where it was set, and others set it again")


def _better(
    client: MlflowClient, name: str, alias: str, version: ModelVersion, holder: ModelVersion | None
) -> ModelVersion:
    """The version that is to have the alias.

    Another process may have made a better version and not yet set the alias, or its setting may have been overwritten.
    So all versions that can be compared count. A version that was given the alias by force stays until a better one
    is made, whatever older ones there are.
    """
    if holder is not None and (_why_apart(ours(version.tags), ours(holder.tags)) or _forced(holder, alias)):
        return holder if _why_not(ours(version.tags), ours(holder.tags)) else version
    best = version
    for one in sorted(client.search_model_versions(f"name = '{name}'"), key=lambda one: int(one.version)):
        if not _why_apart(ours(one.tags), ours(best.tags)) and not _why_not(ours(one.tags), ours(best.tags)):
            best = one
    if holder is not None and _why_not(ours(best.tags), ours(holder.tags)):
        return holder  # of two equal ones the alias stays where it is
    return best


def _forced(holder: ModelVersion, alias: str) -> bool:
    return ours(holder.tags).get("forced") == alias


def _check_names(name: str, alias: str) -> None:
    if not re.fullmatch(r"[\w. -]+", name):
        raise BadInput(f"--as: expected letters, digits, blanks and any of _ . -, got {name!r}")
    if not re.fullmatch(r"[A-Za-z0-9_-]+", alias) or alias == "latest" or re.fullmatch(r"v\d+", alias):
        raise BadInput(f"--alias: expected letters, digits, _ and -, but not latest or v and a number, got {alias!r}")


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
    about |= {"trained_on": card.get("final", {}).get("data", "train")}
    about |= {"test_score": repr(card["test_score"])} if card.get("test_score") is not None else {}
    return client.create_model_version(
        name, model.artifact_location, model.source_run_id, named(about), model_id=model.model_id
    )


def _holder(client: MlflowClient, name: str, alias: str) -> ModelVersion | None:
    """The version that has an alias; None if nobody has it yet."""
    aliases = client.get_registered_model(name).aliases
    return client.get_model_version(name, str(aliases[alias])) if alias in aliases else None


def _why_apart(new: dict[str, str], old: dict[str, str]) -> str:
    """Why the scores of two versions cannot be compared; "" if they can."""
    for key, what in APART.items():
        if new.get(key) != old.get(key):
            return f"the other one has another {what}, so the scores cannot be compared; --force gives it the alias"
    return ""


def _why_not(new: dict[str, str], old: dict[str, str]) -> str:
    """Why a version does not take the alias of another one; "" if it does, since its score is better."""
    if apart := _why_apart(new, old):
        return apart
    kind = "final" if "final" in new and "final" in old else "score"
    mine, theirs = float(new[kind]), float(old[kind])
    if (mine < theirs) if new["direction"] == "min" else (mine > theirs):
        return ""
    where = "mean of the finals on validation" if kind == "final" else "score on validation"
    return f"its {where}, {format_number(mine)}, is not better than {format_number(theirs)}"


def find(client: MlflowClient, uri: str) -> ModelVersion:
    """The version that models:/MODEL@alias or models:/MODEL/version names. Raises BadInput if there is none of ours."""
    name, at, alias = uri.removeprefix(PREFIX).partition("@")
    if not at:
        name, _, number = uri.removeprefix(PREFIX).partition("/")
    known = [f"{PREFIX}{one.name}@{alias}" for one in client.search_registered_models() for alias in one.aliases]
    expected = f"NAME: expected {' or '.join(sorted(known)) or 'a registered model, and there is none'}, got {uri!r}"
    try:
        found = client.get_model_version_by_alias(name, alias) if at else client.get_model_version(name, number)
    except MlflowException as error:
        raise BadInput(f"{expected}: {in_a_line(error)}") from None
    if "model_id" not in ours(found.tags):
        raise BadInput(f"{expected}, which `recurrent register` has not made")
    return found


def logged_model(client: MlflowClient, uri: str) -> LoggedModel:
    """The model in MLflow that a version is of. Raises BadInput if it was deleted."""
    version = find(client, uri)
    try:
        return client.get_logged_model(ours(version.tags)["model_id"])
    except MlflowException as error:
        raise BadInput(f"NAME: expected a model that is still there, got {uri!r}: {in_a_line(error)}") from None


def versions_of(client: MlflowClient, parent: Run) -> list[str]:
    """The versions that are models of a search, for example "text version 1"."""
    own = {model.model_id for model in all_models(client, parent) if REGISTERED in ours(model.tags)}
    if not own:
        return []
    found = client.search_model_versions()
    return [f"{one.name} version {one.version}" for one in found if ours(one.tags).get("model_id") in own]
