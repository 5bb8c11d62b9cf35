"""Two copies of a search's folder whose store lies elsewhere: one goes on, the other becomes a search of its own."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from mlflow import MlflowClient
from support.once import copied
from support.refusals import refused
from support.searching import Recurrent, Searched

from experiments.config.folders import SearchFolder
from tracking.children import all_trials
from tracking.root import follow
from tracking.searches import find_search
from tracking.tags import PREFIX

pytestmark = pytest.mark.slow  # many searches


@dataclass
class Shared:
    """A project, and a store in another folder."""

    project: Path
    store: Path

    @property
    def words(self) -> tuple[str, str]:
        return "--tracking-uri", f"sqlite:///{self.store}"

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.words[1])

    def copy(self, name: str) -> Path:
        return Path(shutil.copytree(self.project, self.project.with_name(name)))

    def runs(self, name: str) -> list[tuple[str, dict[str, str], dict[str, float]]]:
        """The runs of a search, with all that they hold."""
        parent = find_search(self.client, name)
        assert parent is not None
        return [
            (run.info.run_id, run.data.tags, run.data.metrics) for run in (parent, *all_trials(self.client, parent))
        ]


@pytest.fixture
def shared(searched: Searched, tmp_path: Path) -> Shared:
    project, store = copied(searched.folder, tmp_path.resolve() / "project"), tmp_path.resolve() / "store"
    store.mkdir()
    for path in (*project.glob("mlflow.db*"), project / "mlartifacts"):
        path.rename(store / path.name)
    assert follow(store / "mlflow.db")
    return Shared(project, store / "mlflow.db")


def test_a_copy_is_refused_and_becomes_a_search_of_its_own(shared: Shared, recurrent: Recurrent) -> None:
    assert recurrent("sync", "t", *shared.words, cwd=shared.project).returncode == 0
    copy, before = shared.copy("copy"), shared.runs("t")
    done = recurrent("sync", "t", *shared.words, cwd=copy)
    call = f"`recurrent rename t --new-id {' '.join(shared.words)}` makes it a search of its own"
    refused(done, "expected the only copy", f"got a copy of {shared.project}/searches/t", call)
    refused(recurrent("rename", "t", "mine", *shared.words, cwd=copy), "expected the only copy")
    refused(recurrent("delete", "t", "--yes", *shared.words, cwd=copy), "expected the only copy")
    assert shared.runs("t") == before

    done = recurrent("rename", "t", "--new-id", *shared.words, cwd=copy)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(
        "t is now t-2, a search of its own; to go on with it:\n  recurrent search adding --name"
    )
    assert [path.name for path in (copy / "searches").iterdir()] == ["t-2"]
    done = recurrent("sync", "t-2", *shared.words, cwd=copy)
    assert (done.returncode, done.stderr) == (0, "")
    assert "6 missing trial(s) sent" in done.stdout
    assert shared.runs("t") == before and len(shared.runs("t-2")) == 7
    done = recurrent("export", "t-2", "--to", "new", *shared.words, cwd=copy)
    assert done.returncode == 0, done
    with ZipFile(copy / "new" / "model.keras") as new, ZipFile(copy / "best" / "model.keras") as best:
        assert new.read("model.weights.h5") == best.read("model.weights.h5")
    assert recurrent("sync", "t", *shared.words, cwd=shared.project).returncode == 0, "the original goes on"


def test_a_refused_copy_restores_nothing(shared: Shared, recurrent: Recurrent) -> None:
    copy = shared.copy("copy")
    journal = SearchFolder(copy / "searches" / "t").journal
    journal.append("start", session="1", place=str(shared.project / "searches" / "t"))
    for run_id, _, _ in shared.runs("t"):
        shared.client.delete_run(run_id)
    refused(recurrent("sync", "t", *shared.words, cwd=copy), f"got a copy of {shared.project}/searches/t")
    assert find_search(shared.client, "t") is None
    # Where the original cannot be seen, the deleted trials tell that it has gone on.
    shared.project.rename(shared.project.with_name("there"))
    lines = journal.path.read_text().splitlines(keepends=True)
    journal.path.write_text("".join(line for line in lines if '"end"' in line))
    refused(recurrent("sync", "t", *shared.words, cwd=copy), "got a copy: another one has gone on with it")
    assert find_search(shared.client, "t") is None


@pytest.mark.parametrize("linked", [False, True])
def test_a_store_in_a_folder_of_the_project(
    searched: Searched, recurrent: Recurrent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, linked: bool
) -> None:
    """It comes with the copy, unless the folder is a link to another place."""
    project, copy = copied(searched.folder, tmp_path.resolve() / "project"), tmp_path.resolve() / "copy"
    store = tmp_path.resolve() / "elsewhere" if linked else project / "store"
    store.mkdir()
    for path in (*project.glob("mlflow.db*"), project / "mlartifacts"):
        path.rename(store / path.name)
    if linked:
        (project / "store").symlink_to(store)
    words = ("sync", "t", "--tracking-uri", "sqlite:///store/mlflow.db")
    assert recurrent(*words, cwd=project).returncode == 0
    shutil.copytree(project, copy, symlinks=True)
    done = recurrent(*words, cwd=copy)
    if linked:
        refused(done, "expected the only copy", f"got a copy of {project}/searches/t")
    else:
        assert done.returncode == 0 and f"{copy}/store/mlflow.db has all that its journals say" in done.stdout


def test_a_search_that_was_moved_goes_on(shared: Shared, recurrent: Recurrent) -> None:
    there = shared.project.rename(shared.project.with_name("there"))
    done = recurrent("sync", "t", *shared.words, cwd=there)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_copy_on_another_machine_is_refused_when_the_first_one_has_gone_on(
    shared: Shared, recurrent: Recurrent
) -> None:
    """Its trials in the store were run by a launcher that the other copy does not know."""
    journal = SearchFolder(shared.project / "searches" / "t").journal
    known = {event["session"] for event in journal.events() if event["event"] == "start"}
    tags = [tags for _, tags, _ in shared.runs("t")[1:]]
    assert {tag[f"{PREFIX}session"] for tag in tags} == known
    there = shared.project.rename(shared.project.with_name("there"))
    shared.client.set_tag(shared.runs("t")[1][0], f"{PREFIX}session", "another")
    refused(recurrent("sync", "t", *shared.words, cwd=there), "got a copy: another one has gone on", "--new-id")


def test_a_kill_half_way_is_mended(shared: Shared, recurrent: Recurrent, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = shared.copy("copy")

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", killed)
        assert recurrent("rename", "t", "--new-id", *shared.words, cwd=copy).returncode == 130
    assert (copy / "searches" / "t" / "spec.json").exists()
    done = recurrent("rename", "t", "--new-id", *shared.words, cwd=copy)
    assert (done.returncode, done.stderr) == (0, "") and "t is now t-2" in done.stdout
    assert json.loads((copy / "searches" / "t-2" / "spec.json").read_text())["name"] == "t-2"


def test_a_name_that_the_store_does_not_have_stays(shared: Shared, recurrent: Recurrent) -> None:
    spec = shared.project / "searches" / "t" / "spec.json"
    before = json.loads(spec.read_text())
    assert "t is now t, " in recurrent("rename", "t", "--new-id", cwd=shared.project).stdout
    after = json.loads(spec.read_text())
    assert after["id"] != before["id"] and {**after, "id": ""} == {**before, "id": ""}
    refused(recurrent("rename", "other", "--new-id", cwd=shared.project), "OLD", "'other'")
    refused(recurrent("rename", "t", cwd=shared.project), "NEW", "--new-id")
    with SearchFolder(spec.parent).launcher_lock:
        refused(recurrent("rename", "t", "--new-id", cwd=shared.project), "not running")


def test_a_new_name_is_the_users(shared: Shared, recurrent: Recurrent) -> None:
    copy = shared.copy("copy")
    refused(recurrent("rename", "t", "t", "--new-id", *shared.words, cwd=copy), "NEW: expected a new name, got 't'")
    done = recurrent("rename", "t", "mine", "--new-id", *shared.words, cwd=copy)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("t is now mine, ")
    assert [path.name for path in (copy / "searches").iterdir()] == ["mine"]


def test_the_journal_knows_the_store(searched: Searched) -> None:
    """`recurrent delete` and `rename` ask it when a store lacks the search."""
    events = SearchFolder(searched.folder / "searches" / "t").journal.events()
    (start,) = [event for event in events if event["event"] == "start"]
    spec = json.loads((searched.folder / "searches" / "t" / "spec.json").read_text())
    assert (start["store"], start["search"]) == ("sqlite:///mlflow.db", spec["id"])


def test_a_project_without_its_store(shared: Shared, recurrent: Recurrent, tmp_path: Path) -> None:
    """The search was recorded elsewhere, and the command does not say where."""
    journal = SearchFolder(shared.project / "searches" / "t").journal
    spec = json.loads((shared.project / "searches" / "t" / "spec.json").read_text())
    journal.append("start", session="1", place="", store=shared.words[1], search=spec["id"])
    before = shared.runs("t")
    for words in (("delete", "t", "--yes"), ("rename", "t", "new")):
        refused(recurrent(*words, cwd=shared.project), f"expected {shared.words[1]}, which has this search, got sqlite")
    assert shared.runs("t") == before and journal.path.exists()
    assert recurrent("delete", "t", "--yes", *shared.words, cwd=shared.project).returncode == 0
    assert find_search(shared.client, "t") is None and not journal.path.exists()
