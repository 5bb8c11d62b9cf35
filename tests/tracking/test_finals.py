"""Finals in MLflow: hand-written journals in, runs of a real store and a reckoned summary out."""

import json
from typing import Any

import pytest
from support.desk import FLOORS, SESSION, START, Desk, built, end, epoch, executed, failure, start

from tracking.children import all_trials, child_runs, trial_runs
from tracking.deleted import restore
from tracking.deleting import delete_search
from tracking.final_runs import FinalsProjection
from tracking.finals import exported_final
from tracking.renaming import rename_search
from tracking.results import results
from tracking.searches import find_search

PLAN = {"planned": 6, "top": 1, "seeds": 3, "epochs": 2, "lengths": [2]}
GRU = {"architecture": "gru-32", "cell": "gru"}
LSTM = {"architecture": "lstm-16", "cell": "lstm"}


def final(candidate: str, seed: int, val: float, test: float, **changes: Any) -> list[dict[str, Any]]:
    about = {"final": {"candidate": candidate, "seed": seed, "data_seed": 7 + seed}}
    tested = {"test": test, "longer": {"2": 2 * test}}
    ending = [executed(val, 2_000) | tested, end(val, 2_001)]
    return [start(**changes) | about, built(), epoch(0, 2 * val, 1_000), epoch(1, val, 1_900), *ending]


def trial(number: str, score: float, **changes: Any) -> list[dict[str, Any]]:
    return [start(**changes) | {"trial": number}, built(), epoch(0, score, 500), executed(score, 600), end(score, 601)]


def planned(desk: Desk, **changes: Any) -> None:
    desk.client.set_tag(desk.parent.info.run_id, "recurrent.finals_plan", json.dumps(PLAN | changes))


def synced(desk: Desk, *finals: list[dict[str, Any]], over: bool = True) -> FinalsProjection:
    """The finals with the numbers 0, 1, … in the store."""
    place = Desk(desk.client, desk.uri, desk.parent, desk.folder / "finals")
    place.folder.mkdir(exist_ok=True)
    for number, lines in enumerate(finals):
        place.write(f"{number:04d}", *lines)
    projection = FinalsProjection(desk.client, desk.parent, place.folder, "mse", "min", SESSION, FLOORS)
    projection.sync(over)
    return projection


@pytest.fixture
def six(desk: Desk) -> Desk:
    """A search of two trials and its six finals. gru wins on validation, with differences of 0.3, 0.31 and 0.29."""
    desk.write("0000", *trial("0000", 0.2, **LSTM))
    desk.write("0001", *trial("0001", 0.05, **GRU))
    desk.sync(over=True)
    planned(desk)
    gru = [(0.08, 0.10), (0.07, 0.21), (0.09, 0.30)]
    lstm = [(0.5, 0.40), (0.4, 0.52), (0.6, 0.59)]
    pairs = zip(range(3), gru, lstm, strict=True)
    synced(
        desk,
        *(
            final(name, seed, *scores, **about)
            for seed, one, two in pairs
            for name, scores, about in (("0001", one, GRU), ("0000", two, LSTM))
        ),
    )
    return desk


def test_the_summary_is_the_reckoned_one(six: Desk) -> None:
    found = results(six.client, six.refreshed())["finals"]
    assert (found["winner"], found["complete"], found["seeds"]) == ("0001", True, 3)
    gru, lstm = found["candidates"]
    assert (gru["trial"], gru["architecture"], gru["cell"], gru["parameters"]) == ("0001", "gru-32", "gru", 3_500)
    assert (gru["validation"], gru["test"], gru["longer"]) == (
        [0.08, 0.07, 0.09],
        [0.10, 0.21, 0.30],
        {"2": [0.2, 0.42, 0.6]},
    )
    assert gru["mean"] == pytest.approx(0.61 / 3) and gru["worst"] == 0.30 and gru["solved"] is None
    assert gru["sd"] == pytest.approx(0.10017, abs=1e-5)
    assert gru["high"] - gru["mean"] == pytest.approx(4.3027 * 0.10017 / 3**0.5, abs=1e-4)
    assert found["curse"] == pytest.approx(0.05 - 0.08)
    (one,) = found["comparisons"]
    assert (one["winner"], one["other"], one["says"], one["needed"]) == ("0001", "0000", "better", None)
    assert one["difference"] == pytest.approx(0.3)
    assert one["high"] - 0.3 == pytest.approx(4.3027 * 0.01 / 3**0.5, abs=1e-4)
    assert one["p"] == pytest.approx(0.00037, abs=1e-5)  # t = 51.96 with 2 degrees of freedom
    assert one["sentence"] == (
        "gru-32 (trial 0001) is better than lstm-16 (trial 0000) on test: by 0.3 MSE (0.275 to 0.325), p 0.00037"
    )
    assert [six.client.get_run(run).data.tags["recurrent.seed"] for run in gru["run_ids"]] == ["0", "1", "2"]


def test_the_middle_seed_on_validation_is_exported(six: Desk) -> None:
    """gru's validation scores are 0.08, 0.07 and 0.09: seed 0 is the middle one, whatever the test says."""
    found = exported_final(results(six.client, six.refreshed())["finals"], "min")
    assert (found["candidate"], found["seed"], found["of"], found["score"]) == ("0001", 0, 3, 0.08)
    assert found["reason"] == "rank 2 of 3, best first: the middle one"


