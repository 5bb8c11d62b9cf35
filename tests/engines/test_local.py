"""A worker process of this machine: it waits to begin, says how it ended, and ends with its launcher."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import psutil
import pytest
from support.fakes import descendants, kill, make_spec, start, wait_for_trials
from support.searching import environment

from experiments.config.folders import SearchFolder
from experiments.engines.local import LocalWorker
from experiments.worker.process import DONE, FULL, RETIRED

pytestmark = pytest.mark.usefixtures("before_fork")

ROOT = Path(__file__).parents[2]
LONGEST_SECONDS = 60.0  # that a test waits for a process


def leave(gate: Connection, index: int, file: Path, code: int) -> None:
    """Waits to begin, writes which worker it is, and ends with `code`."""
    gate.recv()
    file.write_text(str(index))
    os._exit(code)


def sleep(gate: Connection, index: int, file: Path) -> None:
    file.touch()
    time.sleep(600)


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONGEST_SECONDS
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("code", "ends"), [(DONE, "done"), (RETIRED, "retired"), (FULL, "full"), (0, "failed"), (1, "failed")]
)
def test_a_worker_waits_to_begin_and_says_how_it_ended(tmp_path: Path, code: int, ends: str) -> None:
    file = tmp_path / "begun"
    worker = LocalWorker(leave, 3, (file, code), "fork")
    assert worker.alive() and worker.index == 3 and worker.key == str(worker.process.pid)
    assert not any(getattr(worker, name)() for name in ("done", "retired", "full", "failed"))
    time.sleep(0.1)
    assert not file.exists() and worker.memory() > 2**20
    worker.go()
    wait_until(lambda: not worker.alive())
    assert file.read_text() == "3"
    assert [name for name in ("done", "retired", "full", "failed") if getattr(worker, name)()] == [ends]
    worker.go()  # to a process that has died
    assert worker.memory() == 0 and not worker.lost() and not worker.waiting()


def test_a_worker_ignores_ctrl_c_and_is_stopped_at_once(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    worker = LocalWorker(sleep, 0, (tmp_path / "begun",), "fork")
    assert signal.getsignal(signal.SIGINT) is before
    wait_until((tmp_path / "begun").exists)
    os.kill(worker.process.pid, signal.SIGINT)
    time.sleep(0.1)
    assert worker.alive()
    worker.stop()
    assert not worker.alive() and worker.failed()


@pytest.fixture
def children() -> Iterator[list[int]]:
    """Processes that are killed at the end, whatever the test says."""
    found: list[int] = []
    yield found
    for pid in found:
        kill(pid)


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_a_stopped_worker_ends_with_its_launcher(tmp_path: Path, children: list[int]) -> None:
    make_spec().write(SearchFolder(tmp_path))
    launcher = start(tmp_path, f"sqlite:///{tmp_path}/mlflow.db")
    children.append(launcher.pid)
    wait_for_trials(launcher, tmp_path)
    workers = descendants(launcher.pid)
    children += workers
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    kill(launcher.pid)
    launcher.join()
    deadline = time.monotonic() + 10
    while not all(map(gone, workers)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(workers) == 2 and all(map(gone, workers))


# A user's script without `if __name__ == "__main__"`. It starts a worker in a thread if it is told to.
SCRIPT = """
import os
import signal
import sys
import threading
import time
from pathlib import Path

import target
from experiments.engines.local import LocalWorker

with open("ran", "a") as file:
    file.write("once ")


def begin():
    worker = LocalWorker(target.report, 0, (Path("said"),), "spawn")
    while not Path("said").exists():
        time.sleep(0.01)
    os.kill(worker.process.pid, signal.SIGINT)
    time.sleep(0.2)
    print(worker.alive(), "alive", end=" ")
    worker.go()
    worker.process.join()
    print(worker.process.exitcode, Path("said").read_text())


thread = threading.Thread(target=begin)
if sys.argv[1:] == ["thread"]:
    thread.start()
    thread.join()
else:
    begin()
print(signal.pthread_sigmask(signal.SIG_BLOCK, []), signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""
TARGET = """
import os
import sys


def report(gate, index, file):
    file.with_suffix(".new").write_text(getattr(sys.modules["__main__"], "__file__", "no script"))
    file.with_suffix(".new").rename(file)
    gate.recv()
    os._exit(81)
"""


@pytest.mark.parametrize("where", ["main", "thread"])
def test_a_spawned_worker_does_not_run_the_script_of_its_launcher(tmp_path: Path, where: str) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "target.py").write_text(TARGET)
    done = subprocess.run(
        [sys.executable, "script.py", where],
        cwd=tmp_path,
        env=environment(tmp_path) | {"PYTHONPATH": str(ROOT)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["True alive 81 no script", "set() True"]
    assert (tmp_path / "ran").read_text() == "once "
