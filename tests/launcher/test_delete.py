"""`recurrent delete`: all of a search goes, whatever kills the command, and nothing of another one."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from support.folders import sync, write_folder
from support.refusals import refused
from support.searching import Recurrent, listing

from experiments.cli.commands import delete as command
from experiments.config.folders import SearchFolder
from experiments.launcher.stores import check_store, named
from tracking.children import all_trials
from tracking.errors import BadInput, SearchStateError
from tracking.searches import find_search, open_search

RUNS = 3  # of the search `old`


class Killed(BaseException):
    """What no code of ours catches."""


def rows(folder: Path) -> dict[str, int]:
    """How many runs and models the database has."""
    queries = {
        "active": "SELECT count(*) FROM runs WHERE lifecycle_stage = 'active'",
        "all": "SELECT count(*) FROM runs",
        "models": "SELECT count(*) FROM logged_models WHERE lifecycle_stage = 'active'",
        "all models": "SELECT count(*) FROM logged_models",
    }
    with closing(sqlite3.connect(folder / "mlflow.db")) as database:
        return {name: database.execute(query).fetchone()[0] for name, query in queries.items()}


@pytest.fixture
def two(recurrent: Recurrent, old: Path) -> Path:
    """A folder with the searches `old` and `other`."""
    write_folder(old, "other")
    sync(recurrent, old, "other")
    sync(recurrent, old, "old")
    return old


def listed(recurrent: Recurrent, folder: Path) -> list[str]:
    return [one["search"] for one in json.loads(recurrent("results", "--json", cwd=folder).stdout)]


def of_other(folder: Path) -> dict[str, Any]:
    """All that there is of the other search."""
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    found = client.search_runs(
        [one.experiment_id for one in client.search_experiments()], "tags.`recurrent.search_id` = 'other'"
    )
    (run,) = found
    return {"run": run.to_dictionary(), "files": listing(folder / "searches" / "other")}


def check_gone(recurrent: Recurrent, folder: Path, before: dict[str, Any]) -> None:
    assert listed(recurrent, folder) == ["other"]
    left = rows(folder)
    assert (left["active"], left["models"]) == (1, 0)
    assert [path.name for path in (folder / "searches").iterdir()] == ["other"]
    assert not list((folder / "mlartifacts").rglob("*.keras"))
    assert of_other(folder) == before
    assert (folder / "data.npz").exists()


def test_all_of_it_goes_and_nothing_else(recurrent: Recurrent, two: Path) -> None:
    before = of_other(two)
    done = recurrent("delete", "old", "--yes", cwd=two)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "old: deleted; MLflow's trash keeps the runs until `recurrent delete old --purge`\n"
    check_gone(recurrent, two, before)
    assert rows(two)["all"] == RUNS + 1
    done = recurrent("delete", "old", "--yes", cwd=two)
    refused(done, "NAME: expected a search", "got 'old', which was deleted in MLflow")
    done = recurrent("delete", "old", "--yes", "--purge", cwd=two)
    assert (done.returncode, done.stdout, done.stderr) == (0, "old: deleted\n", "")
    check_gone(recurrent, two, before)
    assert (rows(two)["all"], rows(two)["all models"]) == (1, 0)


def test_for_ever_at_once(recurrent: Recurrent, two: Path) -> None:
    """What else is in the trash stays there."""
    before, client = of_other(two), MlflowClient(f"sqlite:///{two}/mlflow.db")
    experiment = client.create_experiment("theirs")
    client.create_run(experiment)
    client.delete_experiment(experiment)
    alone = client.create_run("0", tags={"search_id": "old"})
    client.delete_run(alone.info.run_id)
    assert recurrent("delete", "old", "--yes", "--purge", cwd=two).returncode == 0
    check_gone(recurrent, two, before)
    assert (rows(two)["all"], rows(two)["all models"]) == (3, 0)
    assert client.get_experiment(experiment).lifecycle_stage == "deleted"


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(("call", "number"), [("delete_logged_model", 1), *(("delete_run", n) for n in (1, 2, 3))])
def test_killed_half_way_the_same_command_ends_it(
    recurrent: Recurrent, two: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int, after: bool
) -> None:
    before, real, calls = of_other(two), getattr(MlflowClient, call), []

    def dies(client: MlflowClient, *words: Any) -> None:
        calls.append(words)
        if after or len(calls) < number:
            real(client, *words)
        if len(calls) == number:
            raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(MlflowClient, call, dies)
        recurrent("delete", "old", "--yes", cwd=two)
    assert recurrent("delete", "old", "--yes", cwd=two).returncode == 0
    check_gone(recurrent, two, before)


def test_killed_while_its_folder_is_removed(recurrent: Recurrent, two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = of_other(two)

    def dies(place: Path, **words: Any) -> None:
        if place.name == ".deleted-old":
            (place / "spec.json").unlink()
            raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr("experiments.launcher.delete.shutil.rmtree", dies)
        recurrent("delete", "old", "--yes", cwd=two)
    done = recurrent("delete", "old", "--yes", cwd=two)
    assert (done.returncode, done.stderr) == (0, "")
    (two / "mlartifacts" / "data" / "models").mkdir(parents=True, exist_ok=True)
    assert not (two / "searches" / ".deleted-old").exists()
    assert of_other(two) == before


def test_killed_while_the_trash_is_emptied(recurrent: Recurrent, two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    before, real = of_other(two), SqlAlchemyStore._hard_delete_run

    def dies(store: SqlAlchemyStore, run_id: str) -> None:
        real(store, run_id)
        raise Killed

    for _ in range(RUNS):
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(SqlAlchemyStore, "_hard_delete_run", dies)
            recurrent("delete", "old", "--yes", "--purge", cwd=two)
    assert recurrent("delete", "old", "--yes", "--purge", cwd=two).returncode == 0
    check_gone(recurrent, two, before)
    assert (rows(two)["all"], rows(two)["all models"]) == (1, 0)


@pytest.mark.parametrize(("answer", "gone"), [("y", True), ("", False), ("n", False), (None, False)])
def test_it_asks(
    recurrent: Recurrent, two: Path, monkeypatch: pytest.MonkeyPatch, answer: str | None, gone: bool
) -> None:
    asked = []

    def reply(question: str) -> str:
        asked.append(question)
        if answer is None:  # Ctrl-D
            raise EOFError
        return answer

    monkeypatch.setattr("builtins.input", reply)
    monkeypatch.setattr(command.sys.stdin, "isatty", lambda: True)
    before = listing(two / "searches")
    done = recurrent("delete", "old", cwd=two)
    assert (done.returncode, done.stderr) == (0 if gone else 1, "")
    assert asked[0].startswith(f"old: delete {RUNS} run(s) with their models in sqlite:///{two}/mlflow.db and ")
    assert asked[0].endswith("B in searches/old? [y/N] ")
    if gone:
        assert listed(recurrent, two) == ["other"]
    else:
        assert done.stdout.lstrip() == "nothing was deleted\n"
        assert sorted(listed(recurrent, two)) == ["old", "other"] and listing(two / "searches") == before


def test_nobody_to_ask(recurrent: Recurrent, two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command.sys.stdin, "isatty", lambda: False)
    refused(recurrent("delete", "old", cwd=two), "--yes")
    assert sorted(listed(recurrent, two)) == ["old", "other"]


def test_a_search_that_runs_stays(recurrent: Recurrent, two: Path) -> None:
    with SearchFolder(two / "searches" / "old").launcher_lock:
        refused(recurrent("delete", "old", "--yes", cwd=two), "NAME: expected a search that is not running")
    assert sorted(listed(recurrent, two)) == ["old", "other"]


def test_another_search_of_the_name_in_the_store_stays(recurrent: Recurrent, two: Path) -> None:
    spec = two / "searches" / "old" / "spec.json"
    spec.write_text(json.dumps({**json.loads(spec.read_text()), "id": "another"}))
    refused(recurrent("delete", "old", "--yes", cwd=two), "NAME: expected one search 'old'", "--tracking-uri")
    assert sorted(listed(recurrent, two)) == ["old", "other"] and spec.exists()


def test_a_search_without_a_folder_and_one_without_a_store(recurrent: Recurrent, two: Path, tmp_path: Path) -> None:
    away = tmp_path / "away"
    (away / "searches").mkdir(parents=True)
    (two / "searches" / "old").rename(away / "searches" / "old")
    assert recurrent("delete", "old", "--yes", cwd=two).returncode == 0
    assert listed(recurrent, two) == ["other"]
    done = recurrent("delete", "old", "--yes", cwd=away)
    assert (done.returncode, done.stdout, done.stderr) == (0, "old: deleted\n", "")
    assert not list(away.iterdir())


def test_a_search_that_runs_in_another_folder_stays(recurrent: Recurrent, two: Path, tmp_path: Path) -> None:
    before, client = listed(recurrent, two), MlflowClient(f"sqlite:///{two}/mlflow.db")
    client.update_run(run_of(client, "old"), status="RUNNING")
    (two / "searches" / "old").rename(tmp_path / "elsewhere")
    done = recurrent("delete", "old", "--yes", cwd=two)
    refused(done, "NAME: expected a search that is not running, got 'old'", "another folder", "--force")
    assert listed(recurrent, two) == before
    assert recurrent("delete", "old", "--yes", "--force", cwd=two).returncode == 0
    assert listed(recurrent, two) == ["other"]


def run_of(client: MlflowClient, name: str) -> str:
    found = find_search(client, name)
    assert found
    return str(found.info.run_id)


@pytest.mark.parametrize("content", [None, "{"])
def test_a_folder_that_does_not_tell_its_search_goes_alone(
    recurrent: Recurrent, two: Path, content: str | None
) -> None:
    before, spec = rows(two), two / "searches" / "old" / "spec.json"
    spec.unlink() if content is None else spec.write_text(content)
    done = recurrent("delete", "old", "--yes", "--purge", cwd=two)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"old: deleted; the runs of 'old' in sqlite:///{two}/mlflow.db stay: searches/old ")
    assert rows(two) == before and not spec.parent.exists()
    assert recurrent("delete", "old", "--yes", cwd=two).returncode == 0
    assert listed(recurrent, two) == ["other"]


@pytest.mark.parametrize("same", [True, False])
def test_a_search_of_an_early_version_is_told_by_its_data(recurrent: Recurrent, tmp_path: Path, same: bool) -> None:
    """It has no id."""
    place = write_folder(tmp_path, "early")
    facts = {**json.loads(place.spec.read_text()), "id": ""}
    place.spec.write_text(json.dumps(facts))
    sync(recurrent, tmp_path, "early")
    if not same:
        place.spec.write_text(json.dumps({**facts, "digest": "f" * 64}))
    before = rows(tmp_path)
    if same:
        assert recurrent("delete", "early", "--yes", cwd=tmp_path).returncode == 0
        assert rows(tmp_path)["active"] == 0
    else:
        refused(recurrent("delete", "early", "--yes", cwd=tmp_path), "NAME: expected one search 'early'")
        spec = {**facts, "digest": "f" * 64, "metric": "mse", "direction": "min"}
        with pytest.raises(SearchStateError, match="expected a new name, got 'early'"):
            open_search(MlflowClient(f"sqlite:///{tmp_path}/mlflow.db"), "early", "adding", None, spec, {})
        assert recurrent("rename", "early", "new", cwd=tmp_path).returncode == 0
        assert listed(recurrent, tmp_path) == ["early"], "the run is that of another search"
        assert rows(tmp_path) == before


def test_two_searches_without_an_id_are_not_mixed(recurrent: Recurrent, tmp_path: Path) -> None:
    store = ("--tracking-uri", f"sqlite:///{tmp_path}/mlflow.db")
    for folder, name in ((tmp_path / "a", "first"), (tmp_path / "b", "second")):
        place = write_folder(folder, name)
        place.spec.write_text(json.dumps({**json.loads(place.spec.read_text()), "id": ""}))
        sync(recurrent, folder, name, *store)
    done = recurrent("rename", "second", "first", *store, cwd=tmp_path / "b")
    refused(done, "NEW: expected a new name, got 'first', which sqlite:///")
    assert [path.name for path in (tmp_path / "b" / "searches").iterdir()] == ["second"]


def test_the_search_is_recorded_in_another_store(recurrent: Recurrent, old: Path) -> None:
    folder = SearchFolder(old / "searches" / "old")
    client = MlflowClient(f"sqlite:///{old}/mlflow.db")
    for run in client.search_runs(["1"]):
        client.set_tag(run.info.run_id, "search_id", "another")
    search = json.loads(folder.spec.read_text())["id"]
    folder.journal.append("start", session="1", place="", store="http://127.0.0.1:9", search=search)
    (old / "searches" / "old" / "launcher.lock").touch()
    before = listing(old / "searches")
    for words in (("delete", "old", "--yes"), ("rename", "old", "new")):
        done = recurrent(*words, cwd=old)
        refused(done, "--tracking-uri: expected http://127.0.0.1:9, which has this search, got sqlite:///")
        assert listing(old / "searches") == before
    copy = old.with_name("copy")
    shutil.copytree(old, copy)
    assert recurrent("delete", "old", "--yes", "--force", cwd=old).returncode == 0
    assert not folder.path.exists()
    assert recurrent("rename", "old", "new", "--new-id", cwd=copy).returncode == 0
    assert recurrent("delete", "new", "--yes", cwd=copy).returncode == 0, "no store has it"


def test_how_the_journal_names_a_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = SearchFolder(Path("searches/s"))
    assert named("http://me:secret@host:5000/path", folder) == "http://host:5000/path"
    assert named(f"sqlite:///{tmp_path.resolve()}/store/mlflow.db", folder) == "sqlite:///store/mlflow.db"
    assert named("sqlite:////elsewhere/mlflow.db", folder) == "sqlite:////elsewhere/mlflow.db"
    folder.path.mkdir(parents=True)
    folder.journal.append("start", store="sqlite:////elsewhere/mlflow.db", search="1")
    check_store(folder, f"sqlite:///{tmp_path}/mlflow.db", "")  # a store that is gone
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "mlflow.db").touch()
    folder.journal.append("start", store="sqlite:///store/mlflow.db", search="1")
    check_store(folder, f"sqlite:///{tmp_path.resolve()}/store/mlflow.db", "")
    with pytest.raises(BadInput, match=f"expected sqlite:///{tmp_path.resolve()}/store/mlflow.db, which has this"):
        check_store(folder, f"sqlite:///{tmp_path.resolve()}/mlflow.db", "")


def test_the_files_of_a_store_whose_paths_could_not_follow(
    recurrent: Recurrent, two: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process holds the database, so the old paths stand in it. A folder at the old place is another project's."""
    client = MlflowClient(f"sqlite:///{two}/mlflow.db")
    run = client.get_run(run_of(client, "old"))
    client.log_text(run.info.run_id, "x", "task/x.py")
    there = two.rename(two.with_name("there"))
    others = two / "mlartifacts" / "data" / run.info.run_id / "artifacts" / "x.py"
    others.parent.mkdir(parents=True)
    others.touch()
    (two / "mlflow.db").touch()
    monkeypatch.setattr("tracking.root._held", lambda _: True)
    (own,) = there.rglob("task/x.py")
    assert recurrent("delete", "old", "--yes", "--purge", cwd=there).returncode == 0
    assert not own.exists() and others.exists()


