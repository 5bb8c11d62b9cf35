"""Workers on the nodes of a Ray cluster.

Each worker is an actor, a `Seat`. Ray starts it where there is room, and says when it or its node is gone. Ray starts
no worker again: the launcher does so, and the oracle gives it the trial that was lost, which goes on at its last epoch.
"""

import time
from collections.abc import Callable
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from experiments.engines import Message, Worker, WorkersDied
from experiments.engines.cluster import parts
from experiments.engines.nodes import alive, connect, connects, difference, gpus, is_reachable, leave, places
from experiments.engines.ray_worker import SILENT_SECONDS, RayWorker
from experiments.worker.job import Job

WAITING_SECONDS = 60.0  # a user is told of workers that have had no place for so long
# Between two looks at the head and at the node of this process. Ray ends the process of a launcher 14 to 62 seconds
# after one of them is gone, and no `finally` runs.
LOOK_SECONDS = 5.0
FRESH_SECONDS = 1.0  # a look is taken as true for so long; Ray does not return from some calls when the head is gone
AGAIN = "on a new cluster the same command goes on, a search with --resume"


class RayEngine:
    """Runs workers on the nodes of a cluster.

    Args:
        job: what all workers get. Ray brings it to each node once.
        address: of the cluster. This process connects again if an earlier engine has ended its connection.
        warn: shows a line to the user.
        per_gpu: how many workers share a GPU.
    """

    def __init__(self, job: Job, address: str, warn: Callable[[str], None], per_gpu: int = 1) -> None:
        if not ray.is_initialized():
            connect(address)
        self.address, self.warn, self.per_gpu = address, warn, per_gpu
        own = ray.get_runtime_context().get_node_id()
        (self.here,) = [node for node in alive() if node["NodeID"] == own]
        self.gone = False  # the cluster
        self.looked = time.monotonic()  # when the head and this node have last answered
        self.job = ray.put(job)
        self.workers: list[RayWorker] = []
        self.unfit: set[str] = set()  # nodes that have joined with other versions
        self.crowded = False  # the user was told that workers wait for a place

    def start(self, index: int, session: str, memory_limit: int | None) -> RayWorker:
        self._look(FRESH_SECONDS)
        self.workers = [worker for worker in self.workers if worker.alive()]
        per_gpu = self.per_gpu if gpus() else 0
        self.workers.append(RayWorker(self.job, index, memory_limit, per_gpu, self.unfit))
        return self.workers[-1]

    def poll(self, seconds: float) -> list[tuple[Worker, Message]]:
        self._look(LOOK_SECONDS)
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
                self._look(FRESH_SECONDS)
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

    def _look(self, seconds: float) -> None:
        """Looks whether the cluster is there, if the last look is older than `seconds`.

        Raises WorkersDied if it is gone. Then this process has left it.
        """
        if time.monotonic() - self.looked < seconds:
            return
        if self._missing():
            time.sleep(LOOK_SECONDS)  # it may have been busy
        if missing := self._missing():
            self.gone = True
            for worker in filter(RayWorker.alive, self.workers):
                worker.forget()
            leave()
            raise WorkersDied(f"{missing} does not answer; {AGAIN}")
        self.looked = time.monotonic()

    def _missing(self) -> str:
        """What does not answer; "" if all do."""
        if not connects(*parts(self.address)):
            return f"the head of the cluster at {self.address}"
        return "" if is_reachable(self.here) else "Ray on this node"

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
        self._look(FRESH_SECONDS)
        return places(self.per_gpu, self.unfit)

    def close(self) -> None:
        if not self.gone:
            ray.shutdown()
