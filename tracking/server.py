"""A server of MLflow as a child process: it is waited for, and at the end none of its processes is left."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tracking import guard
from tracking.errors import BadInput, StoreError

START_SECONDS = 180.0  # longest wait for the server to answer; an idle machine took 12, a loaded one 60
STOP_SECONDS = 5.0  # longest wait for the server to end after SIGTERM
LOOK_SECONDS = 1.0  # between two looks whether the server answers
ANSWER_SECONDS = 5.0  # longest wait for the answer to one look
USUAL_PORT = 5000  # MLflow's default; the browser keeps a user's settings for one address
# Browsers open no page at these ports from 1024 on, https://fetch.spec.whatwg.org/#port-blocking
BLOCKED = {1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, *range(6665, 6670), 6679, 6697, 10080}
# With PYTHONSAFEPATH the server does not import a user's random.py from the current folder.
SETTINGS = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONSAFEPATH": "1"}


@dataclass
class Server:
    """A server that answers at `url`. `process` is None if the server is not ours."""

    url: str
    log: Path | None = None
    process: subprocess.Popen[bytes] | None = None

    def wait(self) -> None:
        """Waits for Ctrl-C or SIGTERM. It returns at once if the server is not ours.

        Raises StoreError if the server ends by itself.
        """
        with suppress(KeyboardInterrupt):
            if self.process and self.log:
                raise StoreError(_last_words(self.process.wait(), self.log))


@contextmanager
def running(
    command: list[str],
    port: int,
    log: Path,
    progress: Callable[[float], None] | None = None,
    settings: dict[str, str] | None = None,
) -> Iterator[Server]:
    """The server that a command starts at a port of this machine. At the end none of its processes is left.

    Args:
        log: the file that gets its output.
        progress: called about once a second, with the seconds so far, until the server answers.
        settings: further variables of its environment.

    Raises StoreError if it does not start.
    """
    with _signals_interrupt(), _process(command, log, settings or {}) as process:
        url = f"http://127.0.0.1:{port}"
        _wait_until_up(process, url, log, progress)
        yield Server(url, log, process)


def free_port(port: int | None) -> int:
    """The port that a server here may take: `port`, or without one MLflow's usual port or any free one.

    Raises BadInput for a port that is taken, or that browsers refuse.
    """
    if port in BLOCKED:
        raise BadInput(f"port: expected one that browsers open, got {port}, which they refuse")
    for candidate in (USUAL_PORT, 0) if port is None else (port,):
        with suppress(OSError, OverflowError), socket.socket() as probe:
            # With this option a port is free although a connection to it has just been closed.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", candidate))
            return int(probe.getsockname()[1])
    raise BadInput(f"port: expected a free one, 1024 to 65535, got {port}")


def _environment() -> dict[str, str]:
    """The variables of the server. Those for another server of the user's would give it other pages, or a password.

    MLflow looks uvicorn up on PATH, where the folder of a virtual environment that is not activated is missing.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    path = os.pathsep.join([str(Path(sys.executable).parent), *filter(None, [kept.get("PATH")])])
    return {**kept, **SETTINGS, "PATH": path}


@contextmanager
def _process(
    command: list[str], log: Path, settings: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a separate group. Ctrl-C does not reach it, and its children end with it.

    The guard ends all of them if this process is killed.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, guard.__file__, *command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=_environment() | (settings or {}),
            start_new_session=True,
        )
    try:
        yield process
    finally:
        # SIGTERM lets the server close its files. If it has not ended STOP_SECONDS later, SIGKILL ends it. The signals
        # go to the whole group, so that no child of the server stays.
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
        if process.stdin:
            process.stdin.close()


def _wait_until_up(
    process: subprocess.Popen[bytes], url: str, log: Path, progress: Callable[[float], None] | None
) -> None:
    start = time.monotonic()
    while not _answers(url):
        seconds = time.monotonic() - start
        if process.poll() is not None:
            raise StoreError(_last_words(process.returncode, log))
        if seconds > START_SECONDS:
            raise StoreError(f"server: expected an answer within {START_SECONDS:.0f} s, got none; see {log}")
        if progress is not None:
            progress(seconds)
        time.sleep(LOOK_SECONDS)


def _answers(url: str) -> bool:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy does not know 127.0.0.1
    with suppress(OSError), direct.open(f"{url}/health", timeout=ANSWER_SECONDS) as reply:
        return bool(reply.status == 200)
    return False


def _last_words(code: int, log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()] or ["no word"]
    last = ([line for line in lines if "Error" in line] or lines)[-1]
    return f"server: expected it to run, got exit code {code}: {last} (all of it: {log})"


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """SIGTERM, and SIGHUP of a closing terminal, act as Ctrl-C. By default they would leave the server running."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    main = threading.current_thread() is threading.main_thread()  # only there can handlers be set
    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP) if main}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
