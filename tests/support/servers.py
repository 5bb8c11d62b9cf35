"""A small search that writes to an MLflow server which can be stopped, and what it must have there."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.request import urlopen

import pytest

from support.searching import Searched, events
from support.warm import fork

START_SECONDS = 120  # longest wait for the server on a busy machine
WORDS = (
    *("search", "adding", "-o", "length=5", "-o", "train=64", "-o", "val=16", "-o", "test=16", "--oracle", "grid"),
    *("--cells", "simple_rnn", "--depth", "1", "--width", "1,2,3,4", "--learning-rate", "0.01", "--epochs", "2"),
    *("--workers", "1", "--no-horizon", "--name", "away", "--resume"),
)


class Servers:
    """An MLflow server that can be stopped, and started again at the same address."""

    def __init__(self, folder: Path) -> None:
        from tracking.store import connect

        self.uri = f"sqlite:///{folder}/mlflow.db"
        connect(self.uri, create=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.process = fork(_serve, self.uri, self.port)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self.process.is_alive() and time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.05)

    def _answers(self) -> bool:
        with suppress(OSError), urlopen(f"{self.url}/health", timeout=5) as reply:
            return bool(reply.status == 200)
        return False

    def stop(self) -> None:
        """It may be stopped already."""
        self.process.terminate()
        self.process.join()


def _serve(uri: str, port: int) -> None:
    """MLflow's server, as `mlflow server --workers 1 --no-serve-artifacts` runs it in the process that it begins."""
    import uvicorn
    from mlflow.server import ARTIFACT_ROOT_ENV_VAR, BACKEND_STORE_URI_ENV_VAR

    from tracking.root import ARTIFACTS
    from tracking.server import SETTINGS
    from tracking.store import database

    folder = database(uri).parent  # type: ignore[union-attr]
    artifacts = (folder / ARTIFACTS).as_uri()
    os.environ.update(SETTINGS | {BACKEND_STORE_URI_ENV_VAR: uri, ARTIFACT_ROOT_ENV_VAR: artifacts})
    uvicorn.run(
        "mlflow.server.fastapi_app:app", host="127.0.0.1", port=port, log_level="critical", timeout_graceful_shutdown=1
    )


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
