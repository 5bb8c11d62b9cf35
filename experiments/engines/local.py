"""Workers as processes on this machine."""

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from experiments.worker.process import DONE, FULL, RETIRED

Target = Callable[..., None]


class LocalWorker:
    """One worker process. It waits for `go`, and ends when its launcher dies."""

    def __init__(self, target: Target, index: int, arguments: tuple[Any, ...], method: str) -> None:
        context: Any = multiprocessing.get_context(method)
        gate, self._go = context.Pipe(duplex=False)
        self.index = index
        self.process = context.Process(target=target, args=(gate, index, *arguments), daemon=True)
        with _ignored(signal.SIGINT):  # Ctrl-C is for the launcher: workers inherit that they do not hear it
            self.process.start()
        gate.close()

    def go(self) -> None:
        with suppress(BrokenPipeError):  # it has died meanwhile, and will be found `failed`
            self._go.send(True)

    @property
    def pid(self) -> int:
        return int(self.process.pid)

    def alive(self) -> bool:
        return bool(self.process.is_alive())

    def done(self) -> bool:
        """Ended, because there was nothing left to do."""
        return self.process.exitcode == DONE

    def failed(self) -> bool:
        """Ended for none of the reasons that are foreseen."""
        return self.process.exitcode not in (None, DONE, RETIRED, FULL)

    def retired(self) -> bool:
        """Ended after a trial, to make room for a fresh one."""
        return self.process.exitcode == RETIRED

    def full(self) -> bool:
        """Ended, because the disk was full."""
        return self.process.exitcode == FULL

    def stop(self) -> None:
        """Ends the process at once: what it had done is in the journals."""
        self.process.kill()
        self.process.join()


@contextmanager
def _ignored(signum: int) -> Iterator[None]:
    before = signal.signal(signum, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signum, before)
