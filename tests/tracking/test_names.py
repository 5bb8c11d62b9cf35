"""The names that a store holds already."""

from pathlib import Path

import pytest
from mlflow import MlflowClient
from support.searching import Searched

from tracking.names import names
from tracking.searches import find_search


def test_a_store_that_is_not_there(tmp_path: Path) -> None:
    assert names(f"sqlite:///{tmp_path}/mlflow.db") == set()
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("no database" * 100)
    assert names(f"sqlite:///{tmp_path}/mlflow.db") == set()


def test_a_name_of_an_earlier_version_and_a_deleted_one(old: Path) -> None:
    uri = f"sqlite:///{old}/mlflow.db"
    assert names(uri) == {"old"}
    client = MlflowClient(uri)
    parent = find_search(client, "old")
    assert parent is not None
    tags = {"recurrent.kind": "search", "recurrent.search_id": "new", "recurrent.spec_id": "1"}
    new = client.create_run(parent.info.experiment_id, tags=tags)
    assert names(uri) == {"old", "new"}
    client.delete_run(new.info.run_id)
    assert names(uri) == {"old"}


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "https://127.0.0.1:9"])
def test_a_server_that_is_away(url: str) -> None:
    assert names(url) == set()


def test_a_server(served: str, searched: Searched) -> None:
    assert searched.name in names(served)
