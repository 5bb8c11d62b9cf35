"""The projection: hand-written journals in, runs of a real SQLite store out, as often as it is called."""

import json
import math
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient
from support.desk import (
    CALLS,
    COMPLETED,
    FLOORS,
    SESSION,
    START,
    Desk,
    Flaky,
    again,
    built,
    end,
    epoch,
    executed,
    failure,
    new_desk,
    parameters,
    start,
)

from tracking.children import all_trials
from tracking.journal import now
from tracking.results import results
from tracking.runs import Projection
from tracking.searches import find_search
from tracking.standing import standing
from tracking.tags import NOTE

# ---- what a trial becomes ----


def test_a_completed_trial(desk: Desk) -> None:
    desk.write("0000", *COMPLETED)
    (run,) = desk.sync()
    assert (run.info.status, run.info.start_time, run.info.end_time) == ("FINISHED", START, START + 2_002)
    assert run.info.run_name == "0000 gru-32"
    assert run.data.params == {name: str(value) for name, value in parameters().items()}
    assert desk.curve(run, "loss") == [(1_000, 0, 0.6), (2_000, 1, 0.4)]
    assert desk.curve(run, "val_mse") == [(1_000, 0, 0.3), (2_000, 1, 0.2)]
    expected = {"best/mse": 0.2, "best/model_score": 0.2, "best/epoch": 1, "cost/seconds": 2.002}
    expected |= {"best/execution": 0, "executions/mse": 0.2, "reached/mse": 0.2, "reached/epochs": 2}
    expected |= {f"floor/{name}": value for name, value in FLOORS.items()}
    expected |= {"cost/parameters": 3_500, "hp/width": 32, "hp/depth": 1, "hp/dropout": 0, "hp/learning_rate": 0.001}
    expected |= {"hp/log10_learning_rate": pytest.approx(-3), "loss": 0.4, "val_mse": 0.2}
    assert run.data.metrics == expected
    tags = {key: value for key, value in run.data.tags.items() if key not in ("mlflow.runName", NOTE)}
    values = {"cell": "gru", "depth": "1", "width": "32", "learning_rate": "0.001", "dropout": "0"}
    assert tags == {
        **{f"recurrent.value.{name}": text for name, text in values.items()},
        "recurrent.kind": "trial",
        "recurrent.search_id": desk.parent.data.tags["recurrent.search_id"],
        "recurrent.spec_id": "1",
        "recurrent.trial": "0000",
        "mlflow.parentRunId": desk.parent.info.run_id,
        "recurrent.outcome": "completed",
        "recurrent.verdict": "no better than no memory",
        "recurrent.attempts": "1",
        "recurrent.session": SESSION,
        "recurrent.worker": "0",
        "recurrent.kernel": "loop",
        "recurrent.kernel_reason": "no GPU",
        "recurrent.steps_per_execution": "16",
    }
    assert find_search(desk.client, desk.parent.data.tags["recurrent.search_id"]).info.run_id == desk.parent.info.run_id


def test_costs_and_horizons(desk: Desk) -> None:
    curve = {"lags": [0, 1, 299], "log10_gain": [0.0, -0.1, -30.0]}
    sees = {"lag": 49, "init": {"summary": {"rate": -0.3}, "curve": curve}}
    sees["trained"] = {"summary": {"rate": -0.1}, "curve": {"lags": [0, 299], "log10_gain": [0.0, -12.0]}}
    costs = {"flops_per_token": 8_705.5, "flops_per_step": 1e8}
    desk.write("0000", start(), built() | costs, end(0.2, 2_000) | {"ms_per_step": 2.5, "horizon": sees})
    for _ in range(2):
        (run,) = desk.sync()
        assert {name: value for name, value in run.data.metrics.items() if name.startswith(("horizon/", "cost/"))} == {
            **{f"cost/{name}": value for name, value in costs.items()},
            **{"cost/parameters": 3_500, "cost/seconds": 2.0, "cost/ms_per_step": 2.5, "horizon/task_lag": 49},
            **{"horizon/rate": -0.1, "horizon/init_rate": -0.3},
            **{"horizon/log10_gain": -12.0, "horizon/init_log10_gain": -30.0},
        }
        assert desk.curve(run, "horizon/log10_gain") == [(2_000, 0, 0.0), (2_000, 299, -12.0)]
        assert desk.curve(run, "horizon/init_log10_gain") == [(2_000, 0, 0.0), (2_000, 1, -0.1), (2_000, 299, -30.0)]


