"""The projection: hand-written journals in, runs of a real SQLite store out, however often and badly it goes."""

import json
import math
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

import tracking.record
import tracking.runs
from tracking.record import Record
from tracking.results import results
from tracking.runs import Projection
from tracking.searches import all_trials, child_tags, find_search, open_search
from tracking.store import Unreachable, connect

START = 1_700_000_000_000  # ms
SESSION = "launcher-1"
FLOORS = {"no_memory": 1 / 6, "half_memory": 1 / 12}
CALLS = ("create_run", "log_batch", "set_terminated", "update_run", "delete_tag")


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"


@pytest.fixture(scope="module")
def client(uri: str) -> MlflowClient:
    return connect(uri, create=True)


def parameters(**changes: Any) -> dict[str, Any]:
    values = {"architecture": "gru-32", "cell": "gru", "depth": 1, "width": 32, "learning_rate": 0.001, "dropout": 0}
    return {**values, **changes}


@dataclass
class Desk:
    """A search in the store, and the journals of its trials, written by hand."""

    client: MlflowClient
    uri: str
    parent: Run
    folder: Path
    direction: str = "min"

    def write(self, trial: str, *lines: dict[str, Any], torn: str = "") -> None:
        (self.folder / trial).mkdir(exist_ok=True)
        with (self.folder / trial / "journal.jsonl").open("a", encoding="utf-8") as file:
            file.write("".join(json.dumps(line) + "\n" for line in lines) + torn)

    def projection(self, session: str = SESSION) -> Projection:
        return Projection(self.client, self.parent, self.folder, "mse", self.direction, session, FLOORS)

    def sync(self, session: str = SESSION, over: bool = False) -> list[Run]:
        """What a launcher that has just started brings about."""
        self.projection(session).sync(over)
        return self.trials()

    def trials(self) -> list[Run]:
        text = f"tags.kind = 'trial' and tags.`mlflow.parentRunId` = '{self.parent.info.run_id}'"
        found = self.client.search_runs([self.parent.info.experiment_id], text)
        return sorted(found, key=lambda run: run.data.tags["trial"])

    def refreshed(self) -> Run:
        return self.client.get_run(self.parent.info.run_id)

    def curve(self, run: Run, metric: str) -> list[tuple[int, int, float]]:
        history = self.client.get_metric_history(run.info.run_id, metric)
        return [(point.timestamp - START, point.step, point.value) for point in history]

    def rows(self) -> dict[str, list[Any]]:
        """What the database itself holds of this search, runs named by their trial."""
        names = {run.info.run_id: run.data.tags["trial"] for run in self.trials()}
        names[self.parent.info.run_id] = "search"
        queries = {
            "metrics": "SELECT run_uuid, key, value, timestamp, step FROM metrics",
            "params": "SELECT run_uuid, key, value FROM params",
            "tags": "SELECT run_uuid, key, value FROM tags WHERE key NOT LIKE 'mlflow.%'",
            "runs": "SELECT run_uuid, status, start_time, end_time, lifecycle_stage FROM runs",
        }
        with closing(sqlite3.connect(self.uri.removeprefix("sqlite:///"))) as database:
            found = {table: database.execute(query).fetchall() for table, query in queries.items()}
        return {
            table: sorted((names[row[0]], *row[1:]) for row in rows if row[0] in names) for table, rows in found.items()
        }


@pytest.fixture
def desk(client: MlflowClient, uri: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Desk]:
    yield new_desk(client, uri, tmp_path, request.node.name)


def new_desk(client: MlflowClient, uri: str, folder: Path, name: str, search: str = "1") -> Desk:
    name = "".join(letter if letter.isalnum() else "-" for letter in name)
    spec = {"name": name, "task": "adding", "options": {}, "digest": "0" * 64, "versions": {}, "commit": "", "seed": 0}
    spec["id"] = search
    parent = open_search(client, name, "adding", (folder / "artifacts").as_uri(), spec, {"no_memory": 1 / 6})
    (folder / name).mkdir(parents=True)
    return Desk(client, uri, parent, folder / name)


def start(at: int = 0, attempt: int = 1, session: str = SESSION, **changes: Any) -> dict[str, Any]:
    values = parameters(**changes)
    more = {"trial": "0000", "attempt": attempt, "session": session, "worker": 0, "values": {}, "parameters": values}
    return {"event": "start", "time": START + at, **more}


