"""The head of a real cluster goes, or the node of the launcher: the launcher says so, and the search can go on."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.ray_cluster import HEAD, RECURRENT, Cluster, Linked, closing, possible
from support.ray_searches import LONG, begun, ended, locally, on_cluster, told

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(reason := possible()), reason=reason or "it is possible")]

WORDS = (*LONG, "--epochs", "10")
NOTICED_SECONDS = 45.0  # Ray itself ends a launcher after 60
AGAIN = "on a new cluster the same command goes on, a search with --resume"


def head(nodes: Cluster) -> psutil.Process:
    (found,) = (one for one in nodes.processes() if one.cmdline()[0].endswith("gcs_server"))
    return found


def says(process: Any, folder: Path, break_it: Callable[[], None], what: str) -> None:
    """Breaks the cluster while a search runs, and checks with what it ends."""
    begun(process, folder, 12)
    break_it()
    began = time.monotonic()
    out, errors = process.communicate(timeout=100)
    print(f"ended after {time.monotonic() - began:.1f} s: {errors}")
    assert errors == f"recurrent search: {what} does not answer; {AGAIN}\n"
    assert process.returncode == 1 and time.monotonic() - began < NOTICED_SECONDS, out
    assert "(raylet)" not in out


@pytest.mark.parametrize("victim", ["head", "node"])
def test_a_line_says_what_is_gone_and_the_search_goes_on(victim: str, tmp_path: Path) -> None:
    folder = tmp_path / "searches" / "left"
    with closing(Cluster(tmp_path)) as nodes:
        process = on_cluster(nodes, "left", *WORDS)
        if victim == "node":
            says(process, folder, lambda: nodes.raylet(HEAD).kill(), "Ray on this node")
        else:
            says(process, folder, lambda: head(nodes).kill(), f"the head of the cluster at {nodes.address}")
    with closing(Cluster(tmp_path)) as nodes:
        ended(on_cluster(nodes, "left", *WORDS, "--resume"))
    (tmp_path / "here").mkdir()
    assert told(folder) == locally(tmp_path / "here", WORDS)


def test_a_launcher_that_is_cut_off_from_the_head(tmp_path: Path) -> None:
    with closing(Linked(tmp_path)) as nodes:
        node = nodes.nodes[0]
        where = ("--engine", "ray", "--address", nodes.address, "--name", "cut")
        process = nodes.begin_on(node, *RECURRENT, *WORDS, *where)
        what = f"the head of the cluster at {nodes.address}"
        says(process, tmp_path / "searches" / "cut", lambda: nodes.cut(node), what)