def test_a_running_trial(desk: Desk) -> None:
    desk.write("0000", *COMPLETED[:3])
    (run,) = desk.sync()
    assert (run.info.status, run.info.end_time) == ("RUNNING", None)
    assert "recurrent.outcome" not in run.data.tags
    assert desk.curve(run, "val_mse") == [(1_000, 0, 0.3)]
    assert "best/mse" not in run.data.metrics


def test_a_failed_trial_has_its_reason(desk: Desk) -> None:
    desk.write("0000", *COMPLETED[:3], failure(1_500))
    (run,) = desk.sync()
    assert (run.info.status, run.info.end_time) == ("FAILED", START + 1_500)
    assert run.data.tags["recurrent.outcome"] == "failed"
    assert run.data.tags["recurrent.reason"] == "diverged in epoch 1: loss is nan"
    assert run.data.tags["recurrent.error"] == "Traceback …\ndiverged in epoch 1: loss is nan"
    assert not [name for name in run.data.metrics if name.startswith("best/")]
    assert desk.curve(run, "val_mse") == [(1_000, 0, 0.3)]
    assert "best/mse" not in desk.refreshed().data.metrics


def test_a_trial_that_failed_before_it_was_built(desk: Desk) -> None:
    desk.write("0000", start(), failure(50, "MemoryError"))
    (run,) = desk.sync()
    assert (run.info.status, run.data.tags["recurrent.reason"]) == ("FAILED", "MemoryError")
    assert set(run.data.params) == set(parameters())


def test_executions_have_names_of_their_own(desk: Desk) -> None:
    lines = [start(), built(), epoch(0, 0.3, 1_000), epoch(1, 0.2, 2_000), executed(0.2, 2_001)]
    lines += [built(2_100), epoch(0, 0.5, 3_000, 1), epoch(1, 0.4, 4_000, 1), executed(0.4, 4_001, 1)]
    desk.write("0000", *lines, {**end(0.3, 4_002, spread=0.1414), "model_score": 0.2})
    (run,) = desk.sync()
    assert desk.curve(run, "val_mse") == [(1_000, 0, 0.3), (2_000, 1, 0.2)]
    assert desk.curve(run, "exec1/val_mse") == [(3_000, 0, 0.5), (4_000, 1, 0.4)]
    assert desk.curve(run, "exec1/loss") == [(3_000, 0, 1.0), (4_000, 1, 0.8)]
    assert not [name for name in run.data.metrics if name.startswith("exec0")]
    metrics = run.data.metrics
    assert (metrics["best/mse"], metrics["best/mse_sd"], metrics["best/model_score"]) == (0.3, 0.1414, 0.2)
    assert len(desk.curve(run, "cost/parameters")) == 1
    assert desk.curve(run, "executions/mse") == [(2_001, 0, 0.2), (4_001, 1, 0.4)]
    assert metrics["best/execution"] == 0


def test_results_have_every_executions_score(desk: Desk) -> None:
    lines = [start(), built(), executed(0.4, 2_001), executed(0.2, 4_001, 1), executed(0.3, 6_001, 2)]
    desk.write("0000", *lines, {**end(0.3, 6_002, spread=0.1), "execution": 2})
    desk.write("0001", start(), built(), failure(50))
    desk.sync()
    parent = desk.refreshed()
    spec = {**json.loads(parent.data.tags["recurrent.spec.0"]), "executions": 3}
    desk.client.set_tag(parent.info.run_id, "recurrent.spec.0", json.dumps(spec))
    shown = results(desk.client, desk.refreshed())["trials"]
    assert [trial["executions"] for trial in shown] == [[0.4, 0.2, 0.3], []]
    assert [trial["execution"] for trial in shown] == [2, None]


