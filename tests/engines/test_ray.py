"""A search on three nodes of a real Ray cluster: it equals a local one, whatever is killed meanwhile."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import test_contract
from support.ray_cluster import NODES, Cluster, closing, possible
from support.searching import environment

from experiments.config.folders import SearchFolder

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(reason := possible()), reason=reason or "it is possible")]

TASK = ("search", "adding", "-o", "length=10", "-o", "train=512", "-o", "val=64", "--cells", "gru,lstm", "--depth", "1")
SPACE = ("--width", "16,32", "--learning-rate", "0.01,0.003", "--batch", "8", "--epochs", "6", "--no-horizon")
GRID = (*TASK, *SPACE, "--oracle", "grid", "--seed", "1")
NOTICED_SECONDS = 10.0  # a search has to hear of a killed node or process within this time
ENDED_SECONDS = 600.0  # longest search of a test


def told(folder: Path) -> list[list[tuple[Any, ...]]]:
    """Of each trial the epochs with their metrics, then the score."""
    found = []
    for trial in SearchFolder(folder).trials():
        events = trial.journal.events()
        epochs = [(event["epoch"], event["metrics"]) for event in events if event["event"] == "epoch"]
        found.append([*epochs, *[(event["outcome"], event["score"]) for event in events if event["event"] == "end"]])
    return found


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with closing(Cluster(tmp_path_factory.mktemp("cluster"))) as found:
        yield found


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """What one local worker finds."""
    folder = tmp_path_factory.mktemp("local")
    words = [sys.executable, "-m", "experiments", *GRID, "--workers", "1", "--name", "local"]
    subprocess.run(words, cwd=folder, env=environment(folder), check=True, capture_output=True)
    return told(folder / "searches" / "local")


def on_cluster(nodes: Cluster, name: str, *more: str) -> "subprocess.Popen[str]":
    return nodes.recurrent(*GRID, "--engine", "ray", "--address", nodes.address, "--name", name, *more)


def ended(process: "subprocess.Popen[str]") -> str:
    out, errors = process.communicate(timeout=ENDED_SECONDS)
    assert process.returncode == 0, out + errors
    assert errors == ""
    return out


def wait_until(true: Callable[[], Any], seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def lines(folder: Path) -> int:
    return sum(len(trial.journal.events()) for trial in SearchFolder(folder).trials())


def test_it_is_the_local_search(nodes: Cluster, here: list[Any]) -> None:
    ended(on_cluster(nodes, "same"))
    assert told(nodes.folder / "searches" / "same") == here


def test_the_engine_keeps_the_contract(nodes: Cluster) -> None:
    nodes.environment |= {test_contract.ADDRESS: nodes.address}
    file = test_contract.__file__
    process = nodes.begin(sys.executable, "-m", "pytest", "-q", "-m", "slow", "-p", "no:cacheprovider", file)
    out, errors = process.communicate(timeout=ENDED_SECONDS)
    assert process.returncode == 0 and " skipped" not in out and " passed" in out, out + errors


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("victim", ["raylet", "seat"])
def test_what_is_killed_is_noticed_and_changes_nothing(nodes: Cluster, here: list[Any], seed: int, victim: str) -> None:
    draw, name = random.Random(seed), f"{victim}{seed}"
    folder = nodes.folder / "searches" / name
    process = on_cluster(nodes, name)
    wanted = draw.randint(10, 40)
    wait_until(lambda: lines(folder) > wanted or process.poll() is not None, 120, "it does not begin")
    assert process.poll() is None, process.communicate()
    node = draw.choice(NODES)
    killed = nodes.raylet(node) if victim == "raylet" else draw.choice(nodes.seats())
    starts = [event for trial in SearchFolder(folder).trials() for event in trial.journal.events()]
    before = len({event["key"] for event in starts if event["event"] == "start"})
    killed.send_signal(signal.SIGKILL)

    def noticed() -> bool:
        events = [event for trial in SearchFolder(folder).trials() for event in trial.journal.events()]
        keys = {event["key"] for event in events if event["event"] == "start"}
        return len(keys) > before or process.poll() is not None

    if victim == "seat":
        wait_until(noticed, 6 * NOTICED_SECONDS, "nobody has taken its place")
    ended(process)
    if victim == "raylet":
        nodes.join(node)
    assert told(folder) == here


def test_a_launcher_that_is_killed_goes_on(nodes: Cluster, here: list[Any]) -> None:
    folder = nodes.folder / "searches" / "left"
    process = on_cluster(nodes, "left")
    wait_until(lambda: lines(folder) > 15, 120, "it does not begin")
    process.kill()
    process.communicate()
    wait_until(lambda: not nodes.seats(), 5, "a seat is left")
    ended(on_cluster(nodes, "left", "--resume"))
    assert told(folder) == here
