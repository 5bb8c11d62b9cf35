"""The plan of finals: what a call asks for, what later calls may change, and which seeds the finals have."""

from pathlib import Path
from typing import Any

import pytest

from experiments.config.finals import Final, Plan, final_seed, plan
from experiments.config.folders import SearchFolder
from tracking.errors import BadInput, SearchStateError

VALUES: dict[str, dict[str, Any]] = {"0003": {"cell": "gru"}, "0001": {"cell": "lstm"}}


def test_a_seed_of_all_candidates_comes_before_the_next_seed() -> None:
    made = plan(None, VALUES, 10, {"seeds": 2})
    assert [(final.candidate, final.seed) for final in made.finals] == [
        ("0003", 0),
        ("0001", 0),
        ("0003", 1),
        ("0001", 1),
    ]
    assert (made.top, made.epochs, made.lengths) == (1, 10, [])


def test_later_calls_add_seeds_and_candidates_and_no_final_gets_another_number() -> None:
    first = plan(None, VALUES, 10, {"seeds": 2, "lengths": [2]})
    assert plan(first, VALUES, 10, {}) == first
    more = plan(first, {**VALUES, "0007": {"cell": "gru"}}, 10, {"top": 2, "seeds": 3})
    assert more.finals[:4] == first.finals and more.values["0003"] == VALUES["0003"]
    added = {Final("0007", 0), Final("0007", 1), *(Final(name, 2) for name in ("0003", "0001", "0007"))}
    assert set(more.finals[4:]) == added and len(more.finals) == 9
    assert (more.top, more.seeds, more.epochs, more.lengths) == (2, 3, 10, [2])


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"epochs": 5}, "--epochs: expected 10, as an earlier call had, got 5"),
        ({"lengths": [2, 4]}, "--lengths: expected none, as an earlier call had, got 2,4"),
        ({"seeds": 3}, "--seeds: expected 5 or more, as an earlier call had, got 3"),
    ],
)
def test_what_does_not_fit_is_refused(wanted: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=f"^{message}$"):
        plan(plan(None, VALUES, 10, {}), VALUES, 10, wanted)


def test_a_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    folder = SearchFolder(tmp_path)
    assert Plan.read(folder) is None
    made = plan(None, VALUES, 10, {"lengths": [2]})
    made.write(folder)
    assert Plan.read(folder) == made
    folder.plan.write_text('{"top": 1}')
    with pytest.raises(SearchStateError, match=r"plan\.json: expected the plan of finals, got a damaged file"):
        Plan.read(folder)


def test_every_seed_is_another_one() -> None:
    found = {final_seed(seed, index) for seed in range(10) for index in range(10)}
    assert len(found) == 100 and final_seed(0, 0) == final_seed(0, 0)
