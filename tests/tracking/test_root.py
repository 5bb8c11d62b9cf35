"""A store that was copied or moved: its paths follow it, and nothing that lies elsewhere is touched."""

import json
import os
import platform
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tracking import root, root_file
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
    (store.parent / "mlartifacts").mkdir()
    there = moved(store)
    assert follow(there) and places(there) == renamed(before, store, there)


@pytest.mark.parametrize("noted", [True, False])
def test_a_database_that_was_moved_without_its_files_still_finds_them(store: Path, noted: bool) -> None:
    before = places(store)
    if not noted:
        (store.parent / "mlflow.db.root").unlink()
    (store.parent / "mlartifacts").mkdir()
    there = store.parent.with_name("there") / store.name
    there.parent.mkdir()
    for path in store.parent.glob("mlflow.db*"):
        path.rename(there.with_name(path.name))
    for _ in range(2):
        assert (follow(there), places(there)) == ("", before)
        assert resolved(there, before[0]) == before[0]
        assert not inside(there, before[0]), "nothing is deleted there"
        # A new search has its files beside the database, and the old files stay where they are.
        connect(f"sqlite:///{there}", create=True)
        assert artifacts(f"sqlite:///{there}", "new") == f"{there.parent.as_uri()}/mlartifacts/new"
        (there.parent / "mlartifacts").mkdir(exist_ok=True)


def test_a_copied_database_without_its_files_reads_those_of_the_original(store: Path) -> None:
    before, there = places(store), store.parent.with_name("there") / store.name
    (store.parent / "mlartifacts").mkdir()
    there.parent.mkdir()
    for path in store.parent.glob("mlflow.db*"):
        shutil.copy(path, there.with_name(path.name))
    assert (follow(there), places(there)) == ("", before)
    assert resolved(there, before[0]) == before[0] and not inside(there, before[0])


def test_files_on_a_disk_that_is_not_mounted_keep_their_paths(store: Path) -> None:
    """A user has chosen /bulk/mlartifacts for all files, and this version has not written beside the database yet."""
    with closing(sqlite3.connect(store)) as database, database:
        database.execute("UPDATE experiments SET artifact_location = 'file:///bulk/mlartifacts/' || experiment_id")
    (store.parent / "mlflow.db.root").unlink()
    before = places(store)
    assert (follow(store), places(store)) == ("", before)
    assert resolved(store, "file:///bulk/mlartifacts/1/x") == "file:///bulk/mlartifacts/1/x"


def test_a_new_database_does_not_take_the_root_of_an_earlier_one(store: Path) -> None:
    there = store.parent.with_name("there") / store.name
    (store.parent / "mlartifacts").mkdir()
    shutil.copytree(store.parent, there.parent)
    for path in (*there.parent.glob("mlflow.db-*"), there):
        path.unlink()
    shutil.rmtree(there.parent / "mlartifacts")
    client = connect(f"sqlite:///{there}", create=True)
    assert client.get_experiment("0").artifact_location.startswith(f"{there.parent.as_uri()}/")
    assert artifacts(f"sqlite:///{there}", "adding") == f"{there.parent.as_uri()}/mlartifacts/adding"
    assert json.loads((there.parent / "mlflow.db.root").read_text())["root"] == str(there.parent)


def test_files_behind_a_link(store: Path) -> None:
    """The link `mlartifacts` is the store's own. A copy of the link leads to the files of the original."""
    disk, here = store.parent.with_name("disk"), store.parent / "mlartifacts"
    disk.mkdir()
    here.symlink_to(disk)
    model = f"{here.as_uri()}/adding/models/m-1"
    assert inside(store, model) and inside(store, f"{here}/adding/models/m-1")
    copy = store.parent.with_name("copy") / store.name
    shutil.copytree(store.parent, copy.parent, symlinks=True)
    assert follow(copy) == "" and not inside(copy, model), "the copy does not delete them"
    (disk / "away").symlink_to(store.parent.with_name("other"))
    assert not inside(store, f"{here}/away/models/m-1")
    there = store.parent.rename(store.parent.with_name("there")) / store.name
    assert follow(there) and inside(there, model.replace(store.parent.as_uri(), there.parent.as_uri()))


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


@pytest.mark.parametrize("disks", [(0, 0), (7, 0), (0, 7), (7, 8)])
def test_a_folder_that_another_machine_mounts_elsewhere_is_left_alone(
    store: Path, monkeypatch: pytest.MonkeyPatch, disks: tuple[int, int]
) -> None:
    """There the old root does not exist, and the folder has the inode that the first machine has written down."""
    before, machine = places(store), platform.node()
    monkeypatch.setattr(root_file, "_disk", lambda _: disks[0])
    root_file.write(store, store.parent)
    there = store.parent.with_name("mount") / store.name
    store.parent.rename(there.parent)
    with monkeypatch.context() as another:
        another.setattr("platform.node", lambda: "another-machine")
        another.setattr(root_file, "_disk", lambda _: disks[1])
        told = follow(there)
        assert told.startswith(f"mlflow.db names files in {store.parent}, where {machine} has this folder; ")
        assert told.endswith("its paths stay; if the folder was moved here, remove mlflow.db.root")
        assert (follow(there), places(there)) == ("", before), "it is told once"
        assert resolved(there, before[0]) == before[0].replace(store.parent.as_uri(), there.parent.as_uri())
    there.parent.rename(store.parent)
    assert (follow(store), places(store)) == ("", before), "the first machine goes on as before"
    store.parent.rename(there.parent)
    assert follow(there) and places(there) == renamed(before, store, there), "on the first machine it was moved"


def test_the_way_out_that_is_told(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = places(store)
    (store.parent / "mlartifacts").mkdir()
    monkeypatch.setattr(root_file, "_disk", lambda _: 0)
    root_file.write(store, store.parent)
    there = store.parent.with_name("mount") / store.name
    store.parent.rename(there.parent)
    monkeypatch.setattr("platform.node", lambda: "another-machine")
    assert follow(there).endswith("remove mlflow.db.root")
    (there.parent / "mlflow.db.root").unlink()
    assert follow(there) and places(there) == renamed(before, store, there)


def test_a_folder_that_was_moved_on_its_disk_under_a_new_name_of_the_machine(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each container has a name of its own. Two containers that use the folder in turns change its paths once."""
    before = places(store)
    monkeypatch.setattr(root_file, "_disk", lambda _: 7)
    monkeypatch.setattr("platform.node", lambda: "first")
    root_file.write(store, store.parent)
    there = store.parent.with_name("there") / store.name
    for turn in range(3):
        store.parent.rename(there.parent)
        monkeypatch.setattr("platform.node", lambda: "second")
        assert bool(follow(there)) == (turn == 0) and places(there) == renamed(before, store, there)
        there.parent.rename(store.parent)
        monkeypatch.setattr("platform.node", lambda: "first")
        assert (follow(store), places(store)) == ("", renamed(before, store, there))
        assert resolved(store, renamed(before, store, there)[1]) == before[1]
    store.parent.rename(there.parent)
    monkeypatch.setattr("platform.node", lambda: "third")
    assert follow(there.parent.rename(there.parent.with_name("fourth")) / there.name), "it was moved once more"


def test_a_copy_in_its_original_and_a_kill_behind_the_change(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = places(store)
    there = store.parent / "copy" / store.name
    shutil.copytree(store.parent, there.parent)
    with monkeypatch.context() as killed:
        killed.setattr(root, "write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
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
