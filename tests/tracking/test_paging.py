"""A store that holds more than MLflow shows at once."""

import json
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run, RunData, RunInfo
from mlflow.store.entities.paged_list import PagedList
from support.crowds import MANY, add_experiments, add_models, add_searches
from support.searching import Recurrent

from tracking.models import logged_models
from tracking.paging import each_run
from tracking.searches import find_search


def runs_of(folder: Path, name: str) -> int:
    """How many runs have this name."""
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    (experiment,) = client.search_experiments(filter_string="name = 'data'")
    return len(client.search_runs([experiment.experiment_id], f"attributes.run_name = '{name}'"))


def test_a_search_with_many_younger_experiments(recurrent: Recurrent, old: Path) -> None:
    add_experiments(old / "mlflow.db", "data")
    done = recurrent("results", "old", cwd=old)
    assert (done.returncode, done.stderr) == (0, "")
    for _ in range(2):
        done = recurrent("sync", "old", cwd=old)
        assert (done.returncode, done.stderr) == (0, "")
        assert runs_of(old, "old") == 1, "no second run is made"
    done = recurrent("doctor", "--json", cwd=old)
    (tracking,) = (one for one in json.loads(done.stdout) if one["what"] == "tracking")
    assert f"answers, {MANY + 2} experiments" in tracking["found"], "MLflow's default one is there, too"


def test_many_younger_searches(recurrent: Recurrent, old: Path) -> None:
    parent = find_search(MlflowClient(f"sqlite:///{old}/mlflow.db"), "old")
    assert parent is not None
    add_searches(old / "mlflow.db", parent.info.run_id, ("search_id",))
    done = recurrent("results", "--json", cwd=old)
    assert (done.returncode, done.stderr) == (0, "")
    listed = [one["search"] for one in json.loads(done.stdout)]
    assert (len(listed), listed[-1]) == (MANY + 1, "old"), "the oldest one comes last"
    done = recurrent("results", "old", cwd=old)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_model_with_many_younger_ones_of_other_searches_of_its_name(old: Path) -> None:
    client = MlflowClient(f"sqlite:///{old}/mlflow.db")
    parent = find_search(client, "old")
    assert parent is not None
    (model,) = logged_models(client, parent).values()
    add_models(old / "mlflow.db", model.model_id, "spec_id", "another")
    (found,) = logged_models(client, parent).values()
    assert found.model_id == model.model_id


class Many:
    """A client of a store with some runs. A page that is too large is answered too late."""

    def __init__(self, uri: str, count: int, most: int) -> None:
        self.tracking_uri, self.most = uri, most
        self.runs = [
            Run(RunInfo(f"{n}", "1", "us", "FINISHED", n, n, "active"), RunData([], [], [])) for n in range(count)
        ]
        self.pages = 0

    def search_runs(self, *_: Any, max_results: int, page_token: str = "", **__: Any) -> PagedList:
        assert max_results <= self.most, "no answer"
        self.pages += 1
        begin = int(page_token or 0)
        end = begin + max_results
        return PagedList(self.runs[begin:end], str(end) if end < len(self.runs) else "")


@pytest.mark.parametrize(("uri", "most"), [("sqlite:///mlflow.db", 1_000), ("http://localhost:5000", 100)])
def test_runs_come_in_pages_that_a_store_answers_in_time(uri: str, most: int) -> None:
    many = Many(uri, 2_500, most)
    found = each_run(many, ["1"], "a filter", "another one")  # type: ignore[arg-type]
    first = next(found)
    assert (first.info.run_id, many.pages) == ("0", 1), "the next page is asked for when it is needed"
    assert [run.info.run_id for run in (first, *found)] == [f"{number}" for number in range(2_500)], "each once"
