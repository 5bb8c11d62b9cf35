"""The model of the finals beside that of the best trial: one of each, and neither takes the other away."""

from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import Run
from test_models import CARD, Shelf

from tracking.children import child_tags
from tracking.models import Wanted, final_model, log_final, logged_models, remove_models, rename_models

FINAL: dict[str, Any] = {**CARD, "trial": "0003", "final": {"seed": 2}}


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def final_runs(shelf: Shelf) -> list[str]:
    tags = [child_tags(shelf.parent, name, name, {"kind": "final"}) for name in ("0", "1")]
    made: list[Run] = [shelf.client.create_run(shelf.parent.info.experiment_id, tags=some) for some in tags]
    return [run.info.run_id for run in made]


def test_there_is_one_of_each(shelf: Shelf) -> None:
    trial, other = shelf.new_runs()
    first, second = final_runs(shelf)
    assert final_model(shelf.client, shelf.parent) is None
    for _ in range(2):
        shelf.log(trial)
        log_final(shelf.client, shelf.parent, Wanted(first, shelf.keras, FINAL))
    log_final(shelf.client, shelf.parent, Wanted(second, shelf.keras, FINAL))
    shelf.log(other)
    models = shelf.client.search_logged_models([shelf.parent.info.experiment_id])
    assert {model.source_run_id for model in models} == {other, second}
    best, final = logged_models(shelf.client, shelf.parent), final_model(shelf.client, shelf.parent)
    assert [*best] == [other]
    assert final is not None and final.source_run_id == second and final.tags["recurrent.final"] == "2"


@pytest.fixture
def both(shelf: Shelf) -> Shelf:
    shelf.log(shelf.new_runs()[0])
    log_final(shelf.client, shelf.parent, Wanted(final_runs(shelf)[0], shelf.keras, FINAL))
    return shelf


def test_both_are_renamed_with_the_search(both: Shelf) -> None:
    rename_models(both.client, both.parent, "s2")
    models = both.client.search_logged_models([both.parent.info.experiment_id])
    assert [model.tags["recurrent.search_id"] for model in models] == ["s2", "s2"]


def test_both_are_removed_with_the_search(both: Shelf) -> None:
    remove_models(both.client, both.parent)
    assert len(both.client.search_logged_models([both.parent.info.experiment_id])) == 0
    assert [*both.folder.rglob("files/**/model.keras")] == []
