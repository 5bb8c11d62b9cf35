"""The record: the thread of a launcher that brings MLflow to what the journals say."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, RunTag
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, PERMISSION_DENIED
from support.desk import CALLS, COMPLETED, FLOORS, SESSION, START, Desk

import tracking.record
import tracking.runs
from tracking.errors import SearchStateError, StoreError
from tracking.models import log_models
from tracking.record import Record, State
from tracking.runs import Projection
from tracking.store import SETTINGS, Unreachable, connect


@dataclass
class Written:
    record: Record
    warnings: list[str]


def recorded(desk: Desk, client: Any, monkeypatch: pytest.MonkeyPatch) -> Written:
    monkeypatch.setattr(tracking.record, "EVERY_SECONDS", 0.01)
    monkeypatch.setattr(tracking.record, "RETRY_SECONDS", 0.01)
    warnings: list[str] = []

    def make() -> Projection:
        return Projection(client, desk.parent, desk.folder, "mse", "min", SESSION, FLOORS)

    name = desk.parent.data.tags["recurrent.search_id"]
    return Written(Record(desk.uri, name, make, warnings.append), warnings)


def test_a_users_variables_hide_no_failure(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_ENABLE_ASYNC_LOGGING", "true")
    monkeypatch.setenv("MLFLOW_TRUNCATE_LONG_VALUES", "false")
    client, run_id = connect(desk.uri), desk.parent.info.run_id
    with pytest.raises(MlflowException):
        client.log_batch(run_id, [Metric("a/name with $", 1.0, START, 0)])
    client.log_batch(run_id, tags=[RunTag("long", "x" * 10_000)])
    assert len(client.get_run(run_id).data.tags["long"]) < 10_000


def way_out(record: Record) -> str:
    return f"`recurrent sync {record.name} --tracking-uri {record.uri}` sends the rest once that is put right"


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
    assert f"recurrent sync {desk.parent.data.tags['recurrent.search_id']}" in written.warnings[-1]
    away.clear()
    sent = [run.data.tags["recurrent.trial"] for run in desk.sync(over=True)]
    assert sent == ["0000", "0001"], "the next launcher sends it"


def test_a_trial_that_the_store_refuses_costs_no_other(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    class Choosy:
        def __getattr__(self, name: str) -> Any:
            return getattr(desk.client, name)

        def log_batch(self, run_id: str, *words: Any, **more: Any) -> None:
            if desk.client.get_run(run_id).data.tags.get("recurrent.trial") == "0000":
                raise MlflowException("no such value\nhere", INVALID_PARAMETER_VALUE)
            desk.client.log_batch(run_id, *words, **more)

    written = recorded(desk, Choosy(), monkeypatch)
    desk.write("0000", *COMPLETED)
    desk.write("0001", *COMPLETED)
    assert written.record.finish("FINISHED") is False
    (line,) = written.warnings
    assert line.startswith("trial 0000 is not in MLflow: ") and line.endswith("no such value")
    assert [run.info.status for run in desk.trials() if run.data.tags["recurrent.trial"] == "0001"] == ["FINISHED"]
    assert desk.refreshed().info.status == "FINISHED"


def test_a_server_that_is_away_at_the_end_is_asked_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    away = threading.Event()
    away.set()
    client = Away(desk.client, away)
    written = recorded(desk, client, monkeypatch)
    written.record.uri = "http://127.0.0.1:9"
    desk.write("0000", *COMPLETED)
    waiting = threading.Thread(target=lambda: (until(lambda: client.refused > 3), away.clear()))
    waiting.start()
    assert written.record.finish("FINISHED", stopped="all 1 trials are done") is True
    waiting.join()
    assert [run.info.status for run in desk.trials()] == ["FINISHED"] and len(written.warnings) == 1
    assert desk.client.get_run(desk.parent.info.run_id).data.tags["recurrent.stopped"] == "all 1 trials are done"


def test_a_record_opens_when_the_server_is_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    written, away = recorded(desk, desk.client, monkeypatch), threading.Event()
    make, tries = written.record.make, []

    def fails() -> Projection:
        tries.append(len(tries))
        if not away.is_set():
            raise Unreachable("no answer")
        return make()

    written.record.make = fails
    written.record.wait(lambda: len(tries) > 1)
    assert written.record.opened is None
    desk.write("0000", *COMPLETED)
    until(lambda: len(tries) > 5)
    assert written.warnings == ["no answer; the search goes on without its store, which is asked again"]
    assert desk.trials() == []
    away.set()
    until(lambda: [run.info.status for run in desk.trials()] == ["FINISHED"])
    assert written.record.finish("FINISHED") is True


def test_a_record_that_never_opens_says_what_is_missing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    written = recorded(desk, desk.client, monkeypatch)
    written.record.uri, written.record.patience = "http://127.0.0.1:9", 0.1

    def fails() -> Projection:
        raise Unreachable("no answer")

    written.record.make = fails
    written.record.wait(lambda: False)
    assert written.record.opened is None
    assert written.record.finish("FINISHED") is False
    command = f"recurrent sync {written.record.name} --tracking-uri http://127.0.0.1:9"
    assert written.warnings[-1] == f"MLflow lacks the last results; `{command}` sends them"


def test_a_store_that_is_slow_is_named_and_waited_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    written = recorded(desk, desk.client, monkeypatch)
    monkeypatch.setattr(tracking.record, "PATIENT_SECONDS", 0.1)
    make = written.record.make

    def slowly() -> Projection:
        time.sleep(0.5)
        return make()

    written.record.make = slowly
    written.record.wait(lambda: False)
    assert written.record.opened is not None
    assert written.warnings == [f"waiting up to 60 s for the tracking store {desk.uri}"]
    assert written.record.finish("FINISHED") is True


def test_a_new_store_is_given_the_time_that_it_takes(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    written = recorded(desk, desk.client, monkeypatch)
    monkeypatch.setattr(tracking.record, "PATIENT_SECONDS", 0.1)
    written.record.uri, make = f"sqlite:///{tmp_path}/new.db", written.record.make

    def slowly() -> Projection:
        time.sleep(0.5)
        return make()

    written.record.make = slowly
    written.record.wait(lambda: False)
    assert written.record.opened is not None and written.warnings == []


@pytest.mark.parametrize(("uri", "seconds"), [("http://127.0.0.1:9", 15.0), ("sqlite:////x/mlflow.db", 60.0)])
def test_how_long_a_store_is_waited_for(uri: str, seconds: float) -> None:
    def make() -> Projection:
        raise Unreachable("no answer")

    assert Record(uri, "s", make, print).patience == seconds


def test_what_a_store_refuses_is_raised(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    written = recorded(desk, desk.client, monkeypatch)

    def refuses() -> Projection:
        raise SearchStateError("--name: expected a new name")

    written.record.make = refuses
    with pytest.raises(SearchStateError, match="a new name"):
        written.record.wait(lambda: False)
    assert written.warnings == []


def test_what_a_store_refuses_when_nobody_waits_is_said(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    written, waited = recorded(desk, desk.client, monkeypatch), threading.Event()

    def refuses() -> Projection:
        waited.wait()
        raise SearchStateError("--name: expected a new name")

    written.record.make = refuses
    written.record.wait(lambda: True)
    assert len(written.warnings) == 1 and "no answer yet; the search goes on without its store" in written.warnings[0]
    waited.set()
    until(lambda: len(written.warnings) > 1)
    refusal = "MLflow is not told all of this search: --name: expected a new name"
    assert written.warnings[1] == f"{refusal}; {way_out(written.record)}"
    assert written.record.finish("FINISHED") is False
    assert written.warnings[2].startswith("MLflow lacks the last results; `recurrent sync ")
    assert len(written.warnings) == 3, "the refusal is said once"


@pytest.mark.parametrize("state", [State.WELL, State.AWAY])
def test_what_a_store_refuses_at_the_end_is_said_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, state: State
) -> None:
    written = recorded(desk, desk.client, monkeypatch)
    written.record.uri, tried = "http://127.0.0.1:9", []  # a server that is away would be asked again
    written.record.state = state

    def last() -> None:
        tried.append(True)
        raise StoreError("the model: expected a file")

    assert written.record.finish("FINISHED", last) is False
    refusal = "MLflow is not told all of this search: the model: expected a file"
    assert written.warnings == [f"{refusal}; {way_out(written.record)}"] and tried == [True]


def test_a_defect_of_ours_is_raised_at_the_end(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no failure of the store: nobody is told that the store is asked again."""
    written, raised = recorded(desk, desk.client, monkeypatch), threading.Event()

    def failing(**options: Any) -> None:
        raised.set()
        raise KeyError("x")

    monkeypatch.setattr(written.record.projection, "sync", failing)
    written.record.start()
    assert raised.wait(30)
    with pytest.raises(KeyError, match="x"):
        written.record.finish("FINISHED")
    assert written.warnings == []


