"""The code of a task among the artifacts of its search: it goes where the store lies now, and nowhere else."""

import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from tracking import root
from tracking.code import download_code, log_code
from tracking.store import artifacts, connect

CODE = {"my_task.py": "SIZE = 7\n", "parts/one.py": ""}


def opened(folder: Path, place: str | None = None) -> tuple[MlflowClient, Run]:
    """A store in a new folder, with a run whose files are at `place`."""
    folder.mkdir()
    uri = f"sqlite:///{folder}/mlflow.db"
    client = connect(uri, create=True)
    return client, client.create_run(client.create_experiment("adding", place or artifacts(uri, "adding")))


@pytest.fixture
def code(tmp_path: Path) -> Path:
    for name, text in CODE.items():
        (tmp_path / "task" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "task" / name).write_text(text)
    return tmp_path / "task"


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.py"))


def test_code_is_logged_where_a_held_store_has_come_to(
    tmp_path: Path, code: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its paths cannot be changed while another process holds it. They were taken as they are."""
    orig, there = tmp_path.resolve() / "orig", tmp_path.resolve() / "there"
    opened(orig)
    shutil.copytree(orig, there)
    monkeypatch.setattr(root, "_held", lambda file: True)
    client = connect(f"sqlite:///{there}/mlflow.db")
    (run,) = client.search_runs(["1"])
    assert run.info.artifact_uri.startswith(orig.as_uri())
    log_code(client, run, code, CODE)
    assert files(orig) == []
    (place,) = there.glob("mlartifacts/**/task")
    assert files(place) == sorted(CODE)
    shutil.rmtree(orig)
    to = tmp_path / "to"
    to.mkdir()
    assert files(download_code(client, run, CODE, to)) == sorted(CODE)


def test_no_code_is_logged_outside_of_the_store(tmp_path: Path, code: Path) -> None:
    elsewhere = tmp_path.resolve() / "elsewhere"
    client, run = opened(tmp_path.resolve() / "here", elsewhere.as_uri())
    log_code(client, run, code, CODE)
    assert not elsewhere.exists()
