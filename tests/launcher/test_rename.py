"""`recurrent rename`: a search has its new name everywhere, whatever kills the command."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from support.folders import sync, write_folder
from support.refusals import refused
from support.searching import Recurrent, listing

from experiments.config.folders import SearchFolder

pytestmark = pytest.mark.slow  # many searches

CALLS = [("log_batch", 1), ("log_batch", 2), ("log_batch", 3), ("update_run", 1), ("set_logged_model_tags", 1)]


class Killed(BaseException):
    """What no code of ours catches."""


def shown(recurrent: Recurrent, folder: Path, name: str) -> dict[str, Any]:
    done = recurrent("results", name, "--json", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    for trial in found["trials"]:
        trial["epochs"] = None  # sync sends them where an earlier version has not
    return found


def check_renamed(recurrent: Recurrent, folder: Path, before: dict[str, Any]) -> None:
    """The search `old` is `new`, and can be sent and exported as before."""
    listed = [one["search"] for one in json.loads(recurrent("results", "--json", cwd=folder).stdout)]
    assert listed == ["new"]
    assert shown(recurrent, folder, "new") == {**before, "search": "new"}
    assert [path.name for path in (folder / "searches").iterdir()] == ["new"]
    assert json.loads((folder / "searches" / "new" / "spec.json").read_text())["name"] == "new"
    sync(recurrent, folder, "new")
    assert shown(recurrent, folder, "new") == {**before, "search": "new"}
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    (experiment,) = client.search_experiments(filter_string="name = 'data'")
    assert len(client.search_runs([experiment.experiment_id])) == 3, "sync makes no second runs"
    (model,) = client.search_logged_models([experiment.experiment_id])
    assert model.tags["recurrent.search_id"] == "new"
    refused(recurrent("results", "old", cwd=folder), "'old'")


@pytest.mark.parametrize("early", [True, False])
def test_it_has_its_new_name_everywhere(recurrent: Recurrent, old: Path, early: bool) -> None:
    if not early:
        sync(recurrent, old, "old")
    before = shown(recurrent, old, "old")
    done = recurrent("rename", "old", "new", cwd=old)
    assert (done.returncode, done.stdout, done.stderr) == (0, "old is now new\n", "")
    check_renamed(recurrent, old, before)
    for _ in range(2):
        done = recurrent("export", "new", "--to", "best", cwd=old)
        assert (done.returncode, done.stderr) == (0, "")
    assert json.loads((old / "best" / "model.json").read_text())["search"] == "new"


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(("call", "number"), CALLS)
def test_killed_half_way_the_same_command_ends_it(
    recurrent: Recurrent, old: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int, after: bool
) -> None:
    before, real, calls = shown(recurrent, old, "old"), getattr(MlflowClient, call), []

    def dies(client: MlflowClient, *words: Any, **named: Any) -> None:
        calls.append(words)
        if after or len(calls) < number:
            real(client, *words, **named)
        if len(calls) == number:
            raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(MlflowClient, call, dies)
        recurrent("rename", "old", "new", cwd=old)
    again = recurrent("rename", "old", "new", cwd=old)
    if (call, number, after) == ("log_batch", 3, True):  # all was done
        refused(again, "OLD: expected a search in searches/ (new), got 'old'")
    else:
        assert (again.returncode, again.stderr) == (0, "")
    check_renamed(recurrent, old, before)


def test_killed_between_the_folder_and_its_spec(
    recurrent: Recurrent, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = shown(recurrent, old, "old")

    def dies(*words: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr("experiments.launcher.rename.write_json", dies)
        recurrent("rename", "old", "new", cwd=old)
    assert recurrent("rename", "old", "new", cwd=old).returncode == 0
    check_renamed(recurrent, old, before)


def test_names_that_are_taken_or_not_there(recurrent: Recurrent, old: Path) -> None:
    write_folder(old, "other")
    before = listing(old / "searches")
    refused(recurrent("rename", "old", "other", cwd=old), "NEW: expected a new name, got 'other', which searches/other")
    refused(recurrent("rename", "nobody", "new", cwd=old), "OLD: expected a search in searches/ (", "got 'nobody'")
    refused(recurrent("rename", "old", "a/b", cwd=old), "NEW", "'a/b'")
    assert listing(old / "searches") == before


def test_a_name_that_only_the_store_has(recurrent: Recurrent, old: Path, tmp_path: Path) -> None:
    store = ("--tracking-uri", f"sqlite:///{old}/mlflow.db")
    mine = write_folder(tmp_path, "mine")
    sync(recurrent, tmp_path, "mine", *store)
    done = recurrent("rename", "mine", "old", *store, cwd=tmp_path)
    refused(done, "NEW: expected a new name, got 'old', which sqlite:///", "holds already")
    assert mine.spec.exists() and shown(recurrent, old, "mine")["search"] == "mine"


def test_a_search_that_runs_keeps_its_name(recurrent: Recurrent, old: Path) -> None:
    with SearchFolder(old / "searches" / "old").launcher_lock:
        refused(recurrent("rename", "old", "new", cwd=old), "expected a search that is not running, got 'old'")
    assert (old / "searches" / "old").exists()


@pytest.mark.parametrize("store", ["edited", "read only"])
def test_a_store_that_cannot_follow(
    recurrent: Recurrent, old: Path, monkeypatch: pytest.MonkeyPatch, store: str
) -> None:
    if store == "edited":
        client = MlflowClient(f"sqlite:///{old}/mlflow.db")
        (run,) = client.search_runs(["1"], "tags.kind = 'search'")
        client.set_tag(run.info.run_id, "spec", "{")
        refused(recurrent("rename", "old", "new", cwd=old), "old: expected the settings of the search", "sync old")
    else:
        monkeypatch.setattr("os.access", lambda path, mode: path != old / "mlflow.db" or mode != os.W_OK)
        refused(recurrent("rename", "old", "new", cwd=old), "tracking-uri: expected a store that can be written")
    assert [path.name for path in (old / "searches").iterdir()] == ["old"]
    assert json.loads((old / "searches" / "old" / "spec.json").read_text())["name"] == "old"


def test_a_search_without_a_store(recurrent: Recurrent, tmp_path: Path) -> None:
    write_folder(tmp_path, "mine")
    assert recurrent("rename", "mine", "yours", cwd=tmp_path).returncode == 0
    assert json.loads((tmp_path / "searches" / "yours" / "spec.json").read_text())["name"] == "yours"
    assert not (tmp_path / "mlflow.db").exists()
