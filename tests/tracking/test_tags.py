"""The tags of searches and trials: long settings, runs of others, tags that somebody has cut or changed."""

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from support.folders import sync, write_folder
from support.refusals import check_refusal, refused
from support.searching import Recurrent, Searched

from tracking.tags import PART_CHARACTERS, check_spec, filters, named, of_spec, ours, spec_in

RATES = ",".join(f"0.0{number:07d}" for number in range(1, 1_001))
SPEC: dict[str, Any] = {
    "name": "s",
    "task": "adding",
    "options": {},
    "seed": 0,
    "digest": "",
    "metric": "mse",
    "direction": "min",
}


def listed(recurrent: Recurrent, folder: Path) -> tuple[list[str], str]:
    """The searches that `recurrent results` lists, and what it says beside."""
    done = recurrent("results", "--json", cwd=folder)
    assert done.returncode == 0, done
    return [one["search"] for one in json.loads(done.stdout)], done.stderr


def client_of(folder: Path) -> MlflowClient:
    return MlflowClient(f"sqlite:///{folder}/mlflow.db")


# ---- long settings ----


def test_a_search_with_a_thousand_learning_rates(recurrent: Recurrent, tmp_path: Path) -> None:
    for name, values in (("short", {}), ("long", {"learning_rate": RATES})):
        write_folder(tmp_path, name, **values)
        sync(recurrent, tmp_path, name)
    sync(recurrent, tmp_path, "long")
    assert listed(recurrent, tmp_path) == (["long", "short"], "")
    done = recurrent("results", "long", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    tags = Searched(tmp_path, "long", done).parent.data.tags
    parts = [tags[f"recurrent.spec.{number}"] for number in range(3)]
    assert max(map(len, parts)) == PART_CHARACTERS
    assert json.loads("".join(parts))["learning_rate"] == RATES


@pytest.mark.parametrize("long", [(), ("--name", "s", "--resume")])
def test_more_than_a_store_can_hold_is_refused_at_once(
    recurrent: Recurrent, tmp_path: Path, long: tuple[str, ...]
) -> None:
    words = ("search", "adding", "-o", "length=5", "--learning-rate", ",".join([RATES] * 30), *long)
    check_refusal(recurrent, tmp_path, words, "--learning-rate: expected at most 248,000 characters in all options")


def test_more_options_of_a_task_than_a_dataset_can_name() -> None:
    spec, most = {**SPEC, "options": {"text": "x" * 60_000}}, "-o text: expected at most 60,000 characters"
    with pytest.raises(ValueError, match=most):
        check_spec(spec, {"--cells": "gru", "-o text": spec["options"]["text"]})


def test_a_spec_that_has_become_shorter() -> None:
    long = named({"search_id": "s", **of_spec({**SPEC, "cells": "x" * 11_000}, {})})
    assert (spec_in(long) or {})["cells"] == "x" * 11_000
    short = long | named(of_spec(SPEC, long))
    assert spec_in(short) == SPEC
    assert [short[f"recurrent.spec.{number}"] for number in (1, 2)] == ["", ""]


@pytest.mark.parametrize(
    "spec", ["", "{", "null", "[]", "{}", json.dumps({**SPEC, "options": 1}), json.dumps({**SPEC, "metric": None})]
)
def test_what_is_no_spec(spec: str) -> None:
    assert spec_in({"search_id": "s", "spec": spec}) is None
    assert spec_in({"recurrent.search_id": "s", "recurrent.spec.0": spec}) is None


# ---- runs of others ----

FOREIGN: tuple[dict[str, str], ...] = (
    {"kind": "search"},
    {"kind": "search", "search_id": "old"},
    {"kind": "search", "search_id": "theirs", "spec": "grid over width"},
    {"kind": "search", "search_id": "theirs", "spec": "{}"},
    {"kind": "trial", "search_id": "old"},
    {"kind": "trial", "search_id": "old", "trial": "best"},
    {"kind": "trial", "search_id": "old", "trial": "0000"},
    {"outcome": "heads", "search_id": "old"},
)


def without_epochs(text: str) -> str:
    """`recurrent sync` sends the epochs of trials where an earlier version has not."""
    return re.sub(r'"epochs": (null|\d+)', '"epochs": null', text)


def test_runs_of_others_are_not_read_as_ours(recurrent: Recurrent, old: Path) -> None:
    shown = recurrent("results", "old", "--json", cwd=old).stdout
    client = client_of(old)
    (experiment,) = client.search_experiments(filter_string="name = 'data'")
    theirs = [client.create_run(experiment.experiment_id, tags=tags).info.run_id for tags in FOREIGN]
    for _ in range(2):
        assert listed(recurrent, old) == (["old"], "")
        done = recurrent("results", "old", "--json", cwd=old)
        assert (done.returncode, done.stderr, without_epochs(done.stdout)) == (0, "", without_epochs(shown))
        sync(recurrent, old, "old")
    for run_id, tags in zip(theirs, FOREIGN, strict=True):
        run = client.get_run(run_id)
        left = {name: value for name, value in run.data.tags.items() if not name.startswith("mlflow.")}
        assert (run.info.lifecycle_stage, left) == ("active", tags)


def test_tags_of_others_on_our_runs_are_not_ours() -> None:
    tags = {"recurrent.search_id": "s", "recurrent.outcome": "pruned", "outcome": "heads", "reason": "a coin"}
    assert ours(tags) == {"search_id": "s", "outcome": "pruned"}


# ---- tags that were cut or changed ----


def test_settings_that_an_earlier_version_has_cut(recurrent: Recurrent, old: Path) -> None:
    with closing(sqlite3.connect(old / "mlflow.db")) as database, database:
        database.execute("UPDATE tags SET value = substr(value, 1, 100) WHERE key = 'spec'")
    write_folder(old, "other")
    sync(recurrent, old, "other")
    names, said = listed(recurrent, old)
    assert names == ["other"]
    assert said.startswith("recurrent results: old: expected the settings of the search in the tags of its run")
    assert said.count("\n") == 1 and "`recurrent sync old` writes them again" in said
    done = recurrent("results", "old", cwd=old)
    assert (done.returncode, done.stdout) == (2, "") and done.stderr == said
    sync(recurrent, old, "old")
    assert listed(recurrent, old) == (["other", "old"], "")
    assert recurrent("results", "old", cwd=old).returncode == 0


@pytest.mark.parametrize("value", ["", "17", "{}", '{"task": "adding"'])
def test_settings_that_somebody_has_changed(recurrent: Recurrent, tmp_path: Path, value: str) -> None:
    for name in ("a", "b"):
        write_folder(tmp_path, name)
        sync(recurrent, tmp_path, name)
    client = client_of(tmp_path)
    client.set_tag(
        Searched(tmp_path, "b", recurrent("doctor", cwd=tmp_path)).parent.info.run_id, "recurrent.spec.0", value
    )
    names, said = listed(recurrent, tmp_path)
    assert names == ["a"] and said.startswith("recurrent results: b: expected the settings of the search")
    for words in (("results", "b"), ("results", "b", "--json"), ("export", "b", "--to", "best")):
        assert recurrent(*words, cwd=tmp_path).stderr.partition(": ")[2] == said.partition(": ")[2]
    sync(recurrent, tmp_path, "b")
    assert listed(recurrent, tmp_path) == (["b", "a"], "")


@pytest.mark.slow
@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"id": 1}'])
def test_a_damaged_folder(recurrent: Recurrent, tmp_path: Path, content: str) -> None:
    for name in ("a", "b"):
        place = write_folder(tmp_path, name)
        sync(recurrent, tmp_path, name)
    place.spec.write_text(content)
    assert listed(recurrent, tmp_path) == (["b", "a"], "")
    refused(recurrent("sync", "b", cwd=tmp_path), "searches/b/spec.json: expected the spec of a search")
    for left in (["b", "a"], ["a"]):  # nothing tells whether the runs of this name are those of the folder
        assert recurrent("delete", "b", "--yes", cwd=tmp_path).returncode == 0
        assert listed(recurrent, tmp_path) == (left, "")