def test_names_that_mlflow_refuses_cost_no_trial(desk: Desk) -> None:
    """A task names what it measures of sampled lines when the trial has ended."""
    name = "gru-32 " * 50
    shares = {"samples": {"rhymes (end)": 0.5, "x" * 300: 0.25}}
    desk.write("0000", start(architecture=name), built(), executed(0.2, 2_001), {**end(0.2, 2_002), **shares})
    (run,) = desk.sync()
    assert run.info.run_name == f"0000 {name}"[:250]
    found = {key: value for key, value in run.data.metrics.items() if key.startswith("samples/")}
    assert found == {"samples/rhymes _end_": 0.5, f"samples/{'x' * 200}": 0.25}


def test_a_single_execution_has_no_spread(desk: Desk) -> None:
    desk.write("0000", *COMPLETED)
    (run,) = desk.sync()
    assert "best/mse_sd" not in run.data.metrics


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e-05, "0.00001"),
        (1.25e-05, "0.0000125"),
        (0.001, "0.001"),
        (0.0004791, "0.0004791"),
        (1.0, "1"),
        (3e-07, "0.0000003"),
        (1e-13, "0.0000000000001"),
        (1e30, "1" + 30 * "0"),
        (1.2345678912345e-05, "0.000012345678912345"),
    ],
)
def test_learning_rates_are_plain_decimals(desk: Desk, value: float, text: str) -> None:
    desk.write("0000", start(learning_rate=value), built())
    (run,) = desk.sync()
    assert run.data.params["learning_rate"] == text
    assert float(run.data.params["learning_rate"]) == run.data.metrics["hp/learning_rate"] == value


def test_log10_of_a_learning_rate(desk: Desk) -> None:
    desk.write("0000", start(learning_rate=0.0025))
    (run,) = desk.sync()
    assert run.data.metrics["hp/log10_learning_rate"] == pytest.approx(math.log10(0.0025))


def test_numbers_can_be_sorted(desk: Desk) -> None:
    for number, width in enumerate((128, 16, 64, 8)):
        desk.write(f"{number:04d}", start(width=width, architecture=f"gru-{width}"))
    desk.sync()
    name = desk.parent.data.tags["recurrent.search_id"]
    text = f"tags.`recurrent.search_id` = '{name}' and tags.`recurrent.kind` = 'trial'"
    runs = desk.client.search_runs([desk.parent.info.experiment_id], text, order_by=["metrics.`hp/width` ASC"])
    assert [run.data.params["width"] for run in runs] == ["8", "16", "64", "128"]


def test_words_are_parameters_alone(desk: Desk) -> None:
    desk.write("0000", start(cell_1="gru", cell_2="none", width_2=0))
    (run,) = desk.sync()
    assert (run.data.params["cell_2"], run.data.params["width_2"]) == ("none", "0")
    assert run.data.metrics["hp/width_2"] == 0
    assert not [name for name in run.data.metrics if "cell" in name or "architecture" in name]


# ---- interrupted, and begun again ----


def test_what_has_not_ended_when_all_is_over_was_interrupted(desk: Desk) -> None:
    desk.write("0000", *COMPLETED)
    desk.write("0001", *COMPLETED[:3])
    desk.sync()
    first, second = desk.sync(over=True)
    assert (first.info.status, first.data.tags["recurrent.outcome"]) == ("FINISHED", "completed")
    assert (second.info.status, second.data.tags["recurrent.outcome"]) == ("KILLED", "interrupted")
    assert second.info.end_time == START + 1_000, "its last sign of life"
    assert desk.curve(second, "val_mse") == [(1_000, 0, 0.3)]


