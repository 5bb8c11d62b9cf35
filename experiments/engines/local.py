"""Workers as processes on this machine."""

import multiprocessing
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from types import ModuleType
from typing import Any

from experiments.worker.process import DONE, FULL, REFUSED, RETIRED

Target = Callable[..., None]


class LocalWorker:
    """One worker process. It waits for `go`, and ends when its launcher dies.

    Args:
        target: the main function of the process; it gets a connection, `index` and `arguments`.
        method: how the process starts, "spawn" or "fork".
    """

    def __init__(self, target: Target, index: int, arguments: tuple[Any, ...], method: str) -> None:
        context: Any = multiprocessing.get_context(method)
        gate, self._go = context.Pipe(duplex=False)
        self.index = index
        self.process = context.Process(target=target, args=(gate, index, *arguments), daemon=True)
        with _without_script(), _ignored(signal.SIGINT):  # the process inherits this: only the launcher hears Ctrl-C
            self.process.start()
        gate.close()

    def go(self) -> None:
        with suppress(BrokenPipeError):  # the process has died; `failed` will say so
            self._go.send(True)

    @property
    def pid(self) -> int:
        return int(self.process.pid)

    def alive(self) -> bool:
        return bool(self.process.is_alive())

    def done(self) -> bool:
        """True if it has ended because there are no more trials."""
        return self.process.exitcode == DONE

    def failed(self) -> bool:
        """True if it has ended for an unforeseen reason."""
        return self.process.exitcode not in (None, DONE, RETIRED, FULL)

    def refused(self) -> bool:
        """True if it has failed because the user's task cannot be used. Another process would end in the same way."""
        return self.process.exitcode == REFUSED

    def retired(self) -> bool:
        """True if it has ended after a trial because it used too much memory."""
        return self.process.exitcode == RETIRED

    def full(self) -> bool:
        """True if it has ended because the disk is full."""
        return self.process.exitcode == FULL

    def stop(self) -> None:
        """Ends the process at once. Its finished epochs are in the journals."""
        self.process.kill()
        self.process.join()


@contextmanager
def _ignored(signum: int) -> Iterator[None]:
    """Lets a process that starts inside ignore a signal, or never get it."""
    if threading.current_thread() is threading.main_thread():
        before = signal.signal(signum, signal.SIG_IGN)
        try:
            yield
        finally:
            signal.signal(signum, before)
        return
    # Only the main thread may set handlers. Another thread can block a signal, and a new process inherits that too.
    resource_tracker.ensure_running()  # a process of multiprocessing's own: it would unblock the signal when it starts
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signum})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


@contextmanager
def _without_script() -> Iterator[None]:
    """Hides this process's script from a process that starts inside.

    A spawned process imports the script of its parent. It would run a user's script again that has no
    `if __name__ == "__main__"`, and so begin the search again.
    """
    script = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script
