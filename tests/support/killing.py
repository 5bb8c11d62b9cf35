"""kill -9 of a command: its launcher, its workers, or all."""

import random
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from support.searching import RECURRENT, begin, finished

KILLS = 2  # of one run
VICTIMS = ("worker", "launcher", "both")


def kill(pid: int, victim: str) -> bool:
    """True if there was somebody to kill: the workers, the launcher, or both."""
    victims = []
    with suppress(psutil.NoSuchProcess):
        launcher = psutil.Process(pid)
        workers = [child for child in launcher.children() if "spawn_main" in " ".join(child.cmdline())]
        victims = {"worker": workers, "launcher": [launcher], "both": [launcher, *workers]}[victim]
    for one in victims:
        with suppress(psutil.NoSuchProcess):
            one.send_signal(signal.SIGKILL)
    return bool(victims)


def killed_until_done(
    words: Callable[[int], tuple[str, ...]], folder: Path, victim: str, rng: random.Random, seconds: float
) -> tuple[subprocess.CompletedProcess[str], int]:
    """Runs a command until it is done, killing up to KILLS times within `seconds`; returns its end and the kills.

    Args:
        words: of the command line when it is begun for this time, counted from 0.
    """
    killed, begun = 0, 0
    while True:
        process = begin(*words(begun), cwd=folder, program=RECURRENT)
        begun += 1
        while process.poll() is None and killed < KILLS:
            with suppress(subprocess.TimeoutExpired):
                process.wait(rng.uniform(1, seconds))
            if process.poll() is None and kill(process.pid, victim):
                killed += 1
                if victim != "worker":  # else the launcher replaces it
                    process.wait()
        done = finished(process)
        if done.returncode != -signal.SIGKILL:
            return done, killed


@pytest.fixture(scope="module")
def kills(request: pytest.FixtureRequest) -> Iterator[list[int]]:
    """Of each run; said at the end in the terminal, which pytest keeps from a test that passes."""
    found: list[int] = []
    yield found
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"\n{request.module.__name__}: {len(found)} runs, {sum(found)} kills: {found}")
    assert all(found), "every run was killed"
