"""The workers of one search: starts them, answers those that run on other machines, and ends them."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from experiments.engines import Engine, Worker

if TYPE_CHECKING:
    from experiments.engines.desk import Desk

GROW_SECONDS = 5.0  # between two looks whether there is room for more workers


class Crew:
    """The workers that an engine runs for a search.

    Args:
        engine: starts them.
        desk: answers them, if they run on other machines.
        most: more workers are started when the engine has more places, up to this number.
    """

    def __init__(self, engine: Engine, desk: "Desk | None" = None, most: int = 0) -> None:
        self.engine, self.desk, self.most = engine, desk, most
        self.workers: list[Worker] = []
        self.grown = time.monotonic()

    def begin(self, count: int, start: Callable[[int], Worker]) -> None:
        """Starts workers, which wait for `go`.

        Args:
            start: starts the worker of an index.
        """
        self.start = start
        self.workers = [start(index) for index in range(count)]

    def renew(self, place: int) -> None:
        """Starts a new worker in the place of one that has ended."""
        self.free(self.workers[place])
        self.workers[place] = self.start(self.workers[place].index)
        self.workers[place].go()

    def grow(self) -> None:
        """Starts workers on machines that have joined."""
        if len(self.workers) >= self.most or time.monotonic() - self.grown < GROW_SECONDS:
            return
        self.grown = time.monotonic()
        for index in range(len(self.workers), min(self.most, self.engine.places())):
            self.workers.append(self.start(index))
            self.workers[-1].go()

    def serve(self, seconds: float) -> None:
        """Answers workers for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            asked = self.engine.poll(left)
            if asked and self.desk:
                answers = self.desk.answer([(worker.key, message) for worker, message in asked])
                for (worker, _), answer in zip(asked, answers, strict=True):
                    self.engine.answer(worker, answer)

    def free(self, worker: Worker) -> None:
        """Lets another worker take the trial of one that has ended. On this machine the system does so."""
        if self.desk:
            self.desk.release(worker.key, worker.lost())

    def stop(self) -> None:
        """Ends all workers at once."""
        for worker in self.workers:
            worker.stop()

    def close(self) -> None:
        """Gives back what the engine and the desk hold."""
        self.engine.close()
        if self.desk:
            self.desk.close()