def test_the_files_behind_a_link_go(recurrent: Recurrent, two: Path, tmp_path: Path) -> None:
    disk = (two / "mlartifacts").rename(tmp_path / "disk")
    (two / "mlartifacts").symlink_to(disk)
    assert list(disk.rglob("*.keras"))
    assert recurrent("delete", "old", "--yes", cwd=two).returncode == 0
    assert not list(disk.rglob("*.keras"))


def test_a_deleted_experiment(recurrent: Recurrent, two: Path) -> None:
    before, client = of_other(two), MlflowClient(f"sqlite:///{two}/mlflow.db")
    (experiment,) = [one for one in client.search_experiments() if one.name == "data"]
    client.delete_experiment(experiment.experiment_id)
    done = recurrent("delete", "old", "--yes", cwd=two)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "old: deleted; MLflow's trash keeps the runs until `recurrent delete old --purge`\n"
    refused(recurrent("results", "old", cwd=two), "'old', which was deleted in MLflow")
    assert recurrent("delete", "old", "--yes", "--purge", cwd=two).returncode == 0
    assert rows(two)["all"] == 1 and of_other(two) == before


def test_the_trash_of_a_server_is_not_ours(recurrent: Recurrent, two: Path) -> None:
    words = ("delete", "old", "--yes", "--purge", "--tracking-uri", "http://127.0.0.1:9")
    refused(recurrent(*words, cwd=two), "--purge: expected a store in a file", "mlflow gc")


def test_what_is_asked_names_all_that_goes(recurrent: Recurrent, two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or "n")
    monkeypatch.setattr(command.sys.stdin, "isatty", lambda: True)
    client = MlflowClient(f"sqlite:///{two}/mlflow.db")
    found = find_search(client, "old")
    assert found
    client.delete_run(all_trials(client, found)[0].info.run_id)
    recurrent("delete", "old", "--purge", cwd=two)
    shutil.rmtree(two / "searches" / "old")
    recurrent("delete", "old", cwd=two)
    first, second = asked
    assert "and 1 run(s) in the trash of sqlite:///" in first and first.endswith("B in searches/old? [y/N] ")
    assert second.startswith(f"old: delete {RUNS - 1} run(s) with their models in ") and "searches" not in second