def test_an_interrupted_trial_is_reopened_by_the_launcher_that_goes_on_with_it(desk: Desk) -> None:
    desk.write("0000", *COMPLETED[:3])
    desk.sync(over=True)
    (run,) = desk.sync("launcher-2")
    assert (run.info.status, run.data.tags["recurrent.outcome"]) == ("KILLED", "interrupted"), "nobody is at it yet"
    desk.write("0000", start(9_000, attempt=2, session="launcher-2"), built(9_100))
    projection = desk.projection("launcher-2")
    projection.sync()
    (run,) = desk.trials()
    assert (run.info.status, run.data.tags["recurrent.attempts"]) == ("RUNNING", "2")
    assert "recurrent.outcome" not in run.data.tags
    desk.write("0000", epoch(1, 0.2, 10_000), executed(0.2, 10_001), end(0.2, 10_002))
    projection.sync()
    (run,) = desk.trials()
    assert (run.info.status, run.data.tags["recurrent.outcome"]) == ("FINISHED", "completed")
    assert (run.info.start_time, run.info.end_time) == (START, START + 10_002)
    assert desk.curve(run, "val_mse") == [(1_000, 0, 0.3), (10_000, 1, 0.2)]
    assert len(desk.curve(run, "hp/width")) == len(desk.curve(run, "cost/parameters")) == 1


def test_a_trial_whose_launcher_was_killed_is_not_running(desk: Desk) -> None:
    desk.write("0000", *COMPLETED[:3])
    desk.sync()
    (run,) = desk.sync("launcher-2", over=True)
    assert (run.info.status, run.data.tags["recurrent.outcome"]) == ("KILLED", "interrupted")
    assert run.info.end_time == START + 1_000


def test_a_reopened_trial_may_fail(desk: Desk) -> None:
    desk.write("0000", *COMPLETED[:3])
    desk.sync(over=True)
    desk.write("0000", start(9_000, attempt=2, session="launcher-2"), failure(9_500))
    (run,) = desk.sync("launcher-2", over=True)
    assert (run.info.status, run.data.tags["recurrent.outcome"]) == ("FAILED", "failed")


def test_a_trial_without_a_line_is_no_run_yet(desk: Desk) -> None:
    (desk.folder / "0000").mkdir()
    (desk.folder / "0001").mkdir()
    desk.write("0001", torn='{"event": "sta')
    assert desk.sync() == []
    assert desk.sync(over=True) == []


# ---- again and again ----


def write_all_kinds(desk: Desk) -> None:
    desk.write("0000", *COMPLETED)
    desk.write("0001", *COMPLETED[:4], failure(2_500))
    desk.write("0002", *COMPLETED[:3])
    lines = [start(), built(), epoch(0, 0.1, 500), executed(0.1, 501), built(600), epoch(0, 0.2, 1_500, 1)]
    desk.write("0003", *lines, executed(0.2, 1_501, 1), end(0.15, 1_502, spread=0.05, epoch=0))


def test_replaying_changes_no_row(desk: Desk) -> None:
    write_all_kinds(desk)
    projection = desk.projection()
    projection.sync()
    before = desk.rows()
    assert {table: bool(rows) for table, rows in before.items()} == dict.fromkeys(before, True)
    projection.sync()
    assert desk.rows() == before
    desk.sync()
    assert desk.rows() == before, "by a launcher that knows nothing"
    desk.sync(over=True)
    closed = desk.rows()
    assert closed["metrics"] == before["metrics"]
    desk.sync(over=True)
    desk.sync("launcher-2", over=True)
    desk.sync("launcher-2")
    assert desk.rows() == closed


def test_when_nothing_is_new_nothing_is_written(desk: Desk) -> None:
    write_all_kinds(desk)
    counting = Flaky(desk.client, CALLS, 0, after=False)
    projection = Projection(counting, desk.parent, desk.folder, "mse", "min", SESSION, FLOORS)  # type: ignore[arg-type]
    again(lambda: projection.sync(over=True))
    calls = counting.calls
    assert calls > 8
    for _ in range(3):
        projection.sync(over=True)
    assert counting.calls == calls


def test_one_line_at_a_time_is_the_same_as_all_at_once(desk: Desk, client: MlflowClient, tmp_path: Path) -> None:
    other = new_desk(client, desk.uri, tmp_path / "other", f"{tmp_path.name}-other")
    write_all_kinds(desk)
    desk.sync(over=True)
    projection = other.projection()
    for trial in ("0000", "0001", "0002", "0003"):
        for line in (desk.folder / trial / "journal.jsonl").read_text("utf-8").splitlines():
            other.write(trial, json.loads(line))
            projection.sync()
    projection.sync(over=True)
    assert [row for row in other.rows()["metrics"] if row[0] != "search"] == [
        row for row in desk.rows()["metrics"] if row[0] != "search"
    ]
    assert [row for row in other.rows()["params"] if row[0] != "search"] == [
        row for row in desk.rows()["params"] if row[0] != "search"
    ]
    assert [row for row in other.rows()["runs"] if row[0] != "search"] == [
        row for row in desk.rows()["runs"] if row[0] != "search"
    ]


