"""Workers on the nodes of a Ray cluster.

Each worker is an actor, a `Seat`. Ray starts it where there is room, and says when it or its node is gone. Ray starts
no worker again: the launcher does so, and the oracle gives it the trial that was lost, which goes on at its last epoch.
"""

import socket
import time
import uuid
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from experiments.engines import KILLED, Message, Worker
from experiments.engines.seat import ENDED, Seat
from experiments.system.versions import commit, versions
from experiments.worker.job import Job
from tracking.errors import BadInput

SILENT_SECONDS = 60.0  # a seat that has not answered for so long is lost; it answers every few seconds
VERSIONS_SECONDS = 60.0  # longest wait for the versions of a node, which imports this project
PLACE_SECONDS = 300.0  # longest wait for a node that has room for a worker; the head of a cluster may have none itself
REACH_SECONDS = 2.0  # longest wait for a connection to a node


class RaySeat(Seat):
    """A seat that says on which node it is."""

    def next(self, answer: Any) -> Message:
        return super().next(answer) | {"node": ray.get_runtime_context().get_node_id()}


class RayWorker(Worker):
    """An actor that runs one worker.

    Args:
        job: a reference to the `Job`.
        index: of the worker.
        gpus: that it needs.
    """

    def __init__(self, job: Any, index: int, memory_limit: int | None, gpus: int) -> None:
        self.index, self._key = index, uuid.uuid4().hex
        # max_restarts and max_task_retries are 0 by default: Ray must not begin a trial again by itself.
        seat = ray.remote(RaySeat).options(num_cpus=1, num_gpus=gpus)
        self.seat = seat.remote(job, index, self._key, memory_limit, gpus > 0)
        self.pending: Any = None  # the reference to its next message; None while the launcher owes it an answer
        self.ended: int | None = None  # its exit code
        self.node = ""  # on which it runs; "" while it waits for a place
        self.nodes = {node["NodeID"] for node in alive()}
        self.heard = time.monotonic()
        self.bytes, self.stopped, self._lost = 0, False, False

    @property
    def key(self) -> str:
        return self._key

    @property
    def code(self) -> int | None:
        return self.ended

    def go(self) -> None:
        self.ask(None)

    def ask(self, answer: Any) -> None:
        """Answers the last message and asks for the next one."""
        self.pending = self.seat.next.remote(answer)
        self.heard = time.monotonic()

    def hear(self, message: Message) -> bool:
        """Takes in a message; returns True if the desk has to answer it."""
        self.heard, self.bytes, self.pending = time.monotonic(), message.pop("memory"), None
        self.node = self.node or message["node"]
        if message["ask"] == ENDED:
            self.ended = message["code"]
            ray.kill(self.seat, no_restart=True)  # its place is free for the worker that comes after it
        return not self.stopped

    def end(self) -> None:
        """The actor is gone: with its node, or alone."""
        left = {node["NodeID"] for node in alive() if reachable(node)}
        # Before it has said where it is, it was on one of the nodes that were there when it began. If all of them are
        # still there, the seat itself cannot begin, and it would not help to start it again and again.
        self._lost = self.node not in left if self.node else not self.nodes <= left
        self.stop()

    def waiting(self) -> bool:
        return not self.node and self.ended is None

    def alive(self) -> bool:
        return self.ended is None and not self.stopped

    def lost(self) -> bool:
        return self._lost

    def silent(self) -> bool:
        """True if it has a place, and has been asked, and has not answered for too long."""
        return bool(self.node and self.pending) and time.monotonic() - self.heard > SILENT_SECONDS

    def lose(self) -> None:
        """Gives it up."""
        self.stop()
        self._lost = True

    def memory(self) -> int:
        return self.bytes

    def stop(self) -> None:
        self.stopped, self.pending = True, None
        self.ended = KILLED if self.ended is None else self.ended
        ray.kill(self.seat, no_restart=True)


class RayEngine:
    """Runs workers on the nodes of a cluster.

    Args:
        job: what all workers get. Ray brings it to each node once.
        address: of the cluster. This process connects again if an earlier engine has ended its connection.
    """

    def __init__(self, job: Job, address: str) -> None:
        if not ray.is_initialized():
            connect(address)
        self.job = ray.put(job)
        self.workers: list[RayWorker] = []

    def start(self, index: int, session: str, memory_limit: int | None) -> RayWorker:
        self.workers = [worker for worker in self.workers if worker.alive()]
        self.workers.append(RayWorker(self.job, index, memory_limit, min(1, gpus())))
        return self.workers[-1]

    def poll(self, seconds: float) -> list[tuple[Worker, Message]]:
        asked = {worker.pending: worker for worker in self.workers if worker.pending}
        if not asked:
            time.sleep(seconds)
            return []
        ready, _ = ray.wait(list(asked), timeout=seconds)
        if ready:  # and all others that are ready by now
            ready, _ = ray.wait(list(asked), num_returns=len(asked), timeout=0)
        found: list[tuple[Worker, Message]] = []
        for reference in ready:
            worker = asked[reference]
            try:
                message = ray.get(reference, timeout=SILENT_SECONDS)
            except RayTaskError:  # a defect of Seat
                raise
            except RayError:  # the process or the node is gone, or with the node a checkpoint that it was sending
                worker.end()
                continue
            if worker.hear(message):
                found.append((worker, message))
        for worker in self.workers:
            if worker.silent():
                worker.lose()
        return found

    def answer(self, worker: Worker, value: Any) -> None:
        if isinstance(worker, RayWorker) and worker.alive():
            worker.ask(value)

    def places(self) -> int:
        return places()

    def close(self) -> None:
        ray.shutdown()


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
    here = own_versions()
    for node in filter(reachable, alive()):  # a node that was just lost is in Ray's list for some seconds
        there = _versions_of(node["NodeID"])
        if different := {name: there.get(name, "none") for name in here if there.get(name) != here[name]}:
            got = ", ".join(f"{name} {version}" for name, version in different.items())
            wanted = ", ".join(f"{name} {here[name]}" for name in different)
            raise BadInput(f"--address: expected {wanted} on node {node['NodeManagerAddress']}, got {got}")


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


def _versions_of(node: str) -> dict[str, str]:
    """The versions on a node. Raises BadInput if it does not say."""
    here = NodeAffinitySchedulingStrategy(node, soft=False)
    asked = ray.remote(own_versions).options(num_cpus=0, max_retries=0, scheduling_strategy=here).remote()
    try:
        return dict(ray.get(asked, timeout=VERSIONS_SECONDS))
    except (RayError, TimeoutError) as error:
        line = str(error).strip().splitlines()[-1]
        raise BadInput(f"--address: expected recurrent-search on every node, got from one: {line}") from None


def alive() -> list[dict[str, Any]]:
    """The nodes of the cluster."""
    return [node for node in ray.nodes() if node["Alive"]]


def gpus() -> int:
    """How many GPUs the nodes of the cluster have."""
    return int(ray.cluster_resources().get("GPU", 0))


def places() -> int:
    """How many workers the cluster has room for: one per GPU, else one per core."""
    return gpus() or int(ray.cluster_resources().get("CPU", 0))


def reachable(node: dict[str, Any]) -> bool:
    """True if the raylet of a node takes connections."""
    try:
        socket.create_connection((node["NodeManagerAddress"], node["NodeManagerPort"]), REACH_SECONDS).close()
    except OSError:
        return False
    return True
