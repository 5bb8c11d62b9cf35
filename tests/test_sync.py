"""The record survives its server: stopped in mid-search and restarted, or away until `recurrent sync`."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from searching import Searched, begin, events, finished, run, wait_until

from experiments.folders import SearchFolder
from tracking.store import connect
from tracking.ui import server

IMPATIENT = """
import sys
import tracking.record
from experiments.cli import main

tracking.record.PATIENCE = 1.0
tracking.record.AFTER_FAILURE = 1.0
sys.exit(main(sys.argv[1:]))
"""
WORDS = (
    *("search", "adding", "-o", "length=5", "-o", "train=64", "-o", "val=16", "-o", "test=16", "--oracle", "grid"),
    *("--cells", "simple_rnn", "--depth", "1", "--width", "1,2,3,4", "--learning-rate", "0.01", "--epochs", "2"),
    *("--workers", "1", "--name", "away", "--resume"),
)


class Servers:
    """An MLflow server that can be stopped, and started again at the same address."""

    def __init__(self, folder: Path) -> None:
        self.uri, self.stack = f"sqlite:///{folder}/mlflow.db", ExitStack()
        connect(self.uri, create=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
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
        (run.data.tags["trial"], run.info.status, [(one.step, one.value) for one in searched.curve(run, "val_mse")])
        for run in searched.trials()
    ]


def in_journals(folder: Path, trials: int) -> list[tuple[str, str, list[tuple[int, float]]]]:
    return [
        (f"{trial:04d}", "FINISHED", [(one["epoch"], one["metrics"]["val_mse"]) for one in epochs])
        for trial in range(trials)
        if (epochs := [one for one in events(folder, "away", f"{trial:04d}") if one["event"] == "epoch"])
    ]


def test_a_server_that_goes_and_comes_back(tmp_path: Path, servers: Servers) -> None:
    words = ("--trials", "3", "--tracking-uri", servers.url)
    process = begin(*WORDS, *words, cwd=tmp_path)
    wait_until(lambda: ended(tmp_path, 0), process)
    servers.stop()
    wait_until(lambda: ended(tmp_path, 1), process)  # training goes on
    servers.start()
    done = finished(process)
    assert done.returncode == 0, done
    searched = Searched(tmp_path, "away", done)
    assert curves(searched) == in_journals(tmp_path, 3) and len(curves(searched)) == 3

    servers.stop()
    process = begin_impatient(*WORDS, "--trials", "4", "--tracking-uri", servers.url, cwd=tmp_path, servers=servers)
    done = finished(process)
    assert done.returncode == 1 and ended(tmp_path, 3)
    assert f"recurrent sync away --tracking-uri {servers.url}" in done.stderr.replace("\n", " ")
    assert len(curves(searched)) < 4 or curves(searched)[3][1] != "FINISHED"

    servers.start()
    for _ in range(2):  # the second time changes nothing
        synced = run("sync", "away", "--tracking-uri", servers.url, cwd=tmp_path)
        assert (synced.returncode, synced.stderr) == (0, "")
        assert synced.stdout == f"away: {servers.url} has all that its journals say\n"
        assert curves(searched) == in_journals(tmp_path, 4)
        assert searched.parent.info.status == "FINISHED"


def begin_impatient(*words: str, cwd: Path, servers: Servers) -> Any:
    """A search whose server goes as soon as its workers begin."""
    servers.start()
    process = begin(*words, cwd=cwd, program=("-c", IMPATIENT))
    wait_until(lambda: bool(events(cwd, "away", "0003")), process)
    servers.stop()
    return process


def test_a_search_that_runs_is_not_sent_by_two(tmp_path: Path) -> None:
    folder = SearchFolder(tmp_path / "searches" / "away")
    folder.path.mkdir(parents=True)
    spec = {"name": "away", "task": "adding", "options": {"length": "5"}, "cells": ["gru"]}
    folder.spec.write_text(json.dumps(spec))
    with folder.launcher_lock:
        done = run("sync", "away", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "recurrent sync: NAME: expected a search that is not running, got 'away', which is\n"
    assert not (tmp_path / "mlflow.db").exists()