def built(at: int = 100) -> dict[str, Any]:
    kernel = {"kernel": "loop", "kernel_reason": "no GPU", "steps_per_execution": 16}
    return {"event": "built", "time": START + at, "parameters": 3_500, **kernel}


def epoch(number: int, value: float, at: int, execution: int = 0) -> dict[str, Any]:
    metrics = {"loss": 2 * value, "val_mse": value}
    seconds = {"seconds": at / 1000}
    return {
        "event": "epoch",
        "time": START + at,
        "execution": execution,
        "epoch": number,
        "metrics": metrics,
        **seconds,
    }


def executed(score: float, at: int, execution: int = 0) -> dict[str, Any]:
    return {
        "event": "execution",
        "time": START + at,
        "execution": execution,
        "score": score,
        "epoch": 1,
        "seconds": 1.0,
    }


def end(score: float, at: int, spread: float | None = None, epoch: int = 1) -> dict[str, Any]:
    more = {"spread": spread, "model_score": score, "execution": 0, "epoch": epoch, "seconds": at / 1000}
    return {"event": "end", "time": START + at, "outcome": "completed", "score": score, **more}


def failure(at: int, reason: str = "diverged in epoch 1: loss is nan") -> dict[str, Any]:
    more = {"reason": reason, "error": f"Traceback …\n{reason}"}
    return {"event": "end", "time": START + at, "outcome": "failed", "score": None, **more}


COMPLETED = [start(), built(), epoch(0, 0.3, 1_000), epoch(1, 0.2, 2_000), executed(0.2, 2_001), end(0.2, 2_002)]


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
    expected |= {"best/execution": 0, "executions/mse": 0.2}
    expected |= {f"floor/{name}": value for name, value in FLOORS.items()}
    expected |= {"cost/parameters": 3_500, "hp/width": 32, "hp/depth": 1, "hp/dropout": 0, "hp/learning_rate": 0.001}
    expected |= {"hp/log10_learning_rate": pytest.approx(-3), "loss": 0.4, "val_mse": 0.2}
    assert run.data.metrics == expected
    tags = {key: value for key, value in run.data.tags.items() if key != "mlflow.runName"}
    assert tags == {
        "kind": "trial",
        "search_id": desk.parent.data.tags["search_id"],
        "spec_id": "1",
        "trial": "0000",
        "mlflow.parentRunId": desk.parent.info.run_id,
        "outcome": "completed",
        "attempts": "1",
        "kernel": "loop",
        "kernel_reason": "no GPU",
        "steps_per_execution": "16",
    }
    assert find_search(desk.client, desk.parent.data.tags["search_id"]).info.run_id == desk.parent.info.run_id


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
    assert "outcome" not in run.data.tags
    assert desk.curve(run, "val_mse") == [(1_000, 0, 0.3)]
    assert "best/mse" not in run.data.metrics


def test_a_failed_trial_has_its_reason(desk: Desk) -> None:
    desk.write("0000", *COMPLETED[:3], failure(1_500))
    (run,) = desk.sync()
    assert (run.info.status, run.info.end_time) == ("FAILED", START + 1_500)
    assert run.data.tags["outcome"] == "failed"
    assert run.data.tags["reason"] == "diverged in epoch 1: loss is nan"
    assert run.data.tags["error"] == "Traceback …\ndiverged in epoch 1: loss is nan"
    assert not [name for name in run.data.metrics if name.startswith("best/")]
    assert desk.curve(run, "val_mse") == [(1_000, 0, 0.3)]
    assert "best/mse" not in desk.refreshed().data.metrics


def test_a_trial_that_failed_before_it_was_built(desk: Desk) -> None:
    desk.write("0000", start(), failure(50, "MemoryError"))
    (run,) = desk.sync()
    assert (run.info.status, run.data.tags["reason"]) == ("FAILED", "MemoryError")
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
    spec = {**json.loads(parent.data.tags["spec"]), "metric": "mse", "direction": "min", "executions": 3}
    desk.client.set_tag(parent.info.run_id, "spec", json.dumps(spec))
    shown = results(desk.client, desk.refreshed())["trials"]
    assert [trial["executions"] for trial in shown] == [[0.4, 0.2, 0.3], []]
    assert [trial["execution"] for trial in shown] == [2, None]


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


