"""The logged models, whatever kills their making: whole models, their files and nothing else."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import LoggedModelStatus, Metric, Run
from mlflow.models import Model
from mlflow.utils.file_utils import local_file_uri_to_path

from tracking.children import child_tags
from tracking.model_files import download
from tracking.models import Wanted, log_models, logged_models, whole_models
from tracking.searches import open_search
from tracking.store import connect
from tracking.tags import NOTE

CALLS = (
    "create_logged_model",
    "log_batch",
    "log_model_artifacts",
    "finalize_logged_model",
    "get_run",
    "log_outputs",
    "delete_logged_model",
)
VERSIONS = {"keras": "3", "tensorflow": "2", "numpy": "2", "mlflow": "3"}
SHAPES = {"input": {"shape": [None, None, 2], "dtype": "float32"}, "output": {"shape": [None, 1], "dtype": "float32"}}
CARD: dict[str, Any] = {"architecture": "gru-16", "trial": "0000", "parameters": 9, "epoch": 3, "versions": VERSIONS}
CARD |= {"preprocessing": {"input": "float32 (batch, time, 2)"}, "answer": "numbers"}
CARD |= {"shapes": SHAPES, "values": {"cell": "gru", "learning_rate": 1e-5}, "task": "/data/adding.py"}
CARD |= {"metric": "mse", "direction": "min", "floors": {"no_memory": 0.2}, "model_score": 0.01}


class Killed(BaseException):
    """What no code of ours catches."""


class Dying:
    """A client that is killed at one call: before it, or after the store has done it."""

    def __init__(self, client: MlflowClient, name: str, after: bool) -> None:
        self.client, self.name, self.after = client, name, after

    def __getattr__(self, name: str) -> Any:
        real = getattr(self.client, name)

        def dies(*args: Any, **kwargs: Any) -> None:
            if self.after:
                real(*args, **kwargs)
            raise Killed

        return dies if name == self.name else real


class Shelf:
    """A search in a store of its own, and a `.keras` file."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.client = folder, connect(f"sqlite:///{folder}/mlflow.db", create=True)
        self.parent = self.open("1")
        self.keras = folder / "model.keras"
        self.keras.write_bytes(b"weights")

    def open(self, search: str) -> Run:
        spec = {"name": "s", "task": "adding", "options": {}, "digest": "0", "versions": {}, "seed": 0, "id": search}
        spec |= {"metric": "mse", "direction": "min"}
        return open_search(self.client, "s", "adding", (self.folder / "files").as_uri(), spec, {})

    def new_runs(self) -> list[str]:
        experiment = self.parent.info.experiment_id
        made = [self.client.create_run(experiment, tags=child_tags(self.parent, name, name)) for name in ("0", "1")]
        return [run.info.run_id for run in made]

    def log(self, *run_ids: str, client: Any = None) -> None:
        wanted = [Wanted(run_id, self.keras, CARD) for run_id in run_ids]
        log_models(client or self.client, self.parent, wanted)

    def check(self, *run_ids: str) -> None:
        """A model for each run, READY, with its files, named by its run; and no file of any other."""
        models = {
            model.source_run_id: model for model in self.client.search_logged_models([self.parent.info.experiment_id])
        }
        assert models.keys() == set(run_ids)
        assert {model.status for model in models.values()} == {LoggedModelStatus.READY}
        ids = {run_id: model.model_id for run_id, model in models.items()}
        found = logged_models(self.client, self.parent)
        assert {run_id: model.model_id for run_id, model in found.items()} == ids
        assert [model.tags["recurrent.best"] for model in map(found.get, run_ids) if model] == [
            "no" if place else "yes" for place in range(len(run_ids))
        ]
        files = [path.relative_to(self.folder / "files") for path in self.folder.rglob("files/**/model.keras")]
        assert sorted(path.parts[:2] for path in files) == sorted(("models", model_id) for model_id in ids.values())
        assert {path.name for path in (self.folder / "files" / "models").iterdir()} == set(ids.values())
        for run_id, model_id in ids.items():
            outputs = self.client.get_run(run_id).outputs.model_outputs
            assert (outputs[-1].model_id, outputs[-1].step) == (model_id, 3)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    return Shelf(tmp_path_factory.mktemp("shelf"))


def test_again_changes_nothing(shelf: Shelf) -> None:
    run_id, _ = shelf.new_runs()
    shelf.log(run_id)
    shelf.check(run_id)
    before = logged_models(shelf.client, shelf.parent)[run_id].model_id
    shelf.log(run_id)
    shelf.check(run_id)
    assert logged_models(shelf.client, shelf.parent)[run_id].model_id == before
    assert len(shelf.client.get_run(run_id).outputs.model_outputs) == 1