# ---- searches of earlier versions ----


def test_a_search_of_an_earlier_version_gets_the_new_tags(recurrent: Recurrent, old: Path) -> None:
    client = client_of(old)
    (experiment,) = client.search_experiments(filter_string="name = 'data'")
    new, before = filters(kind="trial", search_id="old")
    found = {run.info.run_id: run.data.tags for run in client.search_runs([experiment.experiment_id], before)}
    assert len(found) == 2 and not client.search_runs([experiment.experiment_id], new)
    shown = recurrent("results", "old", "--json", cwd=old).stdout
    sync(recurrent, old, "old")
    assert without_epochs(recurrent("results", "old", "--json", cwd=old).stdout) == without_epochs(shown)
    for run in client.search_runs([experiment.experiment_id], new):
        tags = found.pop(run.info.run_id)
        assert tags.items() <= run.data.tags.items(), "the old ones stay"
        added = {f"value.{name}" for name in ("cell", "depth", "width", "learning_rate", "dropout")}
        kept = {name: tag for name, tag in ours(run.data.tags).items() if name not in {"session", "worker", *added}}
        assert kept == tags and added <= ours(run.data.tags).keys()
    assert not found
    (model,) = client.search_logged_models([experiment.experiment_id])
    assert model.tags["search_id"] == model.tags["recurrent.search_id"] == "old"
    states = [
        json.loads(value)
        for name, value in client.get_experiment(experiment.experiment_id).tags.items()
        if name.endswith("recurrent-leaderboard")
    ]
    where = json.loads(states[0]["state"])["searchFilter"]
    assert len(client.search_runs([experiment.experiment_id], where)) == 2, "the views show them"
