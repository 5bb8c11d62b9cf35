"""A store that was copied or moved: its paths follow it, and nothing that lies elsewhere is touched."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tracking import root
from tracking.root import follow, inside, resolved
from tracking.store import artifacts, connect

ELSEWHERE = "file:///elsewhere/mlartifacts/other"
HOLD = "import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.execute('SELECT 1 FROM runs'); print(); input()"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A database in the folder `here`, with an experiment and a run in it, and an experiment that lies elsewhere."""
    file = tmp_path.resolve() / "here it is" / "mlflow.db"
    file.parent.mkdir()
    uri = f"sqlite:///{file}"
    client = connect(uri, create=True)
    client.create_run(client.create_experiment("adding", artifacts(uri, "adding")))
    client.create_experiment("other", ELSEWHERE)
    return file


def places(file: Path) -> list[str]:
    """The places of all experiments and runs, as the database has them."""
    with closing(sqlite3.connect(file)) as database:
        found = database.execute("SELECT artifact_location FROM experiments UNION SELECT artifact_uri FROM runs")
        return sorted(place for (place,) in found)


def moved(file: Path, name: str = "there") -> Path:
    """The database of a copy of the store's folder, whose original is gone."""
    there = file.parent.with_name(name)
    shutil.copytree(file.parent, there)
    shutil.rmtree(file.parent)
    return there / file.name


def renamed(before: list[str], file: Path, there: Path) -> list[str]:
    return sorted(place.replace(file.parent.as_uri(), there.parent.as_uri()) for place in before)


@pytest.mark.parametrize("original", ["stays", "goes"])
def test_paths_follow_the_store(store: Path, original: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = places(store)
    assert sum(place.startswith(store.parent.as_uri()) for place in before) == 3
    there = store.parent.with_name("there") / store.name
    if original == "stays":
        shutil.copytree(store.parent, there.parent)
    else:
        moved(store)
    connect(f"sqlite:///{there}")
    assert places(there) == renamed(before, store, there) and ELSEWHERE in places(there)
    assert original == "goes" or places(store) == before
    told = f"tracking-uri: mlflow.db has come here from {store.parent}; 3 paths in it name {there.parent} now\n"
    assert capsys.readouterr().err == told
    connect(f"sqlite:///{there}")
    assert capsys.readouterr().err == "", "it is told once"


def test_a_store_of_an_earlier_version_shows_its_root_itself(store: Path) -> None:
    before = places(store)
    (store.parent / "mlflow.db.root").unlink()
    there = moved(store)
    assert follow(there) and places(there) == renamed(before, store, there)


def test_a_database_that_was_moved_without_its_files_still_finds_them(store: Path) -> None:
    before = places(store)
    (store.parent / "mlflow.db.root").unlink()
    (store.parent / "mlartifacts").mkdir()
    there = store.parent.with_name("there") / store.name
    there.parent.mkdir()
    for path in store.parent.glob("mlflow.db*"):
        path.rename(there.with_name(path.name))
    assert (follow(there), places(there)) == ("", before)
    assert resolved(there, before[0]) == before[0]


def test_a_store_that_cannot_be_written_is_read_where_it_lies(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = places(store)
    there = moved(store)
    content = there.read_bytes()
    monkeypatch.setattr("os.access", lambda path, mode: mode != os.W_OK)
    assert (follow(there), there.read_bytes()) == ("", content)
    assert [resolved(there, place) for place in before] == [
        place.replace(store.parent.as_uri(), there.parent.as_uri()) for place in before
    ]
    assert resolved(there, f"{store.parent}/mlartifacts/1") == f"{there.parent}/mlartifacts/1"
    assert resolved(None, before[0]) == before[0], "the paths of a server stay"


def test_a_store_that_a_process_holds_is_changed_when_it_has_ended(store: Path) -> None:
    before = places(store)
    there = moved(store)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(there)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdin and holder.stdout and holder.stdout.readline()
        assert (follow(there), places(there)) == ("", before)
        holder.communicate(b"\n")
    assert follow(there) and places(there) == renamed(before, store, there)


def test_one_folder_under_two_names_is_left_alone(store: Path) -> None:
    before = places(store)
    link = store.parent.with_name("link")
    link.symlink_to(store.parent)
    assert (follow(link / store.name), places(store)) == ("", before)
    mine = link / store.name
    assert resolved(mine, before[0]) == before[0].replace(store.parent.as_uri(), link.as_uri())
    assert artifacts(f"sqlite:///{mine}", "new") == f"{store.parent.as_uri()}/mlartifacts/new"


def test_a_folder_that_another_machine_mounts_elsewhere_is_left_alone(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There the old root does not exist, and the folder has the inode that the first machine has written down."""
    before = places(store)
    there = store.parent.with_name("mount") / store.name
    store.parent.rename(there.parent)
    monkeypatch.setattr("platform.node", lambda: "another-machine")
    assert (follow(there), places(there)) == ("", before)
    assert resolved(there, before[0]) == before[0].replace(store.parent.as_uri(), there.parent.as_uri())
    monkeypatch.undo()
    assert follow(there) and places(there) == renamed(before, store, there), "on the first machine it was moved"


def test_a_copy_in_its_original_and_a_kill_behind_the_change(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = places(store)
    there = store.parent / "copy" / store.name
    shutil.copytree(store.parent, there.parent)
    with monkeypatch.context() as killed:
        killed.setattr(root, "_write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            follow(there)
    assert places(there) == renamed(before, store, there)
    follow(there)
    assert places(there) == renamed(before, store, there) and places(store) == before
    assert json.loads((there.parent / "mlflow.db.root").read_text())["root"] == str(there.parent)


def test_what_lies_outside(store: Path) -> None:
    assert inside(store, f"{store.parent.as_uri()}/mlartifacts/1") and inside(store, f"{store.parent}/mlartifacts")
    assert not inside(store, ELSEWHERE) and not inside(store, f"{store.parent}/../other")
    assert inside(store, "s3://bucket/mlartifacts"), "no folder of this machine"


def test_a_new_search_does_not_write_into_an_experiment_that_lies_elsewhere(store: Path) -> None:
    from tracking.searches import open_search

    client = MlflowClient(f"sqlite:///{store}")
    spec = {"name": "s", "task": "other", "options": {}, "digest": "0" * 64, "versions": {}, "seed": 0, "id": "1"}
    place = artifacts(f"sqlite:///{store}", "other")
    parent = open_search(client, "s", "other", place, {**spec, "metric": "mse", "direction": "min"}, {})
    assert inside(store, client.get_experiment(parent.info.experiment_id).artifact_location)


def test_a_store_that_cannot_be_written_is_opened(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In WAL mode SQLite would write beside the file."""
    there = moved(store)
    with closing(sqlite3.connect(there)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = {path.name: path.stat().st_mtime_ns for path in there.parent.iterdir()}
    monkeypatch.setattr("os.access", lambda path, mode: mode != os.W_OK)
    client = connect(f"sqlite:///{there}")
    assert {experiment.name for experiment in client.search_experiments()} == {"Default", "adding", "other"}
    assert {path.name: path.stat().st_mtime_ns for path in there.parent.iterdir()} == before
