"""A node whose link is taken away and given back: each node has a network of its own."""

from pathlib import Path

import pytest
from support.ray_cluster import Linked, closing, possible
from support.ray_searches import LONG, begun, ended, events, locally, on_cluster, told, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(reason := possible()), reason=reason or "it is possible")]

GIVEN_UP_SECONDS = 120.0  # longest time until a node that cannot be reached is given up


@pytest.mark.parametrize("mended", [True, False], ids=["mended", "cut"])
def test_a_search_ends_as_if_the_link_had_been_there(tmp_path: Path, mended: bool) -> None:
    (tmp_path / "nodes").mkdir()
    with closing(Linked(tmp_path / "nodes")) as nodes:
        folder = nodes.folder / "searches" / "cut"
        process = on_cluster(nodes, "cut", *LONG)
        begun(process, folder, 12)
        nodes.cut(nodes.nodes[0])
        lost = wait_until(lambda: "lost" in [one["event"] for one in events(folder)], GIVEN_UP_SECONDS, "not noticed")
        print(f"link cut: noticed after {lost:.1f} s")
        if mended:
            nodes.mend(nodes.nodes[0])
        ended(process)
        found = told(folder)
    (tmp_path / "local").mkdir()
    assert found == locally(tmp_path / "local", LONG)
