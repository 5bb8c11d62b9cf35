"""A project that was copied or moved goes on where it is, with its own models and data, and touches no other."""

import json
import os
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support import models
from support.once import copied
from support.refusals import refused
from support.searching import LANGUAGE, SEARCH, NotRefused, Recurrent, Searched, listing, run, text

pytestmark = pytest.mark.slow  # many searches


def worsen(folder: Path) -> None:
    """Makes the scores of all trials bad in their journals, so that the next trial is the best one."""
    for journal in folder.glob("searches/t/trials/*/journal.jsonl"):
        lines = [json.loads(line) for line in journal.read_text("utf-8").splitlines()]
        lines[-1]["score"] = 10.0
        journal.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    study = folder / "searches" / "t" / "study.journal"
    study.write_text(re.sub(r'"values": ?\[[^]]+\]', '"values": [10.0]', study.read_text("utf-8")), "utf-8")


def files(folder: Path) -> dict[str, Any]:
    """What a folder holds. SQLite makes and removes files beside a database that is read."""
    return {name: file for name, file in listing(folder).items() if not name.startswith("mlflow.db-")}


def test_a_copy_leaves_its_original_alone(searched: Searched, tmp_path: Path) -> None:
    original, copy = copied(searched.folder, tmp_path.resolve() / "orig"), tmp_path.resolve() / "copy"
    shutil.copytree(original, copy)
    worsen(copy)
    before = files(original)
    done = run(*SEARCH, "--trials", "7", "--workers", "1", "--resume", cwd=copy)
    assert done.returncode == 0, done
    assert files(original) == before, "its model is still there, and no other"
    assert done.stderr.count("\n") == 1 and f"mlflow.db has come here from {original}; " in done.stderr
    with closing(sqlite3.connect(copy / "mlflow.db")) as database:
        assert str(original) not in "\n".join(database.iterdump())
    search = Searched(copy, "t", done)
    logged = models.logged(search)
    assert models.best_model(search).source_run_id == search.trials()[6].info.run_id
    assert logged["0006"].artifact_location.startswith(f"{copy.as_uri()}/mlartifacts/")
    assert models.files(copy).keys() == {model.model_id for model in logged.values()}


@pytest.fixture
def moved(language: Searched, tmp_path: Path) -> Path:
    """The folder of a search over a text, which was moved together with the text."""
    here = copied(language.folder, tmp_path.resolve() / "here")
    shutil.rmtree(here / "best")
    return here.rename(here.with_name("there"))


def card(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "model.json").read_text("utf-8")))


def test_a_moved_search_over_a_text_is_exported_and_resumed(moved: Path, recurrent: Recurrent) -> None:
    done = recurrent("export", "words", "--to", "best", cwd=moved)
    assert done.returncode == 0, done
    assert card(moved / "best")["options"]["corpus"] == "text.txt"
    assert json.loads((moved / "searches" / "words" / "spec.json").read_text())["options"]["corpus"] == "text.txt"
    with pytest.raises(NotRefused):
        recurrent(*LANGUAGE, "--resume", cwd=moved)
    with pytest.raises(NotRefused):
        recurrent("search", "char_lm", "--name", "words", "--resume", cwd=moved)


def test_a_copy_that_cannot_be_written_is_exported(
    moved: Path, recurrent: Recurrent, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real, before = os.access, files(moved)
    monkeypatch.setattr("os.access", lambda path, mode: not str(path).startswith(str(moved)) and real(path, mode))
    done = recurrent("export", "words", "--to", str(tmp_path / "best"), cwd=moved)
    assert (done.returncode, done.stderr) == (0, "")
    assert files(moved) == before


def test_a_text_at_another_place_is_named_again(moved: Path, recurrent: Recurrent, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.txt"
    (moved / "text.txt").rename(elsewhere)
    recurrent("results", cwd=moved)
    done = recurrent("export", "words", "--to", "best", cwd=moved)
    refused(done, "data: expected 'text.txt' there or beside the search, got none", "-o corpus=")
    done = recurrent("export", "words", "--to", "best", "-o", f"corpus={elsewhere}", cwd=moved)
    assert done.returncode == 0, done
    with pytest.raises(NotRefused):
        recurrent("search", "char_lm", "-o", f"corpus={elsewhere}", "--name", "words", "--resume", cwd=moved)


def test_another_text_under_the_same_name_is_refused(moved: Path, recurrent: Recurrent) -> None:
    (moved / "text.txt").write_text(text(42_000, seed=5), "utf-8")
    recurrent("results", cwd=moved)
    refused(recurrent("export", "words", "--to", "best", cwd=moved), "data: expected those of the search, digest")
    done = recurrent(*LANGUAGE, "--resume", cwd=moved)
    refused(done, "--resume: expected as when the search began: data of digest")


def test_a_moved_search_of_an_earlier_version(old: Path, recurrent: Recurrent) -> None:
    """Its files name the place where it began."""
    there = old.rename(old.with_name("there"))
    done = recurrent("export", "old", "--to", "best", cwd=there)
    assert done.returncode == 0, done
    with pytest.raises(NotRefused):
        recurrent("search", "data.npz", "--name", "old", "--resume", cwd=there)
    (there / "data.npz").rename(there / "other.npz")
    refused(recurrent("export", "old", "--to", "again", cwd=there), "data: expected", "data.npz", "--task")
    done = recurrent("export", "old", "--to", "again", "--task", "other.npz", cwd=there)
    assert done.returncode == 0, done
    with pytest.raises(NotRefused):
        recurrent("search", "other.npz", "--name", "old", "--resume", cwd=there)


def test_a_model_whose_files_are_gone_is_logged_again(searched: Searched, tmp_path: Path) -> None:
    folder = copied(searched.folder, tmp_path.resolve() / "copy")
    shutil.rmtree(folder / "mlartifacts")
    done = run(*SEARCH, "--resume", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    search = Searched(folder, "t", done)
    logged, found, before = models.logged(search), models.files(folder), models.files(searched.folder)
    assert found.keys() == {model.model_id for model in logged.values()} and logged.keys() == models.wanted(searched)
    for trial, model in models.logged(searched).items():
        assert found[logged[trial].model_id].read_bytes() == before[model.model_id].read_bytes()
