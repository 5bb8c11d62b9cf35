"""The logged model, whatever kills its making: one whole model, its files and nothing else."""

from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import LoggedModelStatus, Run

from tracking.models import download, log_best, logged_model
from tracking.searches import child_tags, open_search
from tracking.store import connect

CALLS = (
    "create_logged_model",
    "log_model_artifacts",
    "finalize_logged_model",
    "get_run",
    "log_outputs",
    "delete_logged_model",
)
VERSIONS = {"keras": "3", "tensorflow": "2", "numpy": "2", "mlflow": "3"}
SHAPES = {"input": {"shape": [None, None, 2], "dtype": "float32"}, "output": {"shape": [None, 1], "dtype": "float32"}}
CARD: dict[str, Any] = {"architecture": "gru-16", "epoch": 3, "versions": VERSIONS, "shapes": SHAPES}


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
        return open_search(self.client, "s", "adding", (self.folder / "files").as_uri(), spec, {})

    def new_runs(self) -> list[str]:
        experiment = self.parent.info.experiment_id
        made = [self.client.create_run(experiment, tags=child_tags(self.parent, name, name)) for name in ("0", "1")]
        return [run.info.run_id for run in made]

    def log(self, run_id: str, client: Any = None) -> None:
        log_best(client or self.client, self.parent, run_id, self.keras, CARD)

    def check(self, run_id: str) -> None:
        """One model, READY, with its files, named by its run; and no file of any other."""
        (model,) = self.client.search_logged_models([self.parent.info.experiment_id])
        assert (model.status, model.source_run_id) == (LoggedModelStatus.READY, run_id)
        assert logged_model(self.client, self.parent).model_id == model.model_id
        files = [path.relative_to(self.folder / "files") for path in self.folder.rglob("files/**/model.keras")]
        assert [path.parts[:2] for path in files] == [("models", model.model_id)]
        assert [path.name for path in (self.folder / "files" / "models").iterdir()] == [model.model_id]
        outputs = self.client.get_run(run_id).outputs.model_outputs
        assert [(output.model_id, output.step) for output in outputs] == [(model.model_id, 3)]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    return Shelf(tmp_path_factory.mktemp("shelf"))


def test_again_changes_nothing(shelf: Shelf) -> None:
    run_id, _ = shelf.new_runs()
    shelf.log(run_id)
    shelf.check(run_id)
    before = logged_model(shelf.client, shelf.parent).model_id
    shelf.log(run_id)
    shelf.check(run_id)
    assert logged_model(shelf.client, shelf.parent).model_id == before


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("call", CALLS)
def test_a_kill_leaves_nothing_that_the_next_time_does_not_mend(shelf: Shelf, call: str, after: bool) -> None:
    """The second trial is better: the model of the first must go."""
    first, second = shelf.new_runs()
    shelf.log(first)
    with pytest.raises(Killed):
        shelf.log(second, Dying(shelf.client, call, after))
    shelf.log(second)
    shelf.check(second)


def test_a_model_of_a_deleted_search_is_not_that_of_a_later_one_of_its_name(tmp_path: Path) -> None:
    """Nor does it go: its own run may be restored."""
    shelf = Shelf(tmp_path)
    first, _ = shelf.new_runs()
    shelf.log(first)
    before = logged_model(shelf.client, shelf.parent)
    shelf.client.delete_run(shelf.parent.info.run_id)
    deleted, shelf.parent = shelf.parent, shelf.open("2")
    assert logged_model(shelf.client, shelf.parent) is None
    _, second = shelf.new_runs()
    shelf.log(second)
    assert logged_model(shelf.client, shelf.parent).source_run_id == second
    assert logged_model(shelf.client, deleted).model_id == before.model_id


def test_a_library_that_is_missing_for_the_files_is_named(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(**words: Any) -> None:
        raise ModuleNotFoundError("No module named 'boto3'")

    monkeypatch.setattr("tracking.models.download_artifacts", fails)
    run_id, _ = shelf.new_runs()
    shelf.log(run_id)
    model = logged_model(shelf.client, shelf.parent)
    with pytest.raises(ValueError, match="got ModuleNotFoundError: No module named 'boto3'$"):
        download(shelf.client, "sqlite:///any.db", model, shelf.folder)
