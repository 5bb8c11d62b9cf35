"""A Ray cluster with a frozen node, a node of other versions, or another token."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.ray_cluster import NODES, Cluster, closing, possible
from support.ray_searches import LONG, SHORT, begun, ended, events, locally, on_cluster, told, wait_until

from experiments.config.folders import SearchFolder

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(reason := possible()), reason=reason or "it is possible")]

REFUSED_SECONDS = 30.0  # longest time until a refusal
FROZEN_SECONDS = 90.0  # longest time until a node that does not answer is given up
LATE = "127.0.0.5"  # the address of a node that joins later


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with closing(Cluster(tmp_path_factory.mktemp("cluster"))) as found:
        yield found


def refused(nodes: Cluster) -> str:
    """The line with which a search is refused."""
    began = time.monotonic()
    process = on_cluster(nodes, "refused", *SHORT)
    out, errors = process.communicate(timeout=2 * REFUSED_SECONDS)
    print(f"refused after {time.monotonic() - began:.1f} s: {errors}")
    assert time.monotonic() - began < REFUSED_SECONDS
    assert process.returncode == 2 and errors.count("\n") == 1, out + errors
    assert not (nodes.folder / "searches" / "refused").exists()
    assert not list(nodes.folder.glob("*.db"))
    return errors.removeprefix("recurrent search: ")


@pytest.fixture
def other(nodes: Cluster, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The variables of a node with another Keras. The node is ended at the end."""
    (tmp_path / "keras-9.9.dist-info").mkdir()
    (tmp_path / "keras-9.9.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: keras\nVersion: 9.9\n")
    yield {"PYTHONPATH": f"{tmp_path}{os.pathsep}{nodes.environment['PYTHONPATH']}"}
    for process in [one for one in nodes.processes() if LATE in " ".join(one.cmdline())]:
        process.kill()


def test_another_token(nodes: Cluster) -> None:
    token = nodes.environment["RAY_AUTH_TOKEN"]
    nodes.environment["RAY_AUTH_TOKEN"] = token[::-1]
    try:
        line = refused(nodes)
    finally:
        nodes.environment["RAY_AUTH_TOKEN"] = token
    assert line == "--address: expected a head that takes the token of RAY_AUTH_TOKEN, got a refusal\n"


def test_other_versions_on_a_node(nodes: Cluster, other: dict[str, str]) -> None:
    nodes.join(LATE, **other)
    line = refused(nodes)
    assert line.startswith("--address: expected keras ") and line.endswith(f" on node {LATE}, got keras 9.9\n")


def test_a_node_of_other_versions_that_joins_later_gets_no_worker(nodes: Cluster, other: dict[str, str]) -> None:
    folder = nodes.folder / "searches" / "late"
    process = on_cluster(nodes, "late", *LONG, "--epochs", "10")
    begun(process, folder, 5)
    nodes.join(LATE, **other)
    out = ended(process)
    assert out.count("a node has joined that gets no worker: expected keras ") == 1
    assert len({event["worker"] for event in events(folder) if event["event"] == "start"}) <= 4
    assert [end["outcome"] for end in events(folder) if end["event"] == "end"] == ["completed"] * 8


def test_a_frozen_node_is_given_up_and_what_it_says_later_is_not_taken(nodes: Cluster, tmp_path: Path) -> None:
    folder = nodes.folder / "searches" / "frozen"
    process = on_cluster(nodes, "frozen", *LONG)
    begun(process, folder, 12)
    raylet = nodes.raylet(NODES[0])
    seats = [one for one in raylet.children() if "RaySeat" in " ".join(one.cmdline())]
    assert seats
    raylet.send_signal(signal.SIGSTOP)
    seconds = wait_until(lambda: any(one["event"] == "lost" for one in events(folder)), FROZEN_SECONDS, "not noticed")
    print(f"frozen raylet: noticed after {seconds:.1f} s")
    (lost,) = [trial for trial in SearchFolder(folder).trials() if "lost" in trial.journal.path.read_text()]
    raylet.send_signal(signal.SIGCONT)
    ended(process)
    keys = [event["key"] for event in lost.journal.events() if event["event"] == "start"]
    assert len(keys) == len(set(keys)) == 2
    assert told(folder) == locally(tmp_path, LONG)
    wait_until(lambda: not any(one.is_running() for one in seats), 60, "the seat of the frozen node is left")