def test_numbers_can_be_sorted(desk: Desk) -> None:
    for number, width in enumerate((128, 16, 64, 8)):
        desk.write(f"{number:04d}", start(width=width, architecture=f"gru-{width}"))
    desk.sync()
    text = f"tags.search_id = '{desk.parent.data.tags['search_id']}' and tags.kind = 'trial'"
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
    assert (first.info.status, first.data.tags["outcome"]) == ("FINISHED", "completed")
    assert (second.info.status, second.data.tags["outcome"]) == ("KILLED", "interrupted")
    assert second.info.end_time == START + 1_000, "its last sign of life"
    assert desk.curve(second, "val_mse") == [(1_000, 0, 0.3)]


def test_an_interrupted_trial_is_reopened_by_the_launcher_that_goes_on_with_it(desk: Desk) -> None:
    desk.write("0000", *COMPLETED[:3])
    desk.sync(over=True)
    (run,) = desk.sync("launcher-2")
    assert (run.info.status, run.data.tags["outcome"]) == ("KILLED", "interrupted"), "nobody is at it yet"
    desk.write("0000", start(9_000, attempt=2, session="launcher-2"), built(9_100))
    projection = desk.projection("launcher-2")
    projection.sync()
    (run,) = desk.trials()
    assert (run.info.status, run.data.tags["attempts"]) == ("RUNNING", "2")
    assert "outcome" not in run.data.tags
    desk.write("0000", epoch(1, 0.2, 10_000), executed(0.2, 10_001), end(0.2, 10_002))
    projection.sync()
    (run,) = desk.trials()
    assert (run.info.status, run.data.tags["outcome"]) == ("FINISHED", "completed")
    assert (run.info.start_time, run.info.end_time) == (START, START + 10_002)
    assert desk.curve(run, "val_mse") == [(1_000, 0, 0.3), (10_000, 1, 0.2)]
    assert len(desk.curve(run, "hp/width")) == len(desk.curve(run, "cost/parameters")) == 1


def test_a_trial_whose_launcher_was_killed_is_not_running(desk: Desk) -> None:
    desk.write("0000", *COMPLETED[:3])
    desk.sync()
    (run,) = desk.sync("launcher-2", over=True)
    assert (run.info.status, run.data.tags["outcome"], run.info.end_time) == ("KILLED", "interrupted", START + 1_000)


def test_a_reopened_trial_may_fail(desk: Desk) -> None:
    desk.write("0000", *COMPLETED[:3])
    desk.sync(over=True)
    desk.write("0000", start(9_000, attempt=2, session="launcher-2"), failure(9_500))
    (run,) = desk.sync("launcher-2", over=True)
    assert (run.info.status, run.data.tags["outcome"]) == ("FAILED", "failed")


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
    assert (run.info.status, run.data.tags["outcome"]) == ("KILLED", "interrupted")
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


def test_a_higher_score_is_better_where_the_task_says_so(desk: Desk) -> None:
    desk.direction = "max"
    for number, score in enumerate((0.2, 0.9, 0.5)):
        desk.write(f"{number:04d}", start(), built(), end(score, 1_000 * (number + 1)))
    projection = desk.projection()
    projection.sync()
    assert projection.best() == "0001"
    history = desk.client.get_metric_history(desk.parent.info.run_id, "best/mse")
    assert sorted(point.value for point in history) == [0.2, 0.9]
    assert desk.refreshed().data.metrics["best/mse"] == 0.9


def test_of_two_equal_scores_the_earlier_is_the_best(desk: Desk) -> None:
    desk.write("0000", start(), built(), end(0.2, 2_000))
    desk.write("0001", start(), built(), end(0.2, 1_000))
    projection = desk.projection()
    projection.sync()
    assert projection.best() == "0001"


def test_trials_are_of_one_search(desk: Desk, client: MlflowClient, tmp_path: Path) -> None:
    other = new_desk(client, desk.uri, tmp_path / "other", f"{tmp_path.name}-other")
    for each in (desk, other):
        each.write("0000", *COMPLETED)
        each.sync()
    assert len(all_trials(client, desk.parent)) == len(all_trials(client, other.parent)) == 1
    assert desk.trials()[0].info.run_id != other.trials()[0].info.run_id


# ---- a store that fails ----


