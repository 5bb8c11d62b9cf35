"""A search on three nodes of a real Ray cluster: it equals a local one, whatever is killed meanwhile.

TIMES=20 in the environment repeats each kind of test so often.
"""

import json
import os
import random
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import test_contract
from support.ray_cluster import NODES, Cluster, closing, possible
from support.ray_searches import ENDED_SECONDS, SHORT, begun, ended, events, locally, on_cluster, told, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(reason := possible()), reason=reason or "it is possible")]

TIMES = int(os.environ.get("TIMES", "3"))
NOTICED_SECONDS = 10.0  # an idle machine hears of a killed node or process within this time
BUSY = 6  # a busy one takes so many times as long


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with closing(Cluster(tmp_path_factory.mktemp("cluster"))) as found:
        yield found


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    return locally(tmp_path_factory.mktemp("local"), SHORT)


def test_the_engine_keeps_the_contract(nodes: Cluster) -> None:
    nodes.environment |= {test_contract.ADDRESS: nodes.address}
    file = test_contract.__file__
    process = nodes.begin(sys.executable, "-m", "pytest", "-q", "-m", "slow", "-p", "no:cacheprovider", file)
    out, errors = process.communicate(timeout=ENDED_SECONDS)
    assert process.returncode == 0 and " skipped" not in out and " passed" in out, out + errors


@pytest.mark.parametrize("seed", range(TIMES))
def test_it_is_the_local_search(nodes: Cluster, here: list[Any], seed: int, tmp_path: Path) -> None:
    """A grid, random points, and points of TPE that one worker has asked for.

    With many workers a pruner compares a trial with what is known at that moment, on one machine, too.
    """
    name, how = f"same{seed}", ("grid", "random", "tpe")[seed % 3]
    more = {"grid": (), "random": ("--pruner", "none"), "tpe": ("--workers", "1")}[how]
    words = (*SHORT, "--oracle", how, "--seed", str(1 + seed), *more)
    ended(on_cluster(nodes, name, *words))
    expected = here if (how, seed) == ("grid", 0) else locally(tmp_path, words)
    assert told(nodes.folder / "searches" / name) == expected


@pytest.mark.parametrize("seed", range(TIMES))
@pytest.mark.parametrize("victim", ["raylet", "seat"])
def test_what_is_killed_is_noticed_and_changes_nothing(nodes: Cluster, here: list[Any], seed: int, victim: str) -> None:
    draw, name = random.Random(seed), f"{victim}{seed}"
    folder = nodes.folder / "searches" / name
    process = on_cluster(nodes, name, *SHORT)
    begun(process, folder, draw.randint(10, 40))
    node = draw.choice(NODES)
    killed = nodes.raylet(node) if victim == "raylet" else draw.choice(nodes.seats())
    before = sum(event["event"] == "start" for event in events(folder))
    killed.send_signal(signal.SIGKILL)

    def noticed() -> bool:
        """Another worker has begun, or this one's trial was given back."""
        found = [event["event"] for event in events(folder)]
        return found.count("start") > before or "lost" in found or process.poll() is not None

    seconds = wait_until(noticed, BUSY * NOTICED_SECONDS, "nobody has taken its place")
    print(f"{victim} {seed}: noticed after {seconds:.1f} s")
    ended(process)
    if victim == "raylet":
        nodes.join(node)
    assert told(folder) == here


@pytest.mark.parametrize("seed", range(TIMES))
def test_a_launcher_that_is_killed_goes_on(nodes: Cluster, here: list[Any], seed: int) -> None:
    folder = nodes.folder / "searches" / f"left{seed}"
    process = on_cluster(nodes, folder.name, *SHORT)
    begun(process, folder, random.Random(seed).randint(3, 40))
    process.kill()
    process.communicate()
    print(f"launcher {seed}: its seats gone after {wait_until(lambda: not nodes.seats(), 5, 'a seat is left'):.1f} s")
    ended(on_cluster(nodes, folder.name, *SHORT, "--resume"))
    assert told(folder) == here


def test_finals_and_trainings_run_there_too(nodes: Cluster, tmp_path: Path) -> None:
    words = (*SHORT, "--trials", "2", "--finals", "1")
    ended(on_cluster(nodes, "finals", *words))
    locally(tmp_path, words)
    there, here = nodes.folder / "searches" / "finals", tmp_path / "searches" / "local"
    assert told(there / "finals") == told(here / "finals")
    (done,) = (nodes.recurrent("results", "finals", "--json").communicate()[0],)
    assert json.loads(done)["finals"]["complete"]
    how = "--engine", "ray", "--address", nodes.address
    ended(nodes.recurrent("train", "finals", "--trial", "1", "--epochs", "2", "--seeds", "2", *how))
    (trained,) = there.glob("trained-*")
    assert [len(trial) for trial in told(trained)] == [3, 3], "two epochs and the score of two seeds"
