"""What `recurrent finals` refuses, before anything is trained."""

from pathlib import Path

import pytest
from rich.console import Console
from support.folders import write_folder
from support.once import copied
from support.searching import NotRefused, Recurrent, Searched

from experiments.config.finals import Plan
from experiments.config.folders import SEARCHES, SearchFolder
from experiments.launcher.engine import Where
from experiments.launcher.finals import Finals, at_least
from experiments.tasks.adding import Adding
from tracking.errors import BadInput


@pytest.fixture
def folder(searched: Searched, tmp_path: Path) -> Path:
    return copied(searched.folder, (tmp_path / "copy").resolve())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["u"], "NAME: expected a search in searches/ (t), got 'u'"),
        (["t", "--time-limit", "soon"], "--time-limit: expected"),
        (["t", "--lengths", "0"], "argument --lengths: expected a whole number from 1"),
        (["t", "--seeds", "0"], "argument --seeds: expected a whole number from 1"),
        (["t", "--workers", "none"], "--workers: expected a whole number from 1, or auto, got 'none'"),
    ],
)
def test_a_mistake_is_one_line(recurrent: Recurrent, folder: Path, words: list[str], message: str) -> None:
    done = recurrent("finals", *words, cwd=folder)
    assert done.returncode == 2 and done.stderr.startswith(f"recurrent finals: {message}"), done
    assert done.stderr.count("\n") == 1 and not (folder / "searches" / "t" / "finals").exists()


def test_a_search_without_a_completed_trial_has_no_finals(recurrent: Recurrent, tmp_path: Path) -> None:
    folder = tmp_path.resolve()
    write_folder(folder, "new")
    done = recurrent("finals", "new", cwd=folder)
    expected = "NAME: expected a search with a completed trial, got 'new', which has none"
    assert (done.returncode, done.stderr) == (2, f"recurrent finals: {expected}\n")


@pytest.mark.slow
def test_a_task_without_a_length_has_no_longer_lengths(recurrent: Recurrent, language: Searched) -> None:
    done = recurrent("finals", "words", "--lengths", "2", cwd=language.folder)
    expected = "--lengths: expected none for a task whose knob is no length or lag, got window"
    assert (done.returncode, done.stderr) == (2, f"recurrent finals: {expected}\n")


def test_what_is_not_refused_begins_and_may_still_change(recurrent: Recurrent, folder: Path) -> None:
    for words in (["--seeds", "9", "--epochs", "7"], []):
        with pytest.raises(NotRefused):
            recurrent("finals", "t", *words, cwd=folder)


def test_a_search_asks_for_no_fewer_candidates_than_earlier_finals_have(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`search --finals 1` after `finals --top 3` would be refused otherwise, under a name that nobody typed."""
    monkeypatch.chdir(folder)
    assert at_least("t", 2) == 2
    Plan(top=3, seeds=5, epochs=2, lengths=[], finals=[], values={}).write(SearchFolder(SEARCHES / "t").finals)
    assert [at_least("t", top) for top in (1, 3, 4)] == [3, 3, 4]


def test_both_splits_cannot_be_trained_on_where_each_epoch_has_its_own(folder: Path) -> None:
    finals = Finals("t", {}, Where(1), "none", f"sqlite:///{folder}/mlflow.db", Console(), whole=True)
    with pytest.raises(BadInput, match="^--data: expected train for a task that draws fresh samples in every epoch"):
        finals._check(Adding(online=True))
    finals._check(Adding())
