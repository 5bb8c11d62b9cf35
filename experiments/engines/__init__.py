"""Engines start workers, on this machine or on others. The launcher knows only what stands here.

A worker that runs elsewhere cannot reach the folder of the search. It sends messages, and each message is answered.
A worker on this machine writes into the folder itself and sends none.
"""

from abc import ABC, abstractmethod
from typing import Any, Protocol

from experiments.worker.process import DONE, FULL, REFUSED, RETIRED

KILLED = -9  # the exit code of a worker that was stopped, as that of a process that kill -9 has ended

Message = dict[str, Any]


class WorkersDied(RuntimeError):
    """The search cannot go on: workers end before they can run a trial, the disk is full, or the cluster is gone."""


class Worker(ABC):
    """One start of a worker.

    Attributes:
        index: of the worker. A worker that is started again keeps it.
    """

    index: int

    @property
    @abstractmethod
    def key(self) -> str:
        """Names this start. No other start of the search has the same one."""

    @property
    @abstractmethod
    def code(self) -> int | None:
        """The exit code with which it has ended, one of worker/process.py or another; None while it runs."""

    @abstractmethod
    def go(self) -> None:
        """Lets the worker begin; it waits for this."""

    @abstractmethod
    def alive(self) -> bool:
        """True while its process runs."""

    @abstractmethod
    def memory(self) -> int:
        """Bytes of memory that its process uses; 0 if that is not known."""

    @abstractmethod
    def stop(self) -> None:
        """Ends it at once; then it has failed, unless it had ended. Nothing that it sends later is taken.

        Its finished epochs are in the journals.
        """

    def waiting(self) -> bool:
        """True while no machine has a place for it."""
        return False

    def lost(self) -> bool:
        """True if its machine is gone, or does not answer any more. Its trial is not to blame."""
        return False

    def done(self) -> bool:
        """True if it has ended because there are no more trials."""
        return self.code == DONE

    def failed(self) -> bool:
        """True if it has ended for an unforeseen reason."""
        return self.code not in (None, DONE, RETIRED, FULL) and not self.lost()

    def refused(self) -> bool:
        """True if it has failed because the user's task cannot be used. Another process would end in the same way."""
        return self.code == REFUSED

    def retired(self) -> bool:
        """True if it has ended after a trial because it used too much memory. A new worker takes its place."""
        return self.code == RETIRED

    def full(self) -> bool:
        """True if it has ended because the disk is full."""
        return self.code == FULL


class Engine(Protocol):
    """Where workers run. tests/engines/test_contract.py checks every engine.

    What an engine of many machines is asked raises WorkersDied when they are gone.
    """

    def places(self) -> int:
        """For how many workers there is room now."""

    def start(self, index: int, session: str, memory_limit: int | None) -> Worker:
        """Starts a worker.

        Args:
            session: names the launcher.
            memory_limit: bytes; the launcher ends a worker that uses more. None for no limit.
        """

    def poll(self, seconds: float) -> list[tuple[Worker, Message]]:
        """The messages of workers that wait for an answer. Waits for the first one, at most `seconds`."""

    def answer(self, worker: Worker, value: Any) -> None:
        """Answers the message that `poll` has returned for a worker."""

    def close(self) -> None:
        """Gives back what the engine holds. All workers have ended, or were stopped."""