def test_a_torn_last_line_waits_for_its_end(desk: Desk) -> None:
    line = json.dumps(epoch(1, 0.2, 2_000))
    desk.write("0000", *COMPLETED[:3], torn=line[:20])
    projection = desk.projection()
    projection.sync()
    (run,) = desk.trials()
    assert desk.curve(run, "val_mse") == [(1_000, 0, 0.3)]
    desk.write("0000", torn=line[20:])
    projection.sync()
    assert desk.curve(run, "val_mse") == [(1_000, 0, 0.3)]
    desk.write("0000", torn="\n")
    projection.sync()
    assert desk.curve(run, "val_mse") == [(1_000, 0, 0.3), (2_000, 1, 0.2)]


def test_an_end_that_was_torn_is_no_end(desk: Desk) -> None:
    desk.write("0000", *COMPLETED[:5], torn=json.dumps(end(0.2, 2_002)))
    (run,) = desk.sync(over=True)
    assert (run.info.status, run.data.tags["recurrent.outcome"]) == ("KILLED", "interrupted")
    assert "best/mse" not in run.data.metrics


# ---- the search's own run ----


def test_the_search_shows_its_best_trial(desk: Desk) -> None:
    desk.write("0000", *COMPLETED)
    desk.sync()
    assert desk.refreshed().data.metrics["best/mse"] == 0.2
    desk.write("0001", start(), built(), epoch(0, 0.5, 2_500), end(0.5, 3_000))
    desk.sync()
    assert desk.refreshed().data.metrics["best/mse"] == 0.2
    desk.write("0002", start(), built(), epoch(0, 0.1, 3_500), end(0.1, 4_000))
    desk.sync()
    assert desk.refreshed().data.metrics["best/mse"] == 0.1


@pytest.mark.parametrize("at_once", [True, False])
def test_the_best_trial_may_end_after_one_with_a_higher_number(desk: Desk, at_once: bool) -> None:
    desk.write("0000", start(), built())
    desk.write("0001", start(), built(), end(0.5, 1_000))
    projection = desk.projection()
    if not at_once:
        projection.sync()
    desk.write("0000", end(0.1, 2_000))
    projection.sync()
    assert desk.refreshed().data.metrics["best/mse"] == 0.1


DAY = 24 * 3_600_000  # milliseconds


def test_ends_that_a_wrong_clock_has_put_into_the_future_count(desk: Desk) -> None:
    ahead = now() - START + DAY
    desk.write("0000", start(ahead), built(ahead), end(0.2, ahead))
    desk.sync()
    assert "best/mse" not in desk.refreshed().data.metrics
    desk.sync(over=True)
    assert desk.refreshed().data.metrics["best/mse"] == 0.2


def test_a_clock_that_was_set_back_hides_no_better_trial(desk: Desk) -> None:
    """The second launcher's trials seem to have ended before those of the first one."""
    for number, score in enumerate((0.5, 0.4, 0.3)):
        desk.write(f"{number:04d}", start(DAY), built(DAY), end(score, DAY + 1_000 * number))
    desk.sync(over=True)
    assert desk.refreshed().data.metrics["best/mse"] == 0.3
    desk.write("0003", start(), built(), end(0.1, 1_000))
    for _ in range(2):
        desk.sync(over=True)
        assert desk.refreshed().data.metrics["best/mse"] == 0.1
    history = desk.client.get_metric_history(desk.parent.info.run_id, "best/mse")
    assert len(history) == 5


