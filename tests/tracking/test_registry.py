"""Models in MLflow's registry: the better one on validation has the alias."""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import LoggedModel
from support.searching import Recurrent, Searched
from support.warm import fork

from tracking import registry
from tracking.errors import BadInput
from tracking.registry import Registered, find, register
from tracking.store import connect

PAIRS = 20


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> str:
    uri = f"sqlite:///{tmp_path_factory.mktemp('registry')}/mlflow.db"
    connect(uri, create=True)
    return uri


@pytest.fixture
def store(made: str) -> str:
    """A store without registered models. To make one takes seconds, so the tests share it."""
    client = connect(made)
    for model in client.search_registered_models():
        client.delete_registered_model(model.name)
    return made


def logged(client: MlflowClient, name: str) -> LoggedModel:
    """A model without files."""
    experiment = client.get_experiment_by_name("e")
    number = experiment.experiment_id if experiment else client.create_experiment("e")
    run = client.create_run(number).info.run_id
    return client.finalize_logged_model(client.create_logged_model(number, name, run).model_id, "READY")


def card(score: float, **more: Any) -> dict[str, Any]:
    about = {"search": "s", "architecture": "gru-8", "trial": "0000", "task": "adding", "digest": "d"}
    return {**about, "metric": "mse", "direction": "min", "model_score": score, "test_score": 0.0, **more}


def registered(uri: str, score: float, name: str = "m", force: bool = False, **more: Any) -> Registered:
    client = connect(uri)
    return register(client, logged(client, name), card(score, **more), name, "champion", force)


def holder(uri: str, name: str = "m") -> str:
    """The score of the version that has the alias."""
    return str(connect(uri).get_model_version_by_alias(name, "champion").tags["recurrent.score"])


def test_the_alias_goes_to_the_better_one(store: str) -> None:
    assert registered(store, 0.3).why == ""
    assert registered(store, 0.2) == Registered("m", "2", "champion", "2", "")
    worse = registered(store, 0.25)
    assert (worse.version, worse.holder) == ("3", "2")
    assert worse.why == "its score on validation, 0.25, is not better than 0.2"
    assert holder(store) == "0.2"
    assert registered(store, 0.9, force=True).why == ""
    assert holder(store) == "0.9"


def test_more_is_better_for_an_accuracy(store: str) -> None:
    more = {"metric": "accuracy", "direction": "max"}
    registered(store, 0.3, **more)
    assert registered(store, 0.4, **more).why == ""
    assert registered(store, 0.35, **more).holder == "2"


def test_the_test_split_decides_nothing(store: str) -> None:
    registered(store, 0.2, test_score=0.9)
    assert registered(store, 0.3, test_score=0.0).holder == "1"


def test_finals_are_compared_with_finals(store: str) -> None:
    registered(store, 0.2, final={"validation": [0.30, 0.34]})
    assert registered(store, 0.25, final={"validation": [0.28, 0.30]}).why == "", "0.29 is better than 0.32"
    assert registered(store, 0.24).why == "", "without finals the scores decide"


@pytest.mark.parametrize("other", [{"task": "parity"}, {"digest": "e"}, {"metric": "mae"}])
def test_what_cannot_be_compared_takes_no_alias(store: str, other: dict[str, str]) -> None:
    registered(store, 0.2)
    found = registered(store, 0.1, **other)
    assert found.holder == "1"
    assert found.why.endswith("so the scores cannot be compared; --force gives it the alias")


def test_a_model_is_registered_once(store: str) -> None:
    client = connect(store)
    model = logged(client, "one")
    found = [register(client, model, card(0.2), "m", "champion", False) for _ in range(2)]
    assert found[0] == found[1]
    assert len(client.search_model_versions("name = 'm'")) == 1


def _register(uri: str, score: float, name: str) -> None:
    registered(uri, score, name)


def test_of_two_processes_the_better_one_has_the_alias(store: str) -> None:
    for pair in range(PAIRS):
        scores = (0.1, 0.2) if pair % 2 else (0.2, 0.1)
        processes = [fork(_register, store, score, f"pair{pair}") for score in scores]
        for process in processes:
            process.join()
            assert process.exitcode == 0
        assert holder(store, f"pair{pair}") == "0.1"


def test_of_two_processes_without_a_lock_the_better_one_has_the_alias(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server has no lock: both have made their versions, the better one sets the alias, and then the worse one."""
    monkeypatch.setattr(registry, "_alone", lambda _: nullcontext())
    client = connect(store)
    late, best = logged(client, "late"), logged(client, "best")
    registry._version(client, best, card(0.1), "m")
    found = register(client, late, card(0.2), "m", "champion", False)
    assert (found.version, found.holder) == ("2", "1"), "the better one has made its version, and not yet set the alias"
    assert register(client, best, card(0.1), "m", "champion", False).holder == "1"


def test_a_model_that_has_seen_the_validation_split_is_not_compared(store: str) -> None:
    registered(store, 0.2)
    seen = registered(store, 0.01, final={"validation": [0.3], "data": "train+val"})
    assert seen.holder == "1"
    assert "another training split" in seen.why


@pytest.mark.parametrize(
    ("name", "alias", "said"),
    [
        ("a/b", "champion", "--as: "),
        ("it's", "champion", "--as: "),
        ("m", "latest", "--alias: "),
        ("m", "v1", "--alias"),
    ],
)
def test_names_that_mlflow_refuses(store: str, name: str, alias: str, said: str) -> None:
    client = connect(store)
    with pytest.raises(BadInput, match=said):
        register(client, logged(client, "one"), card(0.2), name, alias, False)
    assert not client.search_registered_models()


def test_a_version_of_somebody_else(store: str) -> None:
    client = connect(store)
    client.create_registered_model("theirs")
    client.create_model_version("theirs", "/tmp/model", logged(client, "one").source_run_id)
    with pytest.raises(BadInput, match="got 'models:/theirs/1', which `recurrent register` has not made"):
        find(client, "models:/theirs/1")


def test_an_unknown_model_is_named(store: str) -> None:
    registered(store, 0.2)
    with pytest.raises(BadInput, match="NAME: expected models:/m@champion, got 'models:/n@champion'"):
        find(connect(store), "models:/n@champion")


def test_the_model_of_a_search(searched: Searched, recurrent: Recurrent, tmp_path: Path) -> None:
    words = ("register", searched.name, "--as", "adders", "--tracking-uri", searched.uri)
    done = recurrent(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        f"adders version 1: {searched.name}\nadders@champion is version 1\n"
        "next: recurrent serve models:/adders@champion\n"
    )
    version = searched.client.get_model_version_by_alias("adders", "champion")
    assert version.tags["recurrent.task"] == "adding"
    assert float(version.tags["recurrent.score"]) > 0
    again = recurrent(*words, cwd=tmp_path)
    assert again.stdout == done.stdout
    gone = recurrent("delete", searched.name, "--yes", "--tracking-uri", searched.uri, cwd=searched.folder)
    assert gone.returncode == 2
    assert "which has adders version 1; --force deletes their files too" in gone.stderr
    to = ("--to", str(tmp_path / "champion"), "--tracking-uri", searched.uri)
    taken = recurrent("export", "models:/adders@champion", *to, cwd=searched.folder)
    assert taken.returncode == 0, taken.stderr
    assert json.loads((tmp_path / "champion" / "model.json").read_text("utf-8"))["run_id"] == version.run_id
