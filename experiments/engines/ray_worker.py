"""One worker on a node of a Ray cluster: an actor, and what the launcher knows of it."""

import time
import uuid
from collections.abc import Collection
from typing import Any

import ray

from experiments.engines import KILLED, Message, Worker
from experiments.engines.nodes import alive, is_reachable, own_versions
from experiments.engines.seat import ENDED, Seat

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
        per_gpu: how many workers share a GPU; 0 for a worker without one.
        unfit: nodes that it must not run on.
    """

    def __init__(self, job: Any, index: int, memory_limit: int | None, per_gpu: int, unfit: Collection[str]) -> None:
        self.index, self._key = index, uuid.uuid4().hex
        # max_restarts and max_task_retries are 0 by default: Ray must not begin a trial again by itself.
        where = {NODE_ID: f"!in({','.join(sorted(unfit))})"} if unfit else None
        share = 1 / per_gpu if per_gpu else 0
        seat = ray.remote(RaySeat).options(num_cpus=1, num_gpus=share, label_selector=where)
        self.seat = seat.remote(job, index, self._key, memory_limit, per_gpu)
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
        left = {node["NodeID"] for node in alive() if is_reachable(node)}
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

    def forget(self) -> None:
        """The cluster is gone: no call reaches the seat, and Ray may not return from one."""
        self.stopped, self.pending, self.ended = True, None, KILLED

    def memory(self) -> int:
        return self.bytes

    def stop(self) -> None:
        self.stopped, self.pending = True, None
        if self.ended is None:
            self.ended = KILLED
            ray.kill(self.seat, no_restart=True)