def test_a_higher_score_is_better_where_the_task_says_so(desk: Desk) -> None:
    desk.direction = "max"
    for number, score in enumerate((0.2, 0.9, 0.5)):
        desk.write(f"{number:04d}", start(), built(), end(score, 1_000 * (number + 1)))
    projection = desk.projection()
    projection.sync()
    assert best_of(projection) == "0001"
    history = desk.client.get_metric_history(desk.parent.info.run_id, "best/mse")
    assert sorted(point.value for point in history) == [0.2, 0.9]
    assert desk.refreshed().data.metrics["best/mse"] == 0.9


def best_of(projection: Projection) -> str:
    best = projection.curve.best()
    return "" if best is None else f"{best.number:04d}"


def test_of_two_equal_trials_that_with_the_lower_number_is_the_best(desk: Desk) -> None:
    desk.write("0000", start(), built(), end(0.2, 2_000))
    desk.write("0001", start(), built(), end(0.2, 1_000))
    projection = desk.projection()
    projection.sync()
    assert best_of(projection) == "0000"


def test_a_smaller_trial_that_ties_is_the_best_when_it_ends(desk: Desk) -> None:
    """The third trial has the best score, and a spread that the second one is within: that one is the smallest."""
    sizes = ((0.30, None, 900), (0.34, None, 50), (0.29, 0.06, 700))
    for number, (score, spread, size) in enumerate(sizes):
        desk.write(f"{number:04d}", start(), {**built(), "parameters": size}, end(score, 1_000 * number + 500, spread))
    projection = desk.projection()
    projection.sync()
    assert best_of(projection) == "0001"
    assert desk.curve(desk.refreshed(), "best/mse") == [(500, 1, 0.3), (2_500, 3, 0.34)]


def test_trials_without_a_score_have_what_they_have_reached(desk: Desk) -> None:
    desk.write("0000", *COMPLETED)
    desk.write(
        "0001", start(), built(), epoch(0, 0.5, 1_000), epoch(1, 0.4, 2_000), {**failure(3_000), "outcome": "pruned"}
    )
    desk.write("0002", start(), failure(3_000))
    desk.write("0003", start(), built(), epoch(0, 0.1, 1_000))
    runs = desk.sync(over=True)
    found = [(run.data.metrics.get("reached/mse"), run.data.metrics.get("reached/epochs")) for run in runs]
    assert found == [(0.2, 2), (0.4, 2), (None, None), (None, None)], "an interrupted one goes on"
    trials = results(desk.client, desk.refreshed())["trials"]
    assert [(trial["reached"], trial["epochs"]) for trial in trials] == [*found[:3], (0.1, None)]
    assert [trial["trial"] for trial in standing({"direction": "min", "trials": trials})] == [
        "0003",
        "0000",
        "0001",
        "0002",
    ]


def test_a_record_of_an_earlier_version_gets_what_trials_have_reached(desk: Desk) -> None:
    """The next launcher sends it, and nothing else again."""
    desk.write("0000", start(), built(), epoch(0, 0.5, 1_000), {**failure(3_000), "outcome": "pruned"})
    (run,) = desk.sync(over=True)
    with closing(sqlite3.connect(desk.uri.removeprefix("sqlite:///"))) as database, database:
        for table in ("metrics", "latest_metrics"):
            gone = f"DELETE FROM {table} WHERE run_uuid = ? AND key LIKE 'reached/%'"
            assert database.execute(gone, (run.info.run_id,)).rowcount == 2
    before = desk.rows()
    (trial,) = results(desk.client, desk.refreshed())["trials"]
    assert (trial["reached"], trial["epochs"]) == (0.5, None), "its curve has the last score"
    desk.sync("another launcher", over=True)
    new = {table: [row for row in rows if row not in before[table]] for table, rows in desk.rows().items()}
    assert [row[1] for row in new.pop("metrics")] == ["reached/epochs", "reached/mse"]
    assert not any(new.values())


def test_trials_are_of_one_search(desk: Desk, client: MlflowClient, tmp_path: Path) -> None:
    other = new_desk(client, desk.uri, tmp_path / "other", f"{tmp_path.name}-other")
    for each in (desk, other):
        each.write("0000", *COMPLETED)
        each.sync()
    assert len(all_trials(client, desk.parent)) == len(all_trials(client, other.parent)) == 1
    assert desk.trials()[0].info.run_id != other.trials()[0].info.run_id
