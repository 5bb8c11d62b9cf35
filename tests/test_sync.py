"""The record survives its server: stopped in mid-search and restarted, or away until `recurrent sync`."""

import json
import signal
import socket
import sqlite3
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from mlflow.artifacts import download_artifacts
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from searching import IMPATIENT, Recurrent, Searched, begin, events, finished, run, text, wait_until

from experiments.folders import SearchFolder
from experiments.spec import Spec
from experiments.tasks.base import digest, make
from tracking import store
from tracking.journal import Journal
from tracking.record import PATIENCE, Record
from tracking.runs import Projection
from tracking.searches import find_search, open_search
from tracking.store import connect
from tracking.ui import server

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


def curves_of(searched: Searched, metric: str) -> list[tuple[int, float]]:
    (run,) = searched.trials()
    return [(one.step, one.value) for one in searched.curve(run, metric)]


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


def test_a_server_that_is_away_at_the_start(tmp_path: Path, servers: Servers) -> None:
    words = ("--tracking-uri", servers.url)
    servers.stop()
    done = run(*WORDS, "--trials", "1", *words, cwd=tmp_path, program=("-c", IMPATIENT))
    assert done.returncode == 2
    expected = f"tracking-uri: expected an MLflow store that works, got {servers.url}: no answer"
    assert done.stderr == f"recurrent search: {expected}\n"
    assert not (tmp_path / "searches").exists(), "a new search that its store has never seen leaves nothing behind"

    servers.start()
    assert run(*WORDS, "--trials", "1", *words, cwd=tmp_path).returncode == 0
    servers.stop()
    process = begin(*WORDS, "--trials", "2", *words, cwd=tmp_path)
    wait_until(lambda: ended(tmp_path, 1), process)  # training does not wait
    servers.start()
    done = finished(process)
    assert (done.returncode, done.stderr) == (0, "")
    searched = Searched(tmp_path, "away", done)
    assert curves(searched) == in_journals(tmp_path, 2) and len(curves(searched)) == 2
    assert searched.parent.info.status == "FINISHED"


