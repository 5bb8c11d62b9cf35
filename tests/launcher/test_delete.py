"""`recurrent delete`: all of a search goes, whatever kills the command, and nothing of another one."""

import json
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


@pytest.mark.parametrize(("answer", "gone"), [("y", True), ("", False), ("n", False)])
def test_it_asks(recurrent: Recurrent, two: Path, monkeypatch: pytest.MonkeyPatch, answer: str, gone: bool) -> None:
    asked = []

    def reply(question: str) -> str:
        asked.append(question)
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
        assert done.stdout == "nothing was deleted\n"
        assert sorted(listed(recurrent, two)) == ["old", "other"] and listing(two / "searches") == before


def test_nobody_to_ask(recurrent: Recurrent, two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command.sys.stdin, "isatty", lambda: False)
    refused(recurrent("delete", "old", cwd=two), "--yes")
    assert sorted(listed(recurrent, two)) == ["old", "other"]


def test_a_search_that_runs_stays(recurrent: Recurrent, two: Path) -> None:
    from experiments.config.folders import SearchFolder

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


def test_the_trash_of_a_server_is_not_ours(recurrent: Recurrent, two: Path) -> None:
    words = ("delete", "old", "--yes", "--purge", "--tracking-uri", "http://127.0.0.1:9")
    refused(recurrent(*words, cwd=two), "--purge: expected a store in a file", "mlflow gc")
