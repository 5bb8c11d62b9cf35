"""MLflow's own server, started for real."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import record
from support.searching import Recurrent

from tracking import ui

ROOT = Path(__file__).parents[2]
OTHER_SERVER = {"MLFLOW_STATIC_PREFIX": "/mlflow", "MLFLOW_SERVER_ALLOWED_HOSTS": "mlflow.example"}  # a user's own
PROGRAM = """
import sys
from tracking import ui
with ui.server(sys.argv[1]) as running:
    print(running.url, running.process.pid, flush=True)
    running.wait()
print("ended", flush=True)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A record whose last run has an artifact, written without a server."""
    folder = tmp_path_factory.mktemp("record")
    client, experiment_id = record.write_record(folder)
    client.log_text(client.search_runs([experiment_id])[0].info.run_id, "hello", "note.txt")
    return folder


@pytest.fixture(scope="module")
def program(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str, int]]:
    """A process of its own that serves the record: (process, address, process id of the server)."""
    arguments = [sys.executable, "-c", PROGRAM, f"sqlite:///{folder}/mlflow.db"]
    here = folder / "elsewhere"
    here.mkdir()
    env = os.environ | OTHER_SERVER | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(arguments, cwd=here, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url, _, server = process.stdout.readline().partition(" ")
        yield process, url, int(server)
        process.kill()


def get(url: str, body: dict[str, Any] | None = None) -> str:
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as reply:
        return str(reply.read().decode())


def group_lives(leader: int) -> bool:
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_server_shows_the_record_and_leaves_nothing_behind(
    folder: Path, program: tuple[subprocess.Popen[str], str, int]
) -> None:
    process, url, server = program
    assert get(f"{url}/health") == "OK"
    query = {
        "experiment_ids": ["1"],
        "filter": "tags.`recurrent.kind` = 'trial' and tags.`recurrent.search_id` = 'adding-50'",
    }
    runs = json.loads(get(f"{url}/api/2.0/mlflow/runs/search", query))["runs"]
    assert len(runs) == record.TRIALS
    newest = json.loads(get(f"{url}/api/2.0/mlflow/runs/search", {"experiment_ids": ["1"]}))["runs"][0]["info"][
        "run_id"
    ]
    assert get(f"{url}/get-artifact?path=note.txt&run_uuid={newest}") == "hello"

    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=30)[0] == "ended\n"
    assert process.returncode == 0
    assert not group_lives(server)
    with pytest.raises(OSError):
        get(f"{url}/health")
    assert {path.name for path in folder.iterdir()} <= {
        *("mlflow.db", "mlflow.db-shm", "mlflow.db-wal", "mlartifacts", "mlflow-server.log", "elsewhere")
    }
    assert not list((folder / "elsewhere").iterdir())


def test_a_server_that_ends_at_start_says_why_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("not a database, although it is long enough to be read as the head of one" * 9)
    seen: list[float] = []
    with (
        pytest.raises(ValueError, match="server: expected it to run, got exit code") as caught,
        ui.server(f"sqlite:///{tmp_path}/mlflow.db", progress=seen.append),
    ):
        pass
    assert "\n" not in str(caught.value)
    assert "mlflow-server.log" in str(caught.value)
    assert seen == sorted(seen) and seen


def test_taken_port_is_refused(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(ValueError, match=f"port: expected a free one, .* got {port}"),
            ui.server(f"sqlite:///{folder}/mlflow.db", port),
        ):
            pass


@pytest.mark.parametrize("port", [5061, 6000, 6667])
def test_a_port_that_browsers_refuse_is_refused(recurrent: Recurrent, folder: Path, port: int) -> None:
    done = recurrent("ui", "--port", str(port), cwd=folder)
    line = f"recurrent ui: port: expected one that browsers open, got {port}, which they refuse\n"
    assert (done.returncode, done.stderr) == (2, line)


def test_a_kill_leaves_no_server(tmp_path: Path) -> None:
    """The server here is a program that sleeps; it has a child, as MLflow's server has."""
    command = ["sh", "-c", "sleep 600 & echo ready; sleep 600"]
    code = f"""
import time
from pathlib import Path
from tracking import server
with server._process({command}, Path("log")) as process:
    print(process.pid, flush=True)
    time.sleep(600)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as starter:
        assert starter.stdout is not None
        group = int(starter.stdout.readline())
        deadline = time.monotonic() + 30
        while "ready" not in (tmp_path / "log").read_text() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert group_lives(group)
        starter.kill()
    while group_lives(group) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not group_lives(group)


@pytest.mark.parametrize("port", [-1, 70_000])
def test_impossible_port_is_refused(folder: Path, port: int) -> None:
    with pytest.raises(ValueError, match="port: expected"), ui.server(f"sqlite:///{folder}/mlflow.db", port):
        pass


def test_missing_database_is_named_and_not_created(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match=r"no record here: expected .*mlflow\.db, run `recurrent search` first"),
        ui.server(f"sqlite:///{tmp_path}/mlflow.db"),
    ):
        pass
    assert not list(tmp_path.iterdir())


def test_a_server_elsewhere_is_used_as_it_is() -> None:
    with ui.server("https://mlflow.example.org/") as running:
        assert running.url == "https://mlflow.example.org"
        running.wait()