class Slow(ThreadingHTTPServer):
    """Hands requests on to an MLflow server, and the answers to those at `path` too late, if at all.

    With `first` it is the first request there that is handed on late, and no other.
    """

    def __init__(self, url: str, path: str, seconds: float, first: bool = False) -> None:
        self.url, self.path, self.seconds, self.first, self.over = url, path, seconds, first, threading.Event()
        self.asked = 0
        super().__init__(("127.0.0.1", 0), SlowHandler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class SlowHandler(BaseHTTPRequestHandler):
    server: Slow

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kept = {key: value for key, value in self.headers.items() if key.lower() in ("content-type",)}
        request = urllib.request.Request(self.server.url + self.path, body or None, kept, method=self.command)
        meant = self.path.split("?")[0].endswith(self.server.path)
        self.server.asked += meant
        if meant and self.server.first and self.server.asked == 1:
            self.server.over.wait(self.server.seconds)
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                code, answer = reply.status, reply.read()
        except urllib.error.HTTPError as error:
            code, answer = error.code, error.read()
        if meant and not self.server.first:
            self.server.over.wait(self.server.seconds)
        with suppress(OSError):
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

    do_POST = do_PATCH = do_DELETE = do_GET

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def slow(servers: Servers) -> Iterator[Callable[..., Slow]]:
    with ExitStack() as stack:

        def make(path: str, seconds: float, first: bool = False) -> Slow:
            made = Slow(servers.url, path, seconds, first)
            stack.callback(made.server_close)
            stack.callback(made.shutdown)
            stack.callback(made.over.set)
            return made

        yield make


def test_a_server_that_answers_too_late_makes_no_second_run(
    tmp_path: Path, servers: Servers, slow: Callable[..., Slow], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**store.SETTINGS, "MLFLOW_HTTP_REQUEST_TIMEOUT": "2"}.items():
        monkeypatch.setenv(name, value)
    proxy, journals = slow("/runs/create", 6), tmp_path / "journals"
    uri = f"http://127.0.0.1:{proxy.server_port}"
    client = connect(uri)
    spec = {"name": "s", "task": "adding", "options": {}, "digest": "0", "versions": {}, "seed": 0, "id": "1"}

    def opened() -> Run:
        return open_search(client, "s", "adding", None, spec, {})

    with pytest.raises(MlflowException):
        opened()
    parent = opened()
    assert proxy.asked == 1
    (journals / "0000").mkdir(parents=True)
    values = {"architecture": "gru-16"}
    Journal(journals / "0000" / "journal.jsonl").append("start", attempt=1, session="a", worker=0, parameters=values)
    projection = Projection(client, parent, journals, "mse", "min", "a", {})
    with pytest.raises(MlflowException):
        projection.sync()
    projection.sync(over=True)
    assert proxy.asked == 2
    found = connect(servers.uri).search_runs([parent.info.experiment_id])
    assert sorted(run.data.tags["kind"] for run in found) == ["search", "trial"]


def test_a_search_that_a_server_makes_too_late_is_there_once(
    tmp_path: Path, servers: Servers, slow: Callable[..., Slow], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first request is carried out when a second one has been: of the two runs the end leaves one."""
    for name, value in {**store.SETTINGS, "MLFLOW_HTTP_REQUEST_TIMEOUT": "2"}.items():
        monkeypatch.setenv(name, value)
    proxy, journals = slow("/runs/create", 8, first=True), tmp_path / "journals"
    uri = f"http://127.0.0.1:{proxy.server_port}"
    spec = {"name": "s", "task": "adding", "options": {}, "digest": "0", "versions": {}, "seed": 0, "id": "1"}
    (journals / "0000").mkdir(parents=True)

    def make() -> Projection:
        client = connect(uri)
        return Projection(client, open_search(client, "s", "adding", None, spec, {}), journals, "mse", "min", "a", {})

    def runs() -> list[Run]:
        direct = connect(servers.uri)
        return list(direct.search_runs([one.experiment_id for one in direct.search_experiments()]))

    record = Record(uri, "s", make, lambda text: None)
    assert record.open(record.in_vain) is True
    assert len(runs()) == 1
    values = {"architecture": "gru-16"}
    Journal(journals / "0000" / "journal.jsonl").append("start", attempt=1, session="a", worker=0, parameters=values)
    deadline = time.monotonic() + 60
    while len(runs()) < 3 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert sorted(run.data.tags["kind"] for run in runs()) == ["search", "search", "trial"], "it has come"
    assert record.finish("FINISHED") is True
    (trial, search) = sorted(runs(), key=lambda run: run.data.tags["kind"], reverse=True)
    assert (trial.data.tags["kind"], search.data.tags["kind"]) == ("trial", "search")
    assert trial.data.tags["mlflow.parentRunId"] == search.info.run_id
    assert (trial.info.status, search.info.status) == ("KILLED", "FINISHED")


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_new_search_that_its_store_may_know_goes_on_with_resume(
    tmp_path: Path, servers: Servers, slow: Callable[..., Slow], interrupted: bool
) -> None:
    """The server makes its run, but does not say so: the name is taken, and the search must not be lost."""
    proxy = slow("/runs/create", 60)
    new, words = WORDS[:-1], ("--trials", "1", "--tracking-uri", f"http://127.0.0.1:{proxy.server_port}")
    process = begin(*new, *words, cwd=tmp_path, program=("-c", IMPATIENT))
    if interrupted:
        wait_until(lambda: proxy.asked > 0, process)
        process.send_signal(signal.SIGINT)
    done = finished(process)
    if interrupted:
        assert done.returncode == 130
        assert "\n  recurrent search adding " in done.stdout and done.stdout.rstrip().endswith("--resume")
    else:
        assert done.returncode == 2
        assert done.stderr.splitlines()[-1].endswith(": no answer; --resume goes on with 'away'")
    assert (tmp_path / "searches" / "away" / "spec.json").exists()
    proxy.over.set()
    proxy.seconds = 0
    again = run(*WORDS, *words, cwd=tmp_path)
    assert (again.returncode, again.stderr) == (0, "") and "store failed" not in again.stdout
    searched = Searched(tmp_path, "away", again)
    assert searched.parent.info.status == "FINISHED"
    assert curves(searched) == in_journals(tmp_path, 1) and len(curves(searched)) == 1


def test_a_server_that_answers_slowly_is_no_server_that_is_away(tmp_path: Path, slow: Callable[..., Slow]) -> None:
    """A new search takes some twenty answers, here of half a second each; given up is after one second."""
    words = ("--trials", "1", "--tracking-uri", f"http://127.0.0.1:{slow('', 0.5).server_port}")
    done = run(*WORDS[:-1], *words, cwd=tmp_path, program=("-c", IMPATIENT))
    assert (done.returncode, done.stderr) == (0, "") and "store failed" not in done.stdout


def test_a_server_that_answers_but_does_not_search(tmp_path: Path, slow: Callable[..., Slow]) -> None:
    words = ("--tracking-uri", f"http://127.0.0.1:{slow('/runs/search', 60).server_port}")
    done = run(*WORDS, "--trials", "1", *words, cwd=tmp_path, program=("-c", IMPATIENT))
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert done.stderr.startswith("recurrent search: tracking-uri: expected an MLflow store that works")
    assert not (tmp_path / "searches").exists()
    done = run("results", *words, cwd=tmp_path, program=("-c", IMPATIENT))
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)


@pytest.mark.parametrize(
    ("events", "status", "stopped"),
    [
        ([], "KILLED", "its launcher was killed"),
        ([("start", {}), ("end", {"status": "FINISHED", "why": "the target"})], "FINISHED", "the target"),
        ([("start", {}), ("end", {"status": "FAILED", "why": "workers end"})], "FAILED", "workers end"),
        ([("end", {"status": "FINISHED", "why": "the target"}), ("start", {})], "KILLED", "its launcher was killed"),
    ],
)
def test_sync_leaves_a_search_as_it_ended(
    tmp_path: Path, recurrent: Recurrent, events: list[tuple[str, dict[str, str]]], status: str, stopped: str
) -> None:
    folder = SearchFolder(tmp_path / "searches" / "away")
    folder.path.mkdir(parents=True)
    options = {"length": "5", "train": "16", "val": "16", "test": "16"}
    task = make("adding", options)
    found = digest([task.split(name, 0) for name in ("train", "val")])
    Spec(name="away", task="adding", options=options, cells=["gru"], digest=found, id="1").write(folder)
    for event, fields in events:
        folder.journal.append(event, **fields)
    done = recurrent("sync", "away", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    parent = find_search(connect(f"sqlite:///{tmp_path}/mlflow.db"), "away")
    assert parent is not None
    assert (parent.info.status, parent.data.tags["stopped"]) == (status, stopped)


def test_sync_says_what_the_search_was_run_with_and_refuses_other_data(tmp_path: Path, recurrent: Recurrent) -> None:
    folder = SearchFolder(tmp_path / "searches" / "away")
    folder.path.mkdir(parents=True)
    (tmp_path / "text.txt").write_text(text(42_000, seed=0), encoding="utf-8")
    options = {"corpus": str(tmp_path / "text.txt"), "window": "16"}
    task = make("char_lm", options)
    found = digest([task.split(name, 0) for name in ("train", "val")])
    Spec(name="away", task="char_lm", options=options, cells=["gru"], digest=found, id="1").write(folder)
    earlier = {**json.loads(folder.spec.read_text()), "commit": "earlier", "versions": {"keras": "3.0.0"}}
    folder.spec.write_text(json.dumps(earlier))
    assert recurrent("sync", "away", cwd=tmp_path).returncode == 0
    parent = find_search(connect(f"sqlite:///{tmp_path}/mlflow.db"), "away")
    assert parent is not None
    assert (parent.data.tags["commit"], parent.data.tags["version.keras"]) == ("earlier", "3.0.0")
    (tmp_path / "text.txt").write_text(text(42_000, seed=1), encoding="utf-8")
    done = recurrent("sync", "away", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"recurrent sync: data: expected those of the search, digest {found[:12]}, got ")
    floors = find_search(connect(f"sqlite:///{tmp_path}/mlflow.db"), "away").data.metrics  # type: ignore[union-attr]
    assert floors == parent.data.metrics


class Denying(BaseHTTPRequestHandler):
    """A server that wants a name and a password, or one that is no MLflow."""

    code, text = 401, ""

    def do_GET(self) -> None:
        self.send_response(self.code)
        self.send_header("Content-Length", str(len(self.text)))
        self.end_headers()
        self.wfile.write(self.text.encode())

    do_POST = do_GET

    def log_message(self, *_: Any) -> None:
        pass


@pytest.mark.parametrize(("code", "text"), [(401, "not authenticated"), (403, "Permission denied"), (404, "nothing")])
def test_a_server_that_refuses_is_believed_at_once(
    tmp_path: Path, recurrent: Recurrent, monkeypatch: pytest.MonkeyPatch, code: int, text: str
) -> None:
    monkeypatch.setattr(Denying, "code", code)
    monkeypatch.setattr(Denying, "text", text)
    with ThreadingHTTPServer(("127.0.0.1", 0), Denying) as denying:
        threading.Thread(target=denying.serve_forever, daemon=True).start()
        words = ("--tracking-uri", f"http://127.0.0.1:{denying.server_port}")
        began = time.monotonic()
        done = run(*WORDS[:-1], "--trials", "1", *words, cwd=tmp_path)
        assert time.monotonic() - began < PATIENCE, "it is not asked again"
        listed = recurrent("results", *words, cwd=tmp_path)
        denying.shutdown()
    for one in (done, listed):
        (line,) = one.stderr.splitlines()
        assert one.returncode == 2 and f"error code {code}" in line and text in line
    assert not (tmp_path / "searches").exists()


# Its record opens at the second attempt; when it is opened once more at the end, its experiment has been deleted.
REFUSED_AT_LAST = """
import sys
from experiments.cli import main
from experiments.launch import Launch
from tracking.store import Unreachable

opened, tries = Launch._open_in, []


def open_in(self, client, session):
    tries.append(1)
    if len(tries) == 1:
        raise Unreachable("no answer")
    if len(tries) == 3:
        client.delete_experiment(client.get_experiment_by_name("adding").experiment_id)
    return opened(self, client, session)


Launch._open_in = open_in
sys.exit(main(sys.argv[1:]))
"""


def test_a_search_that_is_refused_at_its_end_keeps_what_it_has_trained(tmp_path: Path) -> None:
    done = run(*WORDS[:-1], "--trials", "1", cwd=tmp_path, program=("-c", REFUSED_AT_LAST))
    assert done.returncode == 1
    assert "MLflow is not told all of this search: task: expected an experiment 'adding' in use, got a " in done.stdout
    assert ended(tmp_path, 0) and (tmp_path / "searches" / "away" / "trials" / "0000" / "model.keras").exists()
    client = connect(f"sqlite:///{tmp_path}/mlflow.db")
    client.restore_experiment(client.get_experiment_by_name("adding").experiment_id)
    synced = run("sync", "away", cwd=tmp_path)
    assert (synced.returncode, synced.stderr) == (0, "")
    assert curves(Searched(tmp_path, "away", done)) == in_journals(tmp_path, 1)


def test_a_store_that_cannot_be_written_says_how_to_go_on(tmp_path: Path) -> None:
    """The run may be there all the same, so the search stays."""
    connect(f"sqlite:///{tmp_path}/mlflow.db", create=True)
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        database.execute("CREATE TRIGGER full BEFORE INSERT ON runs BEGIN SELECT RAISE(FAIL, 'disk is full'); END")
    done = run(*WORDS[:-1], "--trials", "1", cwd=tmp_path)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert "disk is full" in done.stderr and done.stderr.endswith("; --resume goes on with 'away'\n")
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        database.execute("DROP TRIGGER full")
    again = run(*WORDS, "--trials", "1", cwd=tmp_path)
    assert (again.returncode, again.stderr) == (0, "")


# A file's server takes no models.
NO_MODELS = """
import sys
import tracking.models
from experiments.cli import main


def refuses(*words):
    raise ModuleNotFoundError("No module named 'boto3'")


tracking.models.log_best = refuses
sys.exit(main(sys.argv[1:]))
"""


def test_a_search_whose_model_is_not_logged_does_not_end_well(tmp_path: Path) -> None:
    """Who says `recurrent search … && recurrent export …` must not get another model, or none."""
    done = run(*WORDS[:-1], "--trials", "1", cwd=tmp_path, program=("-c", NO_MODELS))
    assert (done.returncode, done.stderr) == (1, "")
    assert "the best model: ModuleNotFoundError: No module named 'boto3'" in done.stdout
    assert "Best by cell" in done.stdout
    synced = run("sync", "away", cwd=tmp_path)
    assert (synced.returncode, synced.stderr) == (0, "")


def test_a_process_that_stops_while_it_makes_the_database_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MAKING", 0.1)
    held = tmp_path / "mlflow.db.lock"
    with FileLock(held), pytest.raises(store.Unreachable, match=f"another process holds {held}$"):
        connect(f"sqlite:///{tmp_path}/mlflow.db", create=True)


def test_data_that_have_changed_keep_no_search_from_being_sent(
    tmp_path: Path, servers: Servers, recurrent: Recurrent
) -> None:
    """Its floors, and the vocabulary of its model, are those that it was run with; the text itself is not needed."""
    corpus = tmp_path / "text.txt"
    corpus.write_text(text(42_000, seed=0), encoding="utf-8")
    words = ("search", "char_lm", "-o", "corpus=text.txt", "-o", "train=9600", "-o", "window=16", "--cells", "gru")
    words += ("--depth", "1", "--width", "16", "--oracle", "grid", "--learning-rate", "0.02", "--epochs", "2")
    words += ("--batch", "8", "--workers", "1", "--name", "away", "--tracking-uri", servers.url)
    process = begin(*words, cwd=tmp_path, program=("-c", IMPATIENT))
    wait_until(lambda: bool(events(tmp_path, "away", "0000")), process)
    servers.stop()
    done = finished(process)
    assert done.returncode == 1 and ended(tmp_path, 0), done
    corpus.unlink()
    servers.start()
    synced = recurrent("sync", "away", "--tracking-uri", servers.url, cwd=tmp_path)
    assert (synced.returncode, synced.stderr) == (0, "")
    searched = Searched(tmp_path, "away", done)
    assert curves_of(searched, "val_bits_per_character") == [
        (one["epoch"], one["metrics"]["val_bits_per_character"])
        for one in events(tmp_path, "away", "0000")
        if one["event"] == "epoch"
    ]
    described = json.loads((tmp_path / "searches" / "away" / "task.json").read_text())
    floors = {name.removeprefix("floor/"): value for name, value in searched.parent.data.metrics.items()}
    assert {name: floors[name] for name in described["floors"]} == described["floors"] and len(described["floors"]) > 1
    (model,) = searched.client.search_logged_models([searched.parent.info.experiment_id])
    folder = download_artifacts(artifact_uri=model.artifact_location, tracking_uri=servers.uri, dst_path=str(tmp_path))
    card = json.loads((Path(folder) / "model.json").read_text())
    assert card["preprocessing"]["vocabulary"] == described["preprocessing"]["vocabulary"]
    assert (card["metric"], card["direction"], card["shapes"]) == (
        "bits_per_character",
        "min",
        {
            "input": {"shape": [None, None], "dtype": "int32"},
            "output": {"shape": [None, None, len(card["preprocessing"]["vocabulary"])], "dtype": "float32"},
        },
    )


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


@pytest.mark.parametrize("resumed", [False, True])
def test_a_file_that_somebody_else_writes_is_waited_for(tmp_path: Path, resumed: bool) -> None:
    """Longer than SQLite waits: a new search keeps its name, one that goes on trains."""
    if resumed:
        assert run(*WORDS, "--trials", "1", cwd=tmp_path).returncode == 0
    else:
        connect(f"sqlite:///{tmp_path}/mlflow.db", create=True).create_experiment("adding")
    with closing(sqlite3.connect(tmp_path / "mlflow.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        process = begin(*WORDS, "--trials", "2", cwd=tmp_path, program=("-c", IMPATIENT))
        if resumed:
            wait_until(lambda: ended(tmp_path, 1), process)
            other.execute("ROLLBACK")
        done = finished(process)
    if resumed:
        assert (done.returncode, done.stderr) == (0, "")
    else:
        assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
        assert done.stderr.endswith("/mlflow.db: database is locked; --resume goes on with 'away'\n")
        done = run(*WORDS, "--trials", "2", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
    searched = Searched(tmp_path, "away", done)
    assert searched.parent.info.status == "FINISHED"
    assert curves(searched) == in_journals(tmp_path, 2) and len(curves(searched)) == 2
