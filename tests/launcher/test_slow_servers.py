"""Servers that answer too late, slowly, or with a refusal: one run of everything, no search lost or kept waiting."""

import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from support.searching import IMPATIENT, Recurrent, Searched, begin, finished, run, wait_until
from support.servers import WORDS, Servers, curves, ended, in_journals

from tracking import store
from tracking.journal import Journal
from tracking.record import SERVER_SECONDS, Record
from tracking.runs import Projection
from tracking.searches import open_search
from tracking.store import connect


class Slow(ThreadingHTTPServer):
    """Hands requests on to an MLflow server, and the answers to those at `path` too late, if at all.

    With `first` it is the first request there that is handed on late, and no other. With `denies` none there is.
    """

    denies = False

    def __init__(self, url: str, path: str, seconds: float, first: bool = False) -> None:
        self.url, self.path, self.seconds, self.first, self.over = url, path, seconds, first, threading.Event()
        self.asked = 0
        super().__init__(("127.0.0.1", 0), SlowHandler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone meanwhile is what is tested."""


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
        code, answer = 403, b"Permission denied"
        try:
            if not (meant and self.server.denies):
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
    assert sorted(run.data.tags["recurrent.kind"] for run in found) == ["search", "trial"]


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
    record.wait(lambda: record.opened is not None)
    assert record.opened is not None and len(runs()) == 1
    values = {"architecture": "gru-16"}
    Journal(journals / "0000" / "journal.jsonl").append("start", attempt=1, session="a", worker=0, parameters=values)
    deadline = time.monotonic() + 60
    while len(runs()) < 3 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert sorted(run.data.tags["recurrent.kind"] for run in runs()) == ["search", "search", "trial"], "it has come"
    assert record.finish("FINISHED") is True
    (trial, search) = sorted(runs(), key=lambda run: run.data.tags["recurrent.kind"], reverse=True)
    assert (trial.data.tags["recurrent.kind"], search.data.tags["recurrent.kind"]) == ("trial", "search")
    assert trial.data.tags["mlflow.parentRunId"] == search.info.run_id
    assert (trial.info.status, search.info.status) == ("KILLED", "FINISHED")


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_search_whose_run_was_made_without_an_answer_takes_it_over(
    tmp_path: Path, servers: Servers, slow: Callable[..., Slow], interrupted: bool
) -> None:
    """The server makes its run, but does not say so: the search trains, and finds the run by its id."""
    proxy = slow("/runs/create", 60)
    new, words = WORDS[:-1], ("--trials", "1", "--tracking-uri", f"http://127.0.0.1:{proxy.server_port}")
    process = begin(*new, *words, cwd=tmp_path, code=IMPATIENT)
    if interrupted:
        wait_until(lambda: proxy.asked > 0, process)
        process.send_signal(signal.SIGINT)
    done = finished(process)
    assert done.returncode == (130 if interrupted else 1)
    if interrupted:
        assert "\n  recurrent search adding " in done.stdout and done.stdout.rstrip().endswith("--resume")
    else:
        assert ended(tmp_path, 0) and "; the search goes on without its store" in done.stdout.replace("\n", " ")
    assert (tmp_path / "searches" / "away" / "spec.json").exists()
    proxy.over.set()
    proxy.seconds = 0
    again = run(*WORDS, *words, cwd=tmp_path)
    assert (again.returncode, again.stderr) == (0, "") and "store failed" not in again.stdout
    searched = Searched(tmp_path, "away", again)
    assert searched.parent.info.status == "FINISHED"
    assert curves(searched) == in_journals(tmp_path, 1) and len(curves(searched)) == 1


@pytest.mark.slow  # on a busy machine a search takes longer than the wait that is tested
def test_a_server_that_answers_slowly_is_no_server_that_is_away(tmp_path: Path, slow: Callable[..., Slow]) -> None:
    """A new search takes some twenty answers, here of 0.2 s each; given up is after three seconds."""
    words = ("--trials", "1", "--tracking-uri", f"http://127.0.0.1:{slow('', 0.2).server_port}")
    done = run(*WORDS[:-1], *words, cwd=tmp_path, code=IMPATIENT.replace("= 1.0", "= 3.0"))
    assert (done.returncode, done.stderr) == (0, "") and "store failed" not in done.stdout


def test_a_server_that_answers_but_does_not_search(tmp_path: Path, slow: Callable[..., Slow]) -> None:
    words = ("--tracking-uri", f"http://127.0.0.1:{slow('/runs/search', 60).server_port}")
    done = run(*WORDS, "--trials", "1", *words, cwd=tmp_path, code=IMPATIENT)
    assert done.returncode == 1 and ended(tmp_path, 0)
    assert "tracking-uri: expected an MLflow store" in done.stdout.replace("\n", " ")
    done = run("results", *words, cwd=tmp_path, code=IMPATIENT)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)


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


@pytest.fixture
def denying(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server that denies everything with the parameters (code, text)."""
    for name, value in zip(("code", "text"), request.param, strict=True):
        monkeypatch.setattr(Denying, name, value)
    with ThreadingHTTPServer(("127.0.0.1", 0), Denying) as denying:
        threading.Thread(target=denying.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{denying.server_port}"
        denying.shutdown()


DENIALS = [
    (401, "not authenticated"),
    (403, "Permission denied"),
    (404, "nothing"),
    (401, '{"message": "not for you"}'),
]


@pytest.mark.parametrize("denying", DENIALS, indirect=True, ids=["401", "403", "404", "gateway"])
def test_a_server_that_denies_a_new_search_is_believed_at_once(
    tmp_path: Path, recurrent: Recurrent, denying: str
) -> None:
    began = time.monotonic()
    done = run(*WORDS[:-1], "--trials", "1", "--tracking-uri", denying, cwd=tmp_path)
    assert time.monotonic() - began < 2 * SERVER_SECONDS, "it is not asked again"
    listed = recurrent("results", "--tracking-uri", denying, cwd=tmp_path)
    for one in (done, listed):
        line = one.stderr.splitlines()[-1]
        assert one.returncode == 2 and (f"error code {Denying.code}" in line or "not for you" in line)
        assert Denying.text in line or "not for you" in line
    assert not (tmp_path / "searches").exists()


@pytest.mark.parametrize("denying", DENIALS[2:], indirect=True, ids=["404", "gateway"])
def test_a_server_that_denies_keeps_no_search_from_going_on(tmp_path: Path, denying: str) -> None:
    """A proxy says so too while the server behind it is away."""
    assert run(*WORDS, "--trials", "1", cwd=tmp_path).returncode == 0
    words = (*WORDS, "--trials", "2", "--tracking-uri", denying)
    done = run(*words, cwd=tmp_path, code=IMPATIENT)
    assert done.returncode == 1 and ended(tmp_path, 1), "it has trained"
    assert "MLflow lacks the last results; `recurrent sync away" in done.stdout.replace("\n", " ")
    synced = run("sync", "away", cwd=tmp_path)
    assert (synced.returncode, synced.stderr) == (0, "")
    assert len(curves(Searched(tmp_path, "away", synced))) == 2


def test_a_user_who_may_only_read_begins_no_search(tmp_path: Path, servers: Servers, slow: Callable[..., Slow]) -> None:
    proxy = slow("/runs/create", 0)
    proxy.denies = True
    words = ("--trials", "1", "--tracking-uri", f"http://127.0.0.1:{proxy.server_port}")
    done = run(*WORDS[:-1], *words, cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.rstrip().endswith("Response body: 'Permission denied'")
    assert not (tmp_path / "searches").exists()
    proxy.denies = False
    done = run(*WORDS[:-1], *words, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_denial_after_the_search_was_made_is_a_line(
    tmp_path: Path, servers: Servers, slow: Callable[..., Slow]
) -> None:
    """The run is there, and the name is the search's: training goes on, and what it lacks is sent later."""
    proxy = slow("/runs/log-batch", 0)
    proxy.denies = True
    words = ("--trials", "1", "--tracking-uri", f"http://127.0.0.1:{proxy.server_port}")
    patient = IMPATIENT.replace("= 1.0", "= 8.0")  # time for the answer
    done = run(*WORDS[:-1], *words, cwd=tmp_path, code=patient)
    said = done.stdout.replace("\n", " ")
    assert done.returncode == 1 and ended(tmp_path, 0)
    assert said.count("error code 403") == 1 and "the search goes on without its store" in said
    assert f"`recurrent sync away {' '.join(words[2:])}` sends them" in said
    proxy.denies = False
    done = run("sync", "away", *words[2:], cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    searched = Searched(tmp_path, "away", done)
    assert searched.parent.info.status == "FINISHED" and len(curves(searched)) == 1


def test_a_denial_while_it_trains_is_a_line(tmp_path: Path, servers: Servers, slow: Callable[..., Slow]) -> None:
    proxy = slow("/runs/log-batch", 0)
    words = ("--trials", "2", "--tracking-uri", f"http://127.0.0.1:{proxy.server_port}")
    process = begin(*WORDS[:-1], *words, cwd=tmp_path, code=IMPATIENT)
    wait_until(lambda: proxy.asked > 0, process)
    proxy.denies = True
    done = finished(process)
    said = done.stdout.replace("\n", " ")
    assert done.returncode == 1 and ended(tmp_path, 1)
    assert "the tracking store failed: " in said and "Permission denied" in said
    assert "`recurrent sync away --tracking-uri" in said