def test_a_model_has_the_values_and_the_metrics_of_its_run(shelf: Shelf) -> None:
    run_id, _ = shelf.new_runs()
    points = {"best/mse": (0.01, 7), "cost/parameters": (9.0, 0), "val_mse": (0.02, 1)}
    metrics = [Metric(name, value, 1_700_000_000_000, step) for name, (value, step) in points.items()]
    shelf.client.log_batch(run_id, metrics)
    shelf.log(run_id)
    model = shelf.client.get_logged_model(logged_models(shelf.client, shelf.parent)[run_id].model_id)
    found = {metric.key: (metric.value, metric.step) for metric in model.metrics or []}
    assert found == {name: points[name] for name in ("best/mse", "cost/parameters")}
    assert model.params == {"architecture": "gru-16", "cell": "gru", "learning_rate": "0.00001"}
    assert model.tags[NOTE] == (
        "**gru-16** of trial 0000, task adding.py. It has MSE 0.01 on validation: learning, above no memory."
        " 9 parameters. Its input is float32 (batch, time, 2); `model.json` says how that is made."
    )
    assert len(shelf.client.get_metric_history(run_id, "best/mse")) == 1, "the run has no second value"


def test_a_model_has_an_input_example(shelf: Shelf) -> None:
    run_id, _ = shelf.new_runs()
    shelf.log(run_id)
    model = logged_models(shelf.client, shelf.parent)[run_id]
    place = local_file_uri_to_path(model.artifact_location)
    loaded = Model.load(place)
    example = loaded.load_input_example(place)
    assert np.shape(example["sequence"][0]) == (20, 2)
    served = json.loads(loaded.get_serving_input(place))
    assert np.shape(served["dataframe_split"]["data"]) == (1, 1, 20, 2)


def test_a_registered_model_stays(shelf: Shelf) -> None:
    first, second = shelf.new_runs()
    shelf.log(first)
    model = logged_models(shelf.client, shelf.parent)[first]
    shelf.client.set_logged_model_tags(model.model_id, {"recurrent.registered": "yes"})
    shelf.log(second)
    kept = whole_models(shelf.client, shelf.parent)
    assert set(kept) == {first, second}
    assert [kept[run].tags["recurrent.best"] for run in (first, second)] == ["no", "yes"]
    shelf.client.delete_logged_model_tag(model.model_id, "recurrent.registered")
    shelf.log(second)
    assert set(whole_models(shelf.client, shelf.parent)) == {second}


def test_some_stay_and_others_go(shelf: Shelf) -> None:
    first, second = shelf.new_runs()
    third, _ = shelf.new_runs()
    shelf.log(first, second)
    shelf.check(first, second)
    before = logged_models(shelf.client, shelf.parent)[second].model_id
    shelf.log(third, second)
    shelf.check(third, second)
    shelf.log(second, third)
    shelf.check(second, third)
    assert logged_models(shelf.client, shelf.parent)[second].model_id == before, "it was not sent again"


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("call", CALLS)
def test_a_kill_leaves_nothing_that_the_next_time_does_not_mend(shelf: Shelf, call: str, after: bool) -> None:
    """The second and the third trial are better: the model of the first must go."""
    first, second = shelf.new_runs()
    third, _ = shelf.new_runs()
    shelf.log(first)
    with pytest.raises(Killed):
        shelf.log(second, third, client=Dying(shelf.client, call, after))
    shelf.log(second, third)
    shelf.check(second, third)


def test_a_model_of_a_deleted_search_is_not_that_of_a_later_one_of_its_name(tmp_path: Path) -> None:
    """Nor does it go: its own run may be restored."""
    shelf = Shelf(tmp_path)
    first, _ = shelf.new_runs()
    shelf.log(first)
    before = logged_models(shelf.client, shelf.parent)
    shelf.client.delete_run(shelf.parent.info.run_id)
    deleted, shelf.parent = shelf.parent, shelf.open("2")
    assert logged_models(shelf.client, shelf.parent) == {}
    _, second = shelf.new_runs()
    shelf.log(second)
    assert list(logged_models(shelf.client, shelf.parent)) == [second]
    assert logged_models(shelf.client, deleted)[first].model_id == before[first].model_id


def test_a_library_that_is_missing_for_the_files_is_named(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(**words: Any) -> None:
        raise ModuleNotFoundError("No module named 'boto3'")

    monkeypatch.setattr("tracking.model_files.download_artifacts", fails)
    run_id, _ = shelf.new_runs()
    shelf.log(run_id)
    model = logged_models(shelf.client, shelf.parent)[run_id]
    with pytest.raises(ValueError, match="got ModuleNotFoundError: No module named 'boto3'$"):
        download(shelf.client, "sqlite:///any.db", model, shelf.folder)
