"""`--record best:N`: which curves a real SQLite store gets while trials end, after kills, and after another choice."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from support.desk import CALLS, FLOORS, SESSION, Desk, Flaky, again, built, end, epoch, executed, new_desk, start

from tracking.results import results
from tracking.runs import Projection

EPOCHS = 3
CURVE = {"lags": [0, 1, 99], "log10_gain": [0.0, -0.1, -9.0]}
HORIZON = {"lag": 49, "trained": {"summary": {"rate": -0.1}, "curve": CURVE}}


def projection(desk: Desk, record: str, session: str = SESSION, client: Any = None) -> Projection:
    trials = client or desk.client, desk.parent, desk.folder
    return Projection(*trials, "mse", desk.direction, session, FLOORS, desk.solved, record)


def lines(score: float, at: int, cell: str = "gru", spread: float | None = None) -> list[dict[str, Any]]:
    """A trial that takes four seconds and has completed."""
    epochs = [epoch(number, score * (EPOCHS - number), at + 1_000 * (1 + number)) for number in range(EPOCHS)]
    ended = end(score, at + 4_000, spread, epoch=EPOCHS - 1) | {"horizon": HORIZON}
    return [start(at, cell=cell), built(at + 100), *epochs, executed(score, at + 3_900), ended]


def write(desk: Desk, *scores: float, first: int = 0, cell: str = "gru") -> None:
    for number, score in enumerate(scores, first):
        desk.write(f"{number:04d}", *lines(score, 10_000 * number, cell))


def kept(desk: Desk) -> dict[str, tuple[str, int]]:
    """By trial the tag, and how many points its curve of scores has."""
    return {
        run.data.tags["recurrent.trial"]: (
            run.data.tags.get("recurrent.curves", ""),
            len(desk.curve(run, "val_mse")),
        )
        for run in desk.trials()
    }


def points(desk: Desk) -> list[Any]:
    """What the database holds of the metrics of trials."""
    return [row for row in desk.rows()["metrics"] if row[0] != "search"]


WHOLE, SHORT = ("all", EPOCHS), ("last", 1)


def test_curves_are_those_of_the_best_trials(desk: Desk) -> None:
    write(desk, 0.5, 0.2, 0.4, 0.3, 0.6)
    projection(desk, "best:2").sync(over=True)
    assert kept(desk) == {"0000": SHORT, "0001": WHOLE, "0002": SHORT, "0003": WHOLE, "0004": SHORT}


def test_the_best_trial_of_each_cell_has_its_curves(desk: Desk) -> None:
    write(desk, 0.1, 0.2)
    write(desk, 0.9, 0.8, first=2, cell="lstm")
    projection(desk, "best:1").sync(over=True)
    assert kept(desk) == {"0000": WHOLE, "0001": SHORT, "0002": SHORT, "0003": WHOLE}


def test_a_trial_without_curves_has_its_summary(desk: Desk, client: MlflowClient) -> None:
    """Everything but the earlier points is as with all curves."""
    other = new_desk(client, desk.uri, desk.folder.parent / "other", f"{desk.folder.name}-other")
    for each, record in ((desk, "best:1"), (other, "all")):
        write(each, 0.2, 0.3)
        projection(each, record).sync(over=True)
    short, whole = desk.trials()[1], other.trials()[1]
    lags = {"horizon/log10_gain"}
    assert short.data.metrics == {name: value for name, value in whole.data.metrics.items() if name not in lags}
    assert short.data.params == whole.data.params
    own = ("recurrent.search_id", "mlflow.parentRunId", "recurrent.curves")
    for run in (short, whole):
        for name in own:
            run.data.tags.pop(name, None)
    assert short.data.tags == whole.data.tags
    assert (short.info.status, short.info.end_time) == (whole.info.status, whole.info.end_time)
    (_, last) = results(client, desk.refreshed())["trials"]
    assert (last["score"], last["reached"], last["epochs"], last["recorded"]) == (0.3, 0.3, EPOCHS, "last")
    assert results(client, other.refreshed())["trials"][1]["recorded"] == "all"


def test_the_curves_of_a_best_trial_are_those_of_record_all(desk: Desk, client: MlflowClient) -> None:
    other = new_desk(client, desk.uri, desk.folder.parent / "other", f"{desk.folder.name}-other")
    for each, record in ((desk, "best:1"), (other, "all")):
        write(each, 0.2)
        projection(each, record).sync(over=True)
    assert points(desk) == points(other)


def test_a_running_trial_has_no_curve_until_it_has_ended(desk: Desk) -> None:
    told = projection(desk, "best:1")
    whole = lines(0.2, 0)
    desk.write("0000", *whole[:3])
    told.sync()
    (run,) = desk.trials()
    assert (run.info.status, run.data.tags["recurrent.curves"]) == ("RUNNING", "last")
    assert desk.curve(run, "val_mse") == [] and run.data.params["width"] == "32"
    desk.write("0000", *whole[3:])
    told.sync()
    assert kept(desk) == {"0000": WHOLE}


def test_a_trial_that_was_the_best_when_it_ended_keeps_its_curves(desk: Desk) -> None:
    """MLflow takes back no value. A store that gets all trials at once gets the best one alone."""
    told = projection(desk, "best:1")
    for number, score in enumerate((0.5, 0.7, 0.3)):
        write(desk, score, first=number)
        told.sync()
    told.sync(over=True)
    assert kept(desk) == {"0000": WHOLE, "0001": SHORT, "0002": WHOLE}


def test_an_interrupted_trial_has_its_last_values_and_goes_on(desk: Desk) -> None:
    whole = lines(0.2, 0)
    desk.write("0000", *whole[:4])
    projection(desk, "best:1").sync(over=True)
    (run,) = desk.trials()
    assert (run.info.status, desk.curve(run, "val_mse")) == ("KILLED", [(2_000, 1, 0.4)])
    desk.write("0000", start(9_000, attempt=2, session="launcher-2"), *whole[4:])
    projection(desk, "best:1", "launcher-2").sync(over=True)
    assert kept(desk) == {"0000": WHOLE}


@pytest.mark.parametrize(("before", "after"), [("best:1", "all"), ("best:1", "best:3")])
def test_another_choice_sends_what_is_lacking(desk: Desk, before: str, after: str) -> None:
    write(desk, 0.5, 0.2, 0.4)
    desk.write("0003", *lines(0.3, 30_000)[:4], end(0.9, 40_000) | {"outcome": "pruned", "score": None})
    projection(desk, before).sync(over=True)
    assert kept(desk) == {"0000": SHORT, "0001": WHOLE, "0002": SHORT, "0003": SHORT}
    projection(desk, after, "launcher-2").sync(over=True)
    pruned = ("all", 2) if after == "all" else SHORT
    assert kept(desk) == {"0000": WHOLE, "0001": WHOLE, "0002": WHOLE, "0003": pruned}
    rows = desk.rows()
    projection(desk, after, "launcher-3").sync(over=True)
    assert desk.rows() == rows, "a second call changes nothing"


def test_fewer_curves_take_none_away(desk: Desk) -> None:
    write(desk, 0.5, 0.2)
    projection(desk, "all").sync(over=True)
    rows = desk.rows()
    projection(desk, "best:1", "launcher-2").sync(over=True)
    assert desk.rows() == rows
    assert kept(desk) == {"0000": ("", EPOCHS), "0001": ("", EPOCHS)}


def test_the_winner_of_a_tie_gets_its_curves_at_the_end(desk: Desk) -> None:
    """Trial 1 is smaller, and within the spread of trial 0, whose score is better."""
    desk.write("0000", *lines(0.30, 0, spread=0.02))
    small = lines(0.31, 10_000)
    small[1]["parameters"] = 10
    desk.write("0001", *small)
    told = projection(desk, "best:1")
    told.sync()
    assert kept(desk) == {"0000": WHOLE, "0001": SHORT}
    told.sync(over=True)
    assert kept(desk) == {"0000": WHOLE, "0001": WHOLE}


def test_a_run_that_was_deleted_is_named_and_costs_no_other_trial(desk: Desk) -> None:
    write(desk, 0.5, 0.4)
    projection(desk, "best:1").sync(over=True)
    told = projection(desk, "all", "launcher-2")
    desk.client.delete_run(desk.trials()[0].info.run_id)
    told.sync(over=True)
    assert [line.split(" is")[0] for line in told.dropped] == ["trial 0000"]
    assert kept(desk) == {"0001": WHOLE}


def play(desk: Desk, client: Any, kills: Callable[[], bool]) -> None:
    """Trials that end one after another, and a launcher that may be another one after each."""
    told = projection(desk, "best:1", client=client)
    for number, score in enumerate((0.5, 0.2, 0.4)):
        whole = lines(score, 10_000 * number)
        for part in (whole[:3], whole[3:]):
            desk.write(f"{number:04d}", *part)
            again(told.sync)
            told = projection(desk, "best:1", client=client) if kills() else told
    again(lambda: told.sync(over=True))


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("call", [*CALLS[:3], "set_tag"])
def test_a_failure_of_the_store_loses_and_doubles_no_curve(
    desk: Desk, client: MlflowClient, call: str, after: bool
) -> None:
    play(desk, client, lambda: False)
    expected = points(desk)
    number, calls = 0, 1
    while number < calls:
        number += 1
        other = new_desk(client, desk.uri, desk.folder.parent / f"{number}", f"{desk.folder.name}-{number}")
        flaky = Flaky(client, (call,), number, after)
        play(other, flaky, lambda: False)
        calls = flaky.calls
        assert points(other) == expected
        assert len(other.trials()) == 3
        assert kept(other) == kept(desk)
    assert number > 2


def test_kills_lose_and_double_no_curve(desk: Desk, client: MlflowClient) -> None:
    """A launcher that begins anew chooses among all trials that have ended, so it never sends more."""
    play(desk, client, lambda: False)
    rng = random.Random(0)
    other = new_desk(client, desk.uri, desk.folder.parent / "killed", f"{desk.folder.name}-killed")
    play(other, client, lambda: rng.random() < 0.5)
    assert points(other) == points(desk)


def test_a_store_that_breaks_off_within_a_curve_gets_the_rest(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow takes a thousand values at once. The tag must not say more than there is."""
    write(desk, 0.2)
    told = projection(desk, "best:1")
    real = desk.client.log_batch

    def broken(run_id: str, metrics: Any = (), params: Any = (), tags: Any = ()) -> None:
        if any(metric.key == "val_mse" and metric.step == 0 for metric in metrics):
            real(run_id, metrics[:1])
            raise MlflowException("the store is away")
        real(run_id, metrics, params, tags)

    with monkeypatch.context() as patch:
        patch.setattr(told.client, "log_batch", broken)
        with pytest.raises(MlflowException):
            told.sync(over=True)
    assert kept(desk)["0000"][0] == "last"
    projection(desk, "best:1", "launcher-2").sync(over=True)
    assert kept(desk) == {"0000": WHOLE}
