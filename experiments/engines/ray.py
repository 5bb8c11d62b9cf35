"""Workers on the nodes of a Ray cluster.

Each worker is an actor, a `Seat`. Ray starts it where there is room, and says when it or its node is gone. Ray starts
no worker again: the launcher does so, and the oracle gives it the trial that was lost, which goes on at its last epoch.
"""

import time
import uuid
from collections.abc import Callable, Collection
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from experiments.engines import KILLED, Message, Worker
from experiments.engines.nodes import alive, connect, difference, gpus, own_versions, places, reachable
from experiments.engines.seat import ENDED, Seat
from experiments.worker.job import Job

WAITING_SECONDS = 60.0  # a user is told of workers that have had no place for so long
SILENT_SECONDS = 60.0  # a seat that has not answered for so long is lost; it answers every few seconds
NODE_ID = "ray.io/node-id"  # the label of a node that Ray sets


class RaySeat(Seat):
    """A seat that says with its first message on which node it is, and what is installed there."""

    def __init__(self, *how: Any) -> None:
        super().__init__(*how)
        self.about: Message = {"node": ray.get_runtime_context().get_node_id(), "versions": own_versions()}

    def next(self, answer: Any) -> Message:
        about, self.about = self.about, {}
        return super().next(answer) | about


class RayWorker(Worker):
    """An actor that runs one worker.

    Args:
        job: a reference to the `Job`.
        index: of the worker.
        gpus: that it needs.
        unfit: nodes that it must not run on.
    """

    def __init__(self, job: Any, index: int, memory_limit: int | None, gpus: int, unfit: Collection[str]) -> None:
        self.index, self._key = index, uuid.uuid4().hex
        # max_restarts and max_task_retries are 0 by default: Ray must not begin a trial again by itself.
        where = {NODE_ID: f"!in({','.join(sorted(unfit))})"} if unfit else None
        seat = ray.remote(RaySeat).options(num_cpus=1, num_gpus=gpus, label_selector=where)
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
        self.node = message.pop("node", self.node)
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
        return self.ended is None

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
        warn: shows a line to the user.
    """

    def __init__(self, job: Job, address: str, warn: Callable[[str], None]) -> None:
        if not ray.is_initialized():
            connect(address)
        self.job, self.warn = ray.put(job), warn
        self.workers: list[RayWorker] = []
        self.unfit: set[str] = set()  # nodes that have joined with other versions
        self.crowded = False  # the user was told that workers wait for a place

    def start(self, index: int, session: str, memory_limit: int | None) -> RayWorker:
        self.workers = [worker for worker in self.workers if worker.alive()]
        self.workers.append(RayWorker(self.job, index, memory_limit, min(1, gpus()), self.unfit))
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
                if worker.lost():
                    self.warn(
                        f"worker {worker.index} is lost with its node; its trial goes on from its last checkpoint"
                    )
                continue
            fits = self._fits(message.pop("versions", None), message.get("node", ""))
            if worker.hear(message) and fits:
                found.append((worker, message))
            elif not fits:
                worker.lose()
        for worker in self.workers:
            if worker.silent():
                worker.lose()
        self._tell_of_waiting()
        return found

    def _tell_of_waiting(self) -> None:
        late = [one for one in self.workers if one.waiting() and time.monotonic() - one.heard > WAITING_SECONDS]
        if late and not self.crowded:
            self.warn(f"the cluster has no place for {len(late)} of the workers now; they wait for one")
        self.crowded = bool(late)

    def _fits(self, versions: dict[str, str] | None, node: str) -> bool:
        """False for a worker on a node that has joined with other versions. Its trials could not be compared.

        Args:
            versions: on the node, if the worker says so for the first time.
        """
        if versions is None or not (wrong := difference(versions, node)):
            return True
        if node not in self.unfit:
            self.unfit.add(node)
            self.warn(f"a node has joined that gets no worker: {wrong}")
        return False

    def answer(self, worker: Worker, value: Any) -> None:
        if isinstance(worker, RayWorker) and worker.alive():
            worker.ask(value)

    def places(self) -> int:
        return places(self.unfit)

    def close(self) -> None:
        ray.shutdown()