def test_a_defect_of_ours_in_opening_is_raised_at_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    written = recorded(desk, desk.client, monkeypatch)

    def broken() -> Projection:
        raise KeyError("x")

    written.record.make = broken
    with pytest.raises(KeyError, match="x"):
        written.record.wait(lambda: False)
    assert written.warnings == []


def test_a_damaged_journal_is_no_failure_of_the_store(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    written = recorded(desk, desk.client, monkeypatch)
    desk.write("0000", *COMPLETED)
    (desk.folder / "0001").mkdir()
    (desk.folder / "0001" / "journal.jsonl").write_text("{nonsense}\n")
    written.record.start()
    until(lambda: len(written.warnings) > 0)
    (line,) = written.warnings
    assert line.startswith("MLflow is not told all of this search: ") and "journal.jsonl" in line
    assert line.endswith(f"; {way_out(written.record)}")
    assert written.record.finish("FINISHED") is False
    assert len(written.warnings) == 2 and written.warnings[1].endswith(" sends them once that is put right")


def test_a_denial_that_comes_later_names_the_way_out(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    written = recorded(desk, desk.client, monkeypatch)

    def denies(**options: Any) -> None:
        raise MlflowException("Permission denied", PERMISSION_DENIED)

    monkeypatch.setattr(written.record.projection, "sync", denies)
    written.record.start()
    until(lambda: len(written.warnings) > 0)
    time.sleep(0.1)
    assert written.warnings == [
        f"the tracking store failed: Permission denied; it is asked again; {way_out(written.record)}"
    ]


@pytest.mark.parametrize("meanwhile", [0.0, 1.0])
def test_a_silent_server_is_waited_for_no_longer_than_promised(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, silent_port: int, meanwhile: float
) -> None:
    """Each request waits for two seconds. The end comes while one waits, or between two of them."""
    for name, value in {**SETTINGS, "MLFLOW_HTTP_REQUEST_TIMEOUT": "2"}.items():
        monkeypatch.setenv(name, value)
    written = recorded(desk, desk.client, monkeypatch)
    monkeypatch.setattr(tracking.record, "RETRY_SECONDS", 0.5)
    record, uri = written.record, f"http://127.0.0.1:{silent_port}"
    record.uri, record.patience = uri, 3.0

    def make() -> Projection:
        return Projection(connect(uri), desk.parent, desk.folder, "mse", "min", SESSION, FLOORS)

    record.make = make
    record.wait(lambda: record.error is not None)
    time.sleep(meanwhile)
    began = time.monotonic()
    assert record.finish("FINISHED") is False
    assert time.monotonic() - began < record.patience + 0.5
    assert [line.partition(";")[2] for line in written.warnings] == [
        " the search goes on without its store, which is asked again",
        f" `recurrent sync {record.name} --tracking-uri {uri}` sends them",
    ]


def test_a_thread_that_hangs_is_left_behind(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    written, over = recorded(desk, desk.client, monkeypatch), threading.Event()

    def hangs() -> Projection:
        over.wait(60)
        raise Unreachable("no answer")

    written.record.make, written.record.patience = hangs, 0.5
    written.record.wait(lambda: False)
    began = time.monotonic()
    assert written.record.finish("FINISHED") is False
    assert time.monotonic() - began < 5
    assert written.warnings[-1].startswith("MLflow lacks the last results; `recurrent sync ")
    over.set()
    written.record.thread.join()


def test_a_server_gets_one_line(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    written, over = recorded(desk, desk.client, monkeypatch), threading.Event()
    monkeypatch.setattr(tracking.record, "PATIENT_SECONDS", 0.05)
    written.record.uri, written.record.patience = "http://127.0.0.1:9", 0.5

    def hangs() -> Projection:
        over.wait(60)
        raise Unreachable("no answer")

    written.record.make = hangs
    written.record.wait(lambda: False)
    assert len(written.warnings) == 1 and "the search goes on without its store" in written.warnings[0]
    over.set()


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
    """For example, the library for the server's files is missing. It is named; the search and its run end."""
    written = recorded(desk, desk.client, monkeypatch)
    written.record.start()
    desk.write("0000", *COMPLETED)

    def last() -> None:
        raise ModuleNotFoundError("No module named 'boto3'")

    assert written.record.finish("FINISHED", last) is False
    failed = "MLflow is not told all of this search: the best model: ModuleNotFoundError: No module named 'boto3'"
    assert written.warnings == [f"{failed}; {way_out(written.record)}"]
    assert [run.info.status for run in desk.trials()] == ["FINISHED"] and desk.refreshed().info.status == "FINISHED"


def test_a_defect_of_ours_in_logging_the_model_is_raised(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    written = recorded(desk, desk.client, monkeypatch)
    with pytest.raises(AttributeError):  # raised in models.py
        written.record.finish("FINISHED", lambda: log_models(None, None, []))  # type: ignore[arg-type]
    assert written.warnings == [] and desk.refreshed().info.status == "FINISHED"


def test_a_file_that_is_locked_at_the_end_is_asked_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    written, tried = recorded(desk, desk.client, monkeypatch), []

    def last() -> None:
        tried.append(True)
        if len(tried) < 3:
            raise MlflowException("(sqlite3.OperationalError) database is locked\n[SQL: UPDATE]")

    assert written.record.finish("FINISHED", last) is True
    assert written.warnings == ["the tracking store failed: database is locked; it is asked again"] and len(tried) == 3


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
    written.record.wait(lambda: False)
    assert written.record.opened is not None
    assert written.record.finish("FINISHED") is True


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_dies_is_not_waited_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    written = recorded(desk, desk.client, monkeypatch)

    def dies() -> Projection:
        raise SystemExit

    written.record.make = dies
    written.record.wait(lambda: False)
    assert written.record.opened is None and not written.record.thread.is_alive()
