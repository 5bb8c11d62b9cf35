"""Engines start workers, on this machine or on others. The launcher knows only what stands here.

A worker that runs elsewhere cannot reach the folder of the search. It sends messages, and each message is answered.
A worker on this machine writes into the folder itself and sends none.
"""

from typing import Any, Protocol

Message = dict[str, Any]


class Worker(Protocol):
    """One start of a worker.

    Attributes:
        index: of the worker. A worker that is started again keeps it.
        key: names this start. No other start of the search has the same one.
    """

    index: int

    @property
    def key(self) -> str: ...

    def go(self) -> None:
        """Lets the worker begin; it waits for this."""

    def waiting(self) -> bool:
        """True while no machine has a place for it."""

    def alive(self) -> bool:
        """True while its process runs."""

    def done(self) -> bool:
        """True if it has ended because there are no more trials."""

    def failed(self) -> bool:
        """True if it has ended for an unforeseen reason."""

    def refused(self) -> bool:
        """True if it has failed because the user's task cannot be used. Another process would end in the same way."""

    def retired(self) -> bool:
        """True if it has ended after a trial because it used too much memory. A new worker takes its place."""

    def full(self) -> bool:
        """True if it has ended because the disk is full."""

    def lost(self) -> bool:
        """True if its machine is gone, or does not answer any more. Its trial is not to blame."""

    def memory(self) -> int:
        """Bytes of memory that its process uses; 0 if that is not known."""

    def stop(self) -> None:
        """Ends it at once. Its finished epochs are in the journals, and nothing that it sends later is taken."""


class Engine(Protocol):
    """Where workers run."""

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
        """Ends all workers and gives back what the engine holds."""
