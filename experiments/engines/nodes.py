"""The nodes of a Ray cluster: connects to it, compares what is installed on its nodes, and counts what they have."""

import atexit
import os
import socket
import sys
import threading
import time
import uuid
from collections.abc import Collection
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from experiments.system.versions import commit, versions
from tracking.errors import BadInput

VERSIONS_SECONDS = 60.0  # longest wait for the versions of a node, which imports this project
PLACE_SECONDS = 300.0  # longest wait for a node that has room for a worker; the head of a cluster may have none itself
LEAVE_SECONDS = 15.0  # longest wait until this process has left a cluster; without a head that takes 5
REACH_SECONDS = 2.0  # longest wait for a connection to a node


def connect(address: str, wait: bool = False) -> None:
    """Connects to the cluster at HOST:PORT, which `cluster.check` has looked at.

    Args:
        wait: for a node that has room for a worker.

    Raises BadInput if a node runs other versions than this process.
    """
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", namespace=f"recurrent-{uuid.uuid4().hex}")
    except (ConnectionError, RuntimeError, RayError) as error:
        line = str(error).strip().splitlines()[0]
        raise BadInput(f"--address: expected a cluster that this process can join at {address}, got: {line}") from None
    if wait:
        _wait_for_a_place()
    for node in filter(is_reachable, alive()):  # a node that was just lost is in Ray's list for some seconds
        if wrong := difference(_versions_of(node), node["NodeID"]):
            raise BadInput(f"--address: {wrong}")


def leave() -> None:
    """Leaves a cluster that is gone, so that Ray does not end this process for it."""
    leaving = threading.Thread(target=ray.shutdown, daemon=True)
    leaving.start()
    leaving.join(LEAVE_SECONDS)
    if leaving.is_alive():  # Ray waits without end for a head whose machine does not answer at all
        atexit.unregister(ray.shutdown)  # it would wait, too
        atexit.register(_end)


def _end() -> None:
    """Ends this process. With a connection that Ray has not closed, its library crashes when Python ends."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)


def _wait_for_a_place() -> None:
    """Waits until the cluster has room for a worker. Raises BadInput if it has none for too long."""
    end = time.monotonic() + PLACE_SECONDS
    while not places():
        if time.monotonic() > end:
            raise BadInput(f"--address: expected a core or a GPU for a worker, got none for {PLACE_SECONDS:.0f} s")
        time.sleep(1.0)


def own_versions() -> dict[str, str]:
    """What must be the same on all nodes."""
    return {**versions(), "commit": commit()}


def difference(there: dict[str, str], node: str) -> str:
    """What is wrong with the versions on a node; "" if they are ours."""
    here = own_versions()
    different = {name: there.get(name, "none") for name in here if there.get(name) != here[name]}
    if not different:
        return ""
    got = ", ".join(f"{name} {version}" for name, version in different.items())
    wanted = ", ".join(f"{name} {here[name]}" for name in different)
    (place,) = [one["NodeManagerAddress"] for one in ray.nodes() if one["NodeID"] == node]
    return f"expected {wanted} on node {place}, got {got}"


def _versions_of(node: dict[str, Any]) -> dict[str, str]:
    """The versions on a node. Raises BadInput if it does not say."""
    here = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
    asked = ray.remote(own_versions).options(num_cpus=0, max_retries=0, scheduling_strategy=here).remote()
    try:
        return dict(ray.get(asked, timeout=VERSIONS_SECONDS))
    except (RayError, TimeoutError) as error:
        line = str(error).strip().splitlines()[-1]
        place = node["NodeManagerAddress"]
        raise BadInput(f"--address: expected recurrent-search on node {place}, got: {line}") from None


def alive() -> list[dict[str, Any]]:
    """The nodes of the cluster."""
    return [node for node in ray.nodes() if node["Alive"]]


def gpus() -> int:
    """How many GPUs the nodes of the cluster have."""
    return _have("GPU")


def places(per_gpu: int = 1, unfit: Collection[str] = ()) -> int:
    """How many workers the cluster has room for: so many per GPU, else one per core.

    Args:
        unfit: nodes that get no worker.
    """
    return per_gpu * _have("GPU", unfit) or _have("CPU", unfit)


def _have(what: str, unfit: Collection[str] = ()) -> int:
    """How many of something the nodes of the cluster have, without some nodes."""
    return sum(int(node["Resources"].get(what, 0)) for node in alive() if node["NodeID"] not in unfit)


def is_reachable(node: dict[str, Any]) -> bool:
    """True if the raylet of a node takes connections."""
    return connects(node["NodeManagerAddress"], node["NodeManagerPort"])


def connects(host: str, port: int) -> bool:
    """True if something at HOST:PORT takes connections."""
    try:
        socket.create_connection((host, port), REACH_SECONDS).close()
    except OSError:
        return False
    return True
