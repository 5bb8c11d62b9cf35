"""The name of a search without --name, and the experiments of files of one name."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Experiment
from support.folders import sync, write_folder
from support.refusals import SMALL
from support.searching import NotRefused, Recurrent

from experiments.config.folders import SearchFolder
from experiments.launcher.launch import Launch
from tracking.searches import find_search, spec_of

pytestmark = pytest.mark.slow  # many searches


def begin(recurrent: Recurrent, folder: Path, *words: str) -> list[str]:
    """Begins a search without --name; returns the names of the searches in the folder."""
    with pytest.raises(NotRefused):
        recurrent("search", "adding", *SMALL, *words, cwd=folder)
    return sorted(path.parent.name for path in folder.glob("searches/*/spec.json"))


# ---- the default name ----


def test_the_default_name_is_free_in_a_shared_store(recurrent: Recurrent, tmp_path: Path) -> None:
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    mine.mkdir()
    for name in ("adding-1", "adding-2"):
        write_folder(theirs, name)
        sync(recurrent, theirs, name)
    shared = ("--tracking-uri", f"sqlite:///{theirs}/mlflow.db")
    assert begin(recurrent, mine, *shared) == ["adding-3"]
    assert begin(recurrent, mine, *shared) == ["adding-3", "adding-4"], "free in the folder, too"
    assert begin(recurrent, mine) == ["adding-1", "adding-3", "adding-4"], "another store"


def test_a_default_name_that_another_launcher_takes_first(
    recurrent: Recurrent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = Launch._split

    def taken(launch: Launch, name: str) -> Any:
        SearchFolder(tmp_path / "searches" / "adding-1").path.mkdir(parents=True, exist_ok=True)
        launch.spec.write(SearchFolder(tmp_path / "searches" / "adding-1"))
        return split(launch, name)

    monkeypatch.setattr(Launch, "_split", taken)
    assert begin(recurrent, tmp_path) == ["adding-1", "adding-2"]
    spec = json.loads((tmp_path / "searches" / "adding-2" / "spec.json").read_text("utf-8"))
    assert spec["name"] == "adding-2"


# ---- experiments ----


def write_data(file: Path, classes: bool) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 6, 2)).astype(np.float32)
    y = rng.integers(0, 3, 40) if classes else rng.normal(size=(40, 1)).astype(np.float32)
    file.parent.mkdir(parents=True, exist_ok=True)
    np.savez(file, x=x, y=y)


def experiment(client: MlflowClient, search: str) -> Experiment:
    found = find_search(client, search)
    assert found is not None and spec_of(found)["name"] == search
    return client.get_experiment(found.info.experiment_id)


def leaderboard(found: Experiment) -> tuple[str, bool]:
    """By what the experiment's dashboard sorts."""
    state = json.loads(json.loads(found.tags["mlflow.sharedViewState.recurrent-leaderboard"])["state"])
    return state["orderByKey"], state["orderByAsc"]


def test_two_files_of_one_name_have_two_experiments(recurrent: Recurrent, tmp_path: Path) -> None:
    tmp_path = tmp_path.resolve()
    for folder, classes in (("prices", False), ("gestures", True)):
        file = tmp_path / folder / "data.npz"
        write_data(file, classes)
        for number in (1, 2):
            write_folder(tmp_path, f"{folder}-{number}", str(file))
            sync(recurrent, tmp_path, f"{folder}-{number}")
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    first, second = ([experiment(client, f"{name}-{number}") for number in (1, 2)] for name in ("prices", "gestures"))
    assert [one.name for one in (*first, *second)] == ["data", "data", "data (gestures)", "data (gestures)"]
    assert leaderboard(first[0]) == ("metrics.`reached/mse`", True)
    assert leaderboard(second[0]) == ("metrics.`reached/accuracy`", False)
    assert second[0].artifact_location == (tmp_path / "mlartifacts" / "data (gestures)").as_uri()


def test_one_file_that_is_moved_with_its_store_keeps_its_experiment(recurrent: Recurrent, tmp_path: Path) -> None:
    before, after = tmp_path.resolve() / "before", tmp_path.resolve() / "after"
    write_data(before / "data.npz", True)
    write_folder(before, "one", str(before / "data.npz"))
    sync(recurrent, before, "one")
    before.rename(after)
    recurrent("results", cwd=after)  # says that the store has come here
    write_folder(after, "two", str(after / "data.npz"))
    sync(recurrent, after, "two")
    client = MlflowClient(f"sqlite:///{after}/mlflow.db")
    assert [experiment(client, name).name for name in ("one", "two")] == ["data", "data"]


def test_an_experiment_of_an_earlier_version_is_that_of_its_file(recurrent: Recurrent, old: Path) -> None:
    old = old.resolve()
    write_data(old / "other" / "data.npz", False)
    for name, file in (("same", old / "data.npz"), ("another", old / "other" / "data.npz")):
        write_folder(old, name, str(file))
        sync(recurrent, old, name)
    client = MlflowClient(f"sqlite:///{old}/mlflow.db")
    assert [experiment(client, name).name for name in ("same", "another")] == ["data", "data (other)"]


def test_files_of_one_name_in_folders_of_one_name(recurrent: Recurrent, tmp_path: Path) -> None:
    tmp_path = tmp_path.resolve()
    for number, place in enumerate(("a", "b/a", "c/a")):
        write_data(tmp_path / place / "data.npz", True)
        write_folder(tmp_path, f"s{number}", str(tmp_path / place / "data.npz"))
        sync(recurrent, tmp_path, f"s{number}")
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    assert [experiment(client, f"s{number}").name for number in range(3)] == ["data", "data (a)", "data (2)"]