def test_finals_are_no_trials_and_change_nothing_of_the_search(six: Desk) -> None:
    assert [run.data.tags["recurrent.trial"] for run in all_trials(six.client, six.parent)] == ["0000", "0001"]
    parent = six.refreshed()
    assert parent.data.metrics["best/mse"] == 0.05 and parent.data.metrics["trials/done"] == 2
    assert parent.data.metrics["finals/done"] == 6 and parent.info.status == "RUNNING", "as the search left it"
    (first, *_), *_ = trial_runs(six.client, parent, "final").values()
    assert first.info.run_name == "final of 0001, seed 0: gru-32" and first.info.status == "FINISHED"
    assert first.data.tags["recurrent.candidate"] == "0001" and first.data.tags["recurrent.data_seed"] == "7"
    assert (first.data.metrics["test/mse"], first.data.metrics["test_x2/mse"]) == (0.1, 0.2)


def test_a_second_projection_changes_nothing(six: Desk) -> None:
    before = six.client.get_run(six.parent.info.run_id).data.metrics, len(child_runs(six.client, six.parent))
    synced(six)
    assert (six.refreshed().data.metrics, len(child_runs(six.client, six.parent))) == before


def test_without_a_difference_the_seeds_that_are_needed_are_said(desk: Desk) -> None:
    planned(desk)
    rows = [(0.1, 0.30, 0.31), (0.1, 0.25, 0.28), (0.1, 0.33, 0.30)]
    finals = [
        final(name, seed, val + (name == "0000"), test)
        for seed, (val, gru, lstm) in enumerate(rows)
        for name, test in (("0001", gru), ("0000", lstm))
    ]
    synced(desk, *finals)
    (one,) = results(desk.client, desk.refreshed())["finals"]["comparisons"]
    assert one["says"] == "cannot tell" and one["needed"] > 3
    assert one["sentence"].startswith("these 3 seeds cannot tell gru-32 (trial 0001) and gru-32 (trial 0000) apart: ")
    assert one["sentence"].endswith(f"; about {one['needed']} would")


def test_a_loser_on_validation_may_be_better_on_test(desk: Desk) -> None:
    planned(desk)
    pairs = [(0.5, 0.20), (0.6, 0.31), (0.7, 0.39)]
    finals = [
        final(*one)
        for seed, (gru, lstm) in enumerate(pairs)
        for one in (("0001", seed, 0.1, gru), ("0000", seed, 0.2, lstm))
    ]
    synced(desk, *finals)
    found = results(desk.client, desk.refreshed())["finals"]
    assert found["winner"] == "0001" and found["comparisons"][0]["says"] == "worse"
    assert "(trial 0000) is better than gru-32 (trial 0001) on test: by 0.3 MSE" in found["comparisons"][0]["sentence"]


def test_finals_that_are_not_over_or_failed(desk: Desk) -> None:
    planned(desk, planned=4)
    broken = [*final("0000", 0, 0.01, 0.01)[:2], failure(1_000)]
    synced(desk, final("0001", 0, 0.2, 0.2), broken, final("0001", 1, 0.2, 0.2), final("0000", 1, 0.01, 0.01)[:3])
    found = results(desk.client, desk.refreshed())["finals"]
    assert not found["complete"], "an interrupted one comes again"
    assert [one["trial"] for one in found["candidates"]] == ["0001"] and found["comparisons"] == []
    assert (found["candidates"][0]["sd"], found["candidates"][0]["low"], found["curse"]) == (0.0, 0.2, None)
    synced(
        desk,
        [],
        [],
        [],
        [start(3_000, 2) | {"final": {"candidate": "0000", "seed": 1}}, *final("0000", 1, 0.01, 0.01)[3:]],
    )
    found = results(desk.client, desk.refreshed())["finals"]
    assert found["complete"] and [one["failed"] for one in found["candidates"]] == [0, 1]
    assert found["winner"] == "0001", "the better one has lost a seed"


def test_the_share_of_seeds_that_solve_the_task(six: Desk) -> None:
    six.client.log_metric(six.parent.info.run_id, "solved/mse", 0.25)
    found = results(six.client, six.refreshed())["finals"]["candidates"]
    assert [one["solved"] for one in found] == [pytest.approx(2 / 3), 0]


def test_a_search_without_finals(desk: Desk) -> None:
    assert results(desk.client, desk.refreshed())["finals"] is None
    planned(desk)
    assert results(desk.client, desk.refreshed())["finals"] is None, "none has ended"


def test_finals_are_renamed_deleted_and_restored_with_their_search(six: Desk) -> None:
    name, spec = six.parent.data.tags["recurrent.search_id"], {"id": "1", "digest": "0" * 64}
    rename_search(six.client, six.parent, f"{name}-2")
    parent = find_search(six.client, f"{name}-2")
    assert parent is not None and results(six.client, parent)["finals"]["complete"]
    delete_search(six.client, parent)
    assert child_runs(six.client, parent) == []
    assert restore(six.client, f"{name}-2", spec) == 1 + 2 + 6
    parent = find_search(six.client, f"{name}-2")
    assert parent is not None and results(six.client, parent)["finals"]["winner"] == "0001"


def test_the_time_of_the_first_line_is_the_start(six: Desk) -> None:
    assert {run.info.start_time for run in child_runs(six.client, six.parent)} == {START}