class Flaky:
    """A client of which one call fails, the n-th of those named: before the store has done it, or after."""

    def __init__(self, client: MlflowClient, names: tuple[str, ...], fails_at: int, after: bool) -> None:
        self.client, self.names, self.fails_at, self.after, self.calls = client, names, fails_at, after, 0

    def __getattr__(self, name: str) -> Any:
        real = getattr(self.client, name)
        return self.counted(real) if name in self.names else real

    def counted(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            fails = self.calls == self.fails_at
            if fails and not self.after:
                raise MlflowException("the store is away")
            found = real(*args, **kwargs)
            if fails:
                raise MlflowException("the answer was lost")
            return found

        return call


def play(desk: Desk, client: Any) -> None:
    """A search of two launchers; a sync that fails is done again later, as the launcher does it."""
    first = Projection(client, desk.parent, desk.folder, "mse", "min", SESSION, FLOORS)
    desk.write("0000", *COMPLETED[:3])
    desk.write("0001", *COMPLETED)
    again(first.sync)
    desk.write("0000", epoch(1, 0.1, 2_000))
    again(first.sync)
    again(lambda: first.sync(over=True))
    second = Projection(client, desk.parent, desk.folder, "mse", "min", "launcher-2", FLOORS)
    desk.write("0000", start(9_000, attempt=2, session="launcher-2"), built(9_100))
    again(second.sync)
    desk.write("0000", executed(0.1, 9_201), end(0.1, 9_202))
    desk.write("0002", start(9_300, session="launcher-2"), failure(9_500))
    again(second.sync)
    again(lambda: second.sync(over=True))


def again(sync: Callable[[], None]) -> None:
    with suppress(MlflowException):
        sync()
        return
    sync()


@pytest.fixture(scope="module")
def undisturbed(client: MlflowClient, uri: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    desk = new_desk(client, uri, tmp_path_factory.mktemp("undisturbed"), "undisturbed")
    play(desk, client)
    return desk.rows()


@pytest.mark.parametrize("call", CALLS)
def test_a_store_that_fails_once_loses_nothing(
    undisturbed: dict[str, Any], client: MlflowClient, uri: str, tmp_path: Path, call: str
) -> None:
    check_every_failure(undisturbed, client, uri, tmp_path, call, after=False)


@pytest.mark.parametrize("call", CALLS)
def test_a_store_whose_answer_is_lost_once_doubles_nothing(
    undisturbed: dict[str, Any], client: MlflowClient, uri: str, tmp_path: Path, call: str
) -> None:
    check_every_failure(undisturbed, client, uri, tmp_path, call, after=True)


def check_every_failure(
    expected: dict[str, Any], client: MlflowClient, uri: str, folder: Path, call: str, after: bool
) -> None:
    """The first call fails, in another search the second, and so on until a search has no more of them."""
    number, calls = 0, 1
    while number < calls:
        number += 1
        desk = new_desk(client, uri, folder, f"{call}-{after}-{number}")
        flaky = Flaky(client, (call,), number, after)
        play(desk, flaky)
        calls = flaky.calls - 1
        assert without_names(desk.rows()) == without_names(expected), f"{call} {number} failed"
        assert flaky.calls, f"nobody calls {call}"


def active(desk: Desk) -> list[Run]:
    found = desk.client.search_runs([desk.parent.info.experiment_id], "tags.kind = 'trial'")
    return [run for run in found if run.data.tags["search_id"] == desk.parent.data.tags["search_id"]]


def test_of_two_runs_of_a_trial_the_fuller_one_stays(desk: Desk) -> None:
    desk.write("0000", *COMPLETED[:3])
    (full,) = desk.sync()
    tags = child_tags(desk.parent, "0000", "0000 gru-32")
    desk.client.create_run(desk.parent.info.experiment_id, START, tags)
    assert [run.info.run_id for run in all_trials(desk.client, desk.parent)] == [full.info.run_id]
    desk.sync()
    assert [run.info.run_id for run in active(desk)] == [full.info.run_id]


class Late:
    """A client of a store that makes a run, but so late that it has been asked for a second one meanwhile."""

    def __init__(self, client: MlflowClient) -> None:
        self.client, self.waiting = client, True

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def create_run(self, *args: Any) -> Run:
        made = [self.client.create_run(*args) for _ in range(0 if self.waiting else 2)]
        if self.waiting:
            self.waiting = False
            raise MlflowException("no answer in time")
        return made[0]


def test_a_run_that_comes_after_all_goes(desk: Desk) -> None:
    projection = Projection(Late(desk.client), desk.parent, desk.folder, "mse", "min", SESSION, FLOORS)  # type: ignore[arg-type]
    desk.write("0000", *COMPLETED)
    again(lambda: projection.sync())
    assert len(active(desk)) == 2
    projection.sync(over=True)
    (run,) = active(desk)
    assert (run.info.status, run.data.tags["outcome"]) == ("FINISHED", "completed")


def test_of_two_runs_of_a_search_the_first_stays(desk: Desk) -> None:
    parent = desk.parent
    name, spec = parent.data.tags["search_id"], json.loads(parent.data.tags["spec"])
    tags = {"kind": "search", "search_id": name}
    for number, one in enumerate(("1", "2")):  # the second is another user's, of an early version
        text = json.dumps({**spec, "id": one})
        later = parent.info.start_time + 1 + number
        desk.client.create_run(parent.info.experiment_id, later, {**tags, "spec": text})
    assert find_search(desk.client, name).info.run_id == parent.info.run_id
    assert open_search(desk.client, name, "adding", None, spec, {}).info.run_id == parent.info.run_id
    found = desk.client.search_runs([parent.info.experiment_id], f"tags.kind = 'search' and tags.search_id = '{name}'")
    assert sorted(json.loads(run.data.tags["spec"])["id"] for run in found) == ["1", "2"]


class Raced:
    """A client of a store in which somebody else begins a search of the same name just before ours is made."""

    def __init__(self, client: MlflowClient) -> None:
        self.client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def create_run(self, experiment_id: str, start_time: int, tags: dict[str, str]) -> Run:
        theirs = {**tags, "spec": json.dumps({**json.loads(tags["spec"]), "id": "theirs"})}
        self.client.create_run(experiment_id, start_time + 1, theirs)  # by a clock that is ahead of ours
        return self.client.create_run(experiment_id, start_time, tags)


def test_of_two_who_take_a_name_at_once_the_later_one_is_refused(desk: Desk, tmp_path: Path) -> None:
    name, spec = f"{tmp_path.name}-raced", {**json.loads(desk.parent.data.tags["spec"]), "id": "ours"}
    with pytest.raises(ValueError, match=f"--name: expected a new name, got '{name}', which {desk.uri} holds already"):
        open_search(Raced(desk.client), name, "adding", None, spec, {})  # type: ignore[arg-type]
    text = f"tags.kind = 'search' and tags.search_id = '{name}'"
    (left,) = desk.client.search_runs([desk.parent.info.experiment_id], text)
    assert json.loads(left.data.tags["spec"])["id"] == "theirs"


def test_trials_of_a_deleted_search_are_not_those_of_a_later_one_of_its_name(desk: Desk) -> None:
    """In MLflow's UI a search's own run can be deleted alone."""
    desk.write("0000", *COMPLETED)
    desk.write("0001", *COMPLETED[:3])
    before = [run.info.run_id for run in desk.sync(over=True)]
    name, spec = desk.parent.data.tags["search_id"], json.loads(desk.parent.data.tags["spec"])
    desk.client.delete_run(desk.parent.info.run_id)
    later = new_desk(desk.client, desk.uri, desk.folder.parent / "later", name, "2")
    later.write("0000", *COMPLETED[:3])
    (run,) = later.sync()
    assert [one.info.run_id for one in all_trials(later.client, later.parent)] == [run.info.run_id]
    assert run.info.run_id not in before
    assert [one.data.tags["mlflow.parentRunId"] for one in map(desk.client.get_run, before)] == [
        desk.parent.info.run_id
    ] * 2
    desk.client.delete_run(later.parent.info.run_id)  # the first one goes on, and finds its own
    desk.parent = open_search(desk.client, name, "adding", None, spec, {})
    assert [run.info.run_id for run in desk.sync(over=True)] == before


def test_epochs_wait_for_more_of_them_but_ends_do_not(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = {"now": 0.0}
    monkeypatch.setattr(tracking.runs.time, "monotonic", lambda: clock["now"])
    counting = Flaky(desk.client, CALLS, 0, after=False)
    projection = Projection(counting, desk.parent, desk.folder, "mse", "min", SESSION, FLOORS)  # type: ignore[arg-type]
    told = []
    for line in COMPLETED:
        desk.write("0000", line)
        clock["now"] += 4
        before = counting.calls
        projection.sync(hold=10)
        told.append(counting.calls - before)
    # start: create and log; built and the first epoch wait; the second does not; the end: log, terminate, the best.
    assert told == [2, 0, 0, 1, 0, 3]
    (run,) = desk.trials()
    assert desk.curve(run, "val_mse") == [(1_000, 0, 0.3), (2_000, 1, 0.2)]


def test_a_run_that_a_user_deletes_costs_itself_alone(desk: Desk) -> None:
    desk.write("0000", *COMPLETED[:3])
    projection = desk.projection()
    projection.sync()
    desk.client.delete_run(desk.trials()[0].info.run_id)
    desk.write("0000", *COMPLETED[3:])
    desk.write("0001", *COMPLETED)
    with suppress(MlflowException):
        projection.sync()
    assert [run.data.tags["trial"] for run in desk.trials() if run.info.status == "FINISHED"][-1:] == ["0001"]


def without_names(rows: dict[str, Any]) -> dict[str, Any]:
    """Without what differs between two searches: their names, and when their own runs began."""
    trials = {table: [row for row in found if row[0] != "search"] for table, found in rows.items()}
    trials["tags"] = [row for row in trials["tags"] if row[1] != "search_id"]
    trials["best"] = [row for row in rows["metrics"] if row[0] == "search" and row[1].startswith("best/")]
    return trials


# ---- Record: the thread that does it ----


@dataclass
class Written:
    record: Record
    warnings: list[str]


def recorded(desk: Desk, client: Any, monkeypatch: pytest.MonkeyPatch) -> Written:
    monkeypatch.setattr(tracking.record, "EVERY", 0.01)
    monkeypatch.setattr(tracking.record, "AFTER_FAILURE", 0.01)
    warnings: list[str] = []
    monkeypatch.setattr(tracking.record, "AGAIN", 0.01)

    def make() -> Projection:
        return Projection(client, desk.parent, desk.folder, "mse", "min", SESSION, FLOORS)

    name = desk.parent.data.tags["search_id"]
    return Written(Record(desk.uri, name, make, warnings.append), warnings)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_record_follows_the_journals_by_itself(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    written = recorded(desk, desk.client, monkeypatch)
    threads = threading.active_count()
    written.record.start()
    desk.write("0000", *COMPLETED[:3])
    until(lambda: [run.info.status for run in desk.trials()] == ["RUNNING"])
    desk.write("0000", *COMPLETED[3:])
    until(lambda: [run.info.status for run in desk.trials()] == ["FINISHED"])
    assert desk.refreshed().info.status == "RUNNING"
    assert written.record.finish("FINISHED") is True
    assert desk.refreshed().info.status == "FINISHED"
    assert written.warnings == []
    assert threading.active_count() == threads, "its thread has ended"


def test_finish_sends_the_rest_then_the_model_then_ends_the_search(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    written = recorded(desk, desk.client, monkeypatch)
    written.record.start()
    desk.write("0000", *COMPLETED)
    desk.write("0001", *COMPLETED[:3])
    seen: list[Any] = []

    def last() -> None:
        seen.append([run.info.status for run in desk.trials()])
        seen.append(desk.refreshed().info.status)

    assert written.record.finish("KILLED", last) is True
    assert seen == [["FINISHED", "KILLED"], "RUNNING"]
    parent = desk.refreshed()
    assert parent.info.status == "KILLED" and parent.info.end_time > START


def test_a_record_outlives_a_store_that_is_away(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    away = threading.Event()
    away.set()
    client = Away(desk.client, away)
    written = recorded(desk, client, monkeypatch)
    written.record.start()
    desk.write("0000", *COMPLETED)
    until(lambda: client.refused > 3)
    assert len(written.warnings) == 1, "once, not every time"
    assert "the store is away" in written.warnings[0] and "\n" not in written.warnings[0]
    away.clear()
    until(lambda: [run.info.status for run in desk.trials()] == ["FINISHED"])
    assert written.record.finish("FINISHED") is True


def test_finish_says_what_is_missing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    away = threading.Event()
    written = recorded(desk, Away(desk.client, away), monkeypatch)
    desk.write("0000", *COMPLETED)
    written.record.start()
    until(lambda: [run.info.status for run in desk.trials()] == ["FINISHED"])
    away.set()
    desk.write("0001", *COMPLETED)
    assert written.record.finish("FINISHED") is False
    assert f"recurrent sync {desk.parent.data.tags['search_id']}" in written.warnings[-1]
    away.clear()
    assert [run.data.tags["trial"] for run in desk.sync(over=True)] == ["0000", "0001"], "the next launcher sends it"


def test_a_trial_that_the_store_refuses_costs_no_other(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    class Choosy:
        def __getattr__(self, name: str) -> Any:
            return getattr(desk.client, name)

        def log_batch(self, run_id: str, *words: Any, **more: Any) -> None:
            if desk.client.get_run(run_id).data.tags.get("trial") == "0000":
                raise MlflowException("no such value\nhere", INVALID_PARAMETER_VALUE)
            desk.client.log_batch(run_id, *words, **more)

    written = recorded(desk, Choosy(), monkeypatch)
    desk.write("0000", *COMPLETED)
    desk.write("0001", *COMPLETED)
    assert written.record.finish("FINISHED") is False
    (line,) = written.warnings
    assert line.startswith("trial 0000 is not in MLflow: ") and line.endswith("no such value")
    assert [run.info.status for run in desk.trials() if run.data.tags["trial"] == "0001"] == ["FINISHED"]
    assert desk.refreshed().info.status == "FINISHED"


def test_a_server_that_is_away_at_the_end_is_asked_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    away = threading.Event()
    away.set()
    client = Away(desk.client, away)
    written = recorded(desk, client, monkeypatch)
    monkeypatch.setattr(tracking.record, "AGAIN", 0.01)
    written.record.uri = "http://127.0.0.1:9"
    desk.write("0000", *COMPLETED)
    waiting = threading.Thread(target=lambda: (until(lambda: client.refused > 3), away.clear()))
    waiting.start()
    assert written.record.finish("FINISHED", stopped="all 1 trials are done") is True
    waiting.join()
    assert [run.info.status for run in desk.trials()] == ["FINISHED"] and len(written.warnings) == 1
    assert desk.client.get_run(desk.parent.info.run_id).data.tags["stopped"] == "all 1 trials are done"


def test_a_record_opens_when_the_server_is_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    written, away = recorded(desk, desk.client, monkeypatch), threading.Event()
    make, tries = written.record.make, []

    def fails() -> Projection:
        tries.append(len(tries))
        if not away.is_set():
            raise Unreachable("no answer")
        return make()

    written.record.make = fails
    assert written.record.open(written.record.tried.is_set) is False, "nobody waits for it"
    desk.write("0000", *COMPLETED)
    until(lambda: len(tries) > 3)
    assert len(written.warnings) == 1 and desk.trials() == []
    away.set()
    until(lambda: [run.info.status for run in desk.trials()] == ["FINISHED"])
    assert written.record.finish("FINISHED") is True


def test_a_record_that_never_opens_says_what_is_missing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    written = recorded(desk, desk.client, monkeypatch)
    monkeypatch.setattr(tracking.record, "PATIENCE", 0.1)
    written.record.uri = "http://127.0.0.1:9"

    def fails() -> Projection:
        raise Unreachable("no answer")

    written.record.make = fails
    assert written.record.open(written.record.in_vain) is False
    assert written.record.finish("FINISHED") is False
    command = f"recurrent sync {written.record.name} --tracking-uri http://127.0.0.1:9"
    assert written.warnings[-1] == f"MLflow lacks the last results; `{command}` sends them"


def test_a_store_that_answers_is_waited_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even ten answers a minute: each in time, all together not."""
    written = recorded(desk, desk.client, monkeypatch)
    monkeypatch.setattr(tracking.record, "PATIENCE", 0.1)
    make, tries = written.record.make, []

    def slowly() -> Projection:
        tries.append(written.record.in_vain())
        if len(tries) == 1:
            raise Unreachable("no answer")
        time.sleep(0.5)
        tries.append(written.record.in_vain())
        return make()

    written.record.make = slowly
    assert written.record.open(written.record.in_vain) is True
    assert tries == [False, False, False]
    assert written.record.finish("FINISHED") is True


def test_what_a_store_refuses_is_raised(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    written = recorded(desk, desk.client, monkeypatch)

    def refuses() -> Projection:
        raise ValueError("--name: expected a new name")

    written.record.make = refuses
    with pytest.raises(ValueError, match="a new name"):
        written.record.open(lambda: False)
    assert written.warnings == []


def test_what_a_store_refuses_when_nobody_waits_is_said(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    written, waited = recorded(desk, desk.client, monkeypatch), threading.Event()

    def refuses() -> Projection:
        waited.wait()
        raise ValueError("--name: expected a new name")

    written.record.make = refuses
    assert written.record.open(lambda: True) is False
    waited.set()
    until(lambda: bool(written.warnings))
    assert written.warnings == ["MLflow is not told all of this search: --name: expected a new name"]
    assert written.record.finish("FINISHED") is False
    assert written.warnings[1].startswith("MLflow lacks the last results; `recurrent sync ")
    assert len(written.warnings) == 2, "the refusal is said once"


@pytest.mark.parametrize("reachable", [True, False])
def test_what_a_store_refuses_at_the_end_is_said_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, reachable: bool
) -> None:
    written = recorded(desk, desk.client, monkeypatch)
    written.record.uri, tried = "http://127.0.0.1:9", []  # a server that is away would be asked again
    written.record.reachable = reachable

    def last() -> None:
        tried.append(True)
        raise ValueError("the model: expected a file")

    assert written.record.finish("FINISHED", last) is False
    assert written.warnings[0] == "MLflow is not told all of this search: the model: expected a file"
    assert written.warnings[1].startswith("MLflow lacks the last results; `recurrent sync ")
    assert written.warnings[1].endswith(" sends them once that is put right")
    assert len(written.warnings) == 2 and tried == [True]


def test_a_records_thread_outlives_whatever_is_raised(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    written, failures = recorded(desk, desk.client, monkeypatch), [ZeroDivisionError("what?"), KeyError("x")]
    sync = written.record.projection.sync

    def failing(**options: Any) -> None:
        if failures:
            raise failures.pop(0)
        sync(**options)

    monkeypatch.setattr(written.record.projection, "sync", failing)
    desk.write("0000", *COMPLETED)
    written.record.start()
    until(lambda: [run.info.status for run in desk.trials()] == ["FINISHED"])
    assert written.warnings == ["the tracking store failed: what?"], "once"
    assert written.record.finish("FINISHED") is True


class Away:
    """A client of a store that does not answer while `away` is set."""

    def __init__(self, client: MlflowClient, away: threading.Event) -> None:
        self.client, self.away, self.refused = client, away, 0

    def __getattr__(self, name: str) -> Any:
        real = getattr(self.client, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            if self.away.is_set():
                self.refused += 1
                raise MlflowException("the store is away\nfor today")
            return real(*args, **kwargs)

        return call if name in CALLS else real


def test_a_model_that_cannot_be_logged_costs_nothing_else(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library for the server's files is missing, say: it is named, the search ends, and its run too."""
    written = recorded(desk, desk.client, monkeypatch)
    written.record.start()
    desk.write("0000", *COMPLETED)

    def last() -> None:
        raise ModuleNotFoundError("No module named 'boto3'")

    assert written.record.finish("FINISHED", last) is False
    failed = "MLflow is not told all of this search: the best model: ModuleNotFoundError: No module named 'boto3'"
    assert written.warnings[0] == failed
    assert [run.info.status for run in desk.trials()] == ["FINISHED"] and desk.refreshed().info.status == "FINISHED"


def test_a_file_that_is_locked_at_the_end_is_asked_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    written, tried = recorded(desk, desk.client, monkeypatch), []

    def last() -> None:
        tried.append(True)
        if len(tried) < 3:
            raise MlflowException("(sqlite3.OperationalError) database is locked\n[SQL: UPDATE]")

    assert written.record.finish("FINISHED", last) is True
    assert written.warnings == ["the tracking store failed: database is locked"] and len(tried) == 3


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), SystemExit(1)])
def test_a_reader_that_has_gone_ends_no_record(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    written = recorded(desk, desk.client, monkeypatch)
    make, tries = written.record.make, []

    def fails() -> Projection:
        tries.append(True)
        if len(tries) < 3:
            raise Unreachable("no answer")
        return make()

    def gone(text: str) -> None:
        raise error

    written.record.make, written.record.warn = fails, gone
    assert written.record.open(lambda: False) is True
    assert written.record.finish("FINISHED") is True


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_dies_is_not_waited_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    written = recorded(desk, desk.client, monkeypatch)

    def dies() -> Projection:
        raise SystemExit

    written.record.make = dies
    assert written.record.open(lambda: False) is False
    assert written.record.tried.is_set()


def test_log10_of_a_learning_rate(desk: Desk) -> None:
    desk.write("0000", start(learning_rate=0.0025))
    (run,) = desk.sync()
    assert run.data.metrics["hp/log10_learning_rate"] == pytest.approx(math.log10(0.0025))
