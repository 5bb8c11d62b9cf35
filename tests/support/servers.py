"""A small search that writes to an MLflow server which can be stopped, and what it must have there."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.searching import Searched, events

WORDS = (
    *("search", "adding", "-o", "length=5", "-o", "train=64", "-o", "val=16", "-o", "test=16", "--oracle", "grid"),
    *("--cells", "simple_rnn", "--depth", "1", "--width", "1,2,3,4", "--learning-rate", "0.01", "--epochs", "2"),
    *("--workers", "1", "--no-horizon", "--name", "away", "--resume"),
)


class Servers:
    """An MLflow server that can be stopped, and started again at the same address."""

    def __init__(self, folder: Path) -> None:
        from tracking.store import connect

        self.uri, self.stack = f"sqlite:///{folder}/mlflow.db", ExitStack()
        connect(self.uri, create=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        from tracking.ui import server

        self.stack.enter_context(server(self.uri, self.port))

    def stop(self) -> None:
        self.stack.close()


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    found = Servers(tmp_path)
    found.start()
    yield found
    found.stop()


def ended(folder: Path, trial: int) -> bool:
    return any(event["event"] == "end" for event in events(folder, "away", f"{trial:04d}"))


def curves(searched: Searched) -> list[tuple[str, str, list[tuple[int, float]]]]:
    """(trial, status, what its epochs scored) of every run."""
    return [
        (
            run.data.tags["recurrent.trial"],
            run.info.status,
            [(one.step, one.value) for one in searched.curve(run, "val_mse")],
        )
        for run in searched.trials()
    ]


def in_journals(folder: Path, trials: int) -> list[tuple[str, str, list[tuple[int, float]]]]:
    return [
        (f"{trial:04d}", "FINISHED", [(one["epoch"], one["metrics"]["val_mse"]) for one in epochs])
        for trial in range(trials)
        if (epochs := [one for one in events(folder, "away", f"{trial:04d}") if one["event"] == "epoch"])
    ]
