"""Searches in a real SQLite store whose journals a test writes by hand, and stores that fail."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from tracking.runs import Projection
from tracking.searches import open_search
from tracking.store import artifacts, connect

START = 1_700_000_000_000  # ms
SESSION = "launcher-1"
FLOORS = {"no_memory": 1 / 6, "half_memory": 1 / 12}
CALLS = ("create_run", "log_batch", "set_terminated", "update_run", "delete_tag")


@pytest.fixture(scope="session")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"


@pytest.fixture(scope="session")
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
    solved: float | None = None

    def write(self, trial: str, *lines: dict[str, Any], torn: str = "") -> None:
        (self.folder / trial).mkdir(exist_ok=True)
        with (self.folder / trial / "journal.jsonl").open("a", encoding="utf-8") as file:
            file.write("".join(json.dumps(line) + "\n" for line in lines) + torn)

    def projection(self, session: str = SESSION) -> Projection:
        return Projection(self.client, self.parent, self.folder, "mse", self.direction, session, FLOORS, self.solved)

    def sync(self, session: str = SESSION, over: bool = False) -> list[Run]:
        """What a launcher that has just started brings about."""
        self.projection(session).sync(over)
        return self.trials()

    def trials(self) -> list[Run]:
        text = f"tags.`recurrent.kind` = 'trial' and tags.`mlflow.parentRunId` = '{self.parent.info.run_id}'"
        found = self.client.search_runs([self.parent.info.experiment_id], text)
        return sorted(found, key=lambda run: run.data.tags["recurrent.trial"])

    def refreshed(self) -> Run:
        return self.client.get_run(self.parent.info.run_id)

    def curve(self, run: Run, metric: str) -> list[tuple[int, int, float]]:
        history = self.client.get_metric_history(run.info.run_id, metric)
        return [(point.timestamp - START, point.step, point.value) for point in history]

    def rows(self) -> dict[str, list[Any]]:
        """What the database itself holds of this search, runs named by their trial."""
        names = {run.info.run_id: run.data.tags["recurrent.trial"] for run in self.trials()}
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
    spec |= {"id": search, "metric": "mse", "direction": "min"}
    parent = open_search(client, name, "adding", artifacts(uri, "adding"), spec, {"no_memory": 1 / 6})
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


class Flaky:
    """A client. Its n-th call of the methods `names` fails, before the store has done it or after."""

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


def again(sync: Callable[[], None]) -> None:
    with suppress(MlflowException):
        sync()
        return
    sync()
