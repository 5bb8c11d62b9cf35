"""A new search has the trials and epochs of its task, unless they are given."""

from pathlib import Path

import pytest

from experiments.config.folders import SearchFolder
from experiments.config.spec import UNLIMITED, Spec
from experiments.launcher.settings import search_spec
from experiments.tasks.adding import Adding
from experiments.tasks.base import Task
from experiments.tasks.loading import find
from tracking.errors import DataError

TASK = """
from dataclasses import dataclass

from experiments.tasks.adding import Adding


@dataclass(frozen=True, kw_only=True)
class Short(Adding):
    default_trials = 7
"""
PAGE = Path(__file__).parents[2] / "docs" / "tasks.md"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def budget(spec: Spec) -> tuple[int, int]:
    return spec.trials, spec.epochs


@pytest.fixture
def changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Adding, "default_trials", 5)
    monkeypatch.setattr(Adding, "default_epochs", 7)


def test_trials_and_epochs_are_those_of_the_task(changed: None) -> None:
    assert budget(search_spec("adding", {})[0]) == (5, 7)
    assert budget(search_spec("adding", {}, trials=3)[0]) == (3, 7)
    assert budget(search_spec("adding", {}, epochs=2)[0]) == (5, 2)
    assert budget(search_spec("adding", {}, budget="30m")[0]) == (UNLIMITED, 7)
    exact = {"oracle": "grid", "learning_rate": "0.01", "width": "16,32", "depth": "1", "dropout": "0"}
    assert budget(search_spec("adding", {}, **exact)[0]) == (6, 7), "a grid has all models"


def test_a_search_that_goes_on_keeps_its_own(changed: None) -> None:
    folder = SearchFolder(Path("searches/old").resolve())
    folder.path.mkdir(parents=True)
    search_spec("adding", {}, "old", epochs=4, trials=9)[0].write(folder)
    assert budget(search_spec("adding", {}, "old", resume=True)[0]) == (9, 4)


def test_a_task_of_the_user_may_have_its_own(here: Path) -> None:
    (here / "short.py").write_text(TASK)
    assert budget(search_spec("short.py", {})[0]) == (7, Adding.default_epochs)


@pytest.mark.parametrize("count", ["0", "None", "2.5", "True", "10**9"])
def test_a_task_whose_own_is_no_number(here: Path, count: str) -> None:
    (here / "short.py").write_text(TASK.replace("= 7", f"= {count}"))
    with pytest.raises(DataError, match=r"expected default_trials = a whole number from 1 below 1,000,000,000, got"):
        search_spec("short.py", {})


def test_every_task_states_its_own_and_the_page_shows_it() -> None:
    stated = {}
    for name in find.names():
        made = find.task_class(name)
        assert {"default_trials", "default_epochs"} <= set(vars(made)), f"{name} states no budget"
        assert made.default_trials >= 9, "three trials of each cell"
        stated[name] = f"{made.default_trials} x {made.default_epochs}"
    assert (Task.default_trials, Task.default_epochs) == (Spec.trials, Spec.epochs)
    rows = [line.strip("|").split("|") for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| `")]
    assert {row[0].strip(" `"): row[4].strip() for row in rows if len(row) > 4} == stated
