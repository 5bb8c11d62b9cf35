"""Trials that were trained further, in MLflow: hand-written journals in, runs of a real store and a summary out."""

from typing import Any

import pytest
from support.desk import FLOORS, SESSION, Desk, built, end, epoch, executed, failure, start

from tracking.children import child_runs, trial_runs
from tracking.deleted import restore
from tracking.final_runs import TrainedProjection
from tracking.results import results
from tracking.trained import plan, trained, trained_model

NAME, OTHER = "0001-2-weights", "0001-2-anew"


def training(seed: int, val: float, how: str = "weights") -> list[dict[str, Any]]:
    about = {"candidate": "0001", "seed": seed, "data_seed": 0, "epochs": 2, "start": how}
    begun = start() | {"final": {**about, "training": f"0001-2-{how}"}}
    return [begun, built(), epoch(0, 2 * val, 1_000), epoch(1, val, 1_900), executed(val, 2_000)] + [end(val, 2_001)]


def synced(desk: Desk, name: str, *several: list[dict[str, Any]], seeds: int = 3) -> None:
    place = Desk(desk.client, desk.uri, desk.parent, desk.folder / name)
    place.folder.mkdir(exist_ok=True)
    for number, lines in enumerate(several):
        place.write(f"{number:04d}", *lines)
    plan(desk.client, desk.refreshed(), name, seeds)
    marks = "mse", "min", SESSION, FLOORS
    TrainedProjection(name, desk.client, desk.parent, place.folder, *marks).sync(over=True)


@pytest.fixture
def three(desk: Desk) -> Desk:
    """A training of three seeds, and another one of the same trial."""
    synced(desk, NAME, training(0, 0.08), training(1, 0.07), training(2, 0.09))
    synced(desk, OTHER, training(0, 0.5, "anew"), seeds=2)
    return desk


def test_the_middle_seed_on_validation_is_handed_over(three: Desk) -> None:
    other, found = trained(three.client, three.refreshed())
    assert (found["training"], found["trial"], found["epochs"], found["start"]) == (NAME, "0001", 2, "weights")
    assert (found["seeds"], found["validation"], found["test"]) == ([0, 1, 2], [0.08, 0.07, 0.09], [None] * 3)
    assert found["complete"] and found["score"] == 0.08 and found["run"] == found["run_ids"][0]
    assert found["mean"] == pytest.approx(0.08) and found["best_epochs"] == [2, 2, 2]
    assert trained_model(found, "min")["reason"] == "rank 2 of 3, best first: the middle one"
    assert (other["training"], other["planned"], other["complete"], other["run"]) == (OTHER, 2, False, None)
    assert results(three.client, three.refreshed())["trained"] == [other, found]


def test_the_runs_of_each_training_are_numbered_by_themselves(three: Desk) -> None:
    own = trial_runs(three.client, three.parent, "trained", training=NAME)
    assert [*own] == ["0000", "0001", "0002"] and len(child_runs(three.client, three.parent)) == 4
    assert own["0000"][0].info.run_name == "0001 trained for 2 more epochs, seed 0: gru-32"
    (anew,) = trial_runs(three.client, three.parent, "trained", training=OTHER)["0000"]
    assert anew.info.run_name == "0001 trained for 2 epochs anew, seed 0: gru-32"
    synced(three, NAME)
    assert len(child_runs(three.client, three.parent)) == 4, "a second projection changes nothing"


def test_a_deleted_run_comes_back_beside_one_of_the_same_number(three: Desk) -> None:
    (gone,) = trial_runs(three.client, three.parent, "trained", training=OTHER)["0000"]
    three.client.delete_run(gone.info.run_id)
    name = three.parent.data.tags["recurrent.search_id"]
    assert restore(three.client, name, {"id": "1"}) == 1
    assert three.client.get_run(gone.info.run_id).info.lifecycle_stage == "active"


def test_a_seed_that_fails_is_counted(desk: Desk) -> None:
    lost = [*training(1, 0.1)[:2], failure(2_000)]
    synced(desk, NAME, training(0, 0.08), lost, seeds=2)
    (found,) = trained(desk.client, desk.refreshed())
    assert (found["failed"], found["complete"], found["seeds"]) == (1, True, [0])
    assert trained_model(found, "min")["reason"] == "the only seed"


def test_a_search_without_any_has_none(desk: Desk) -> None:
    assert trained(desk.client, desk.refreshed()) == []
