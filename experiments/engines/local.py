"""Workers as processes on this machine."""

import multiprocessing
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from types import ModuleType
from typing import Any

import psutil

from experiments.config.folders import SearchFolder
from experiments.engines import Message, Worker
from experiments.system.resources import automatic_workers, process_memory
from experiments.worker.build import make_tuner
from experiments.worker.process import MakeTuner, own_key, work

Target = Callable[..., None]


class LocalWorker(Worker):
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
    def key(self) -> str:
        return own_key(self.process.pid)

    @property
    def code(self) -> int | None:
        code: int | None = self.process.exitcode
        return code

    def alive(self) -> bool:
        return bool(self.process.is_alive())

    def memory(self) -> int:
        try:
            return process_memory(psutil.Process(self.process.pid))
        except psutil.Error:  # the process has just ended
            return 0

    def stop(self) -> None:
        self.process.kill()
        self.process.join()


class LocalEngine:
    """Runs workers as processes of this machine. They write into the folder of the search themselves.

    Args:
        folder: of the search.
        gpus: names of GPUs for CUDA_VISIBLE_DEVICES. The workers take them in turn.
        make: makes a worker's tuner. Tests give a fake one.
        method: how processes start, "spawn", or "fork" in tests.
        per_gpu: how many workers share a GPU.
        native: workers load the native kernels while they wait for `go`.
    """

    def __init__(
        self,
        folder: SearchFolder,
        gpus: Sequence[str] = (),
        make: MakeTuner = make_tuner,
        method: str = "spawn",
        per_gpu: int = 1,
        native: bool = False,
    ) -> None:
        self.folder, self.gpus, self.make, self.method = folder, gpus, make, method
        self.per_gpu, self.native = per_gpu, native

    def start(self, index: int, session: str, memory_limit: int | None) -> LocalWorker:
        gpu = self.gpus[index % len(self.gpus)] if self.gpus else None
        how = self.folder.path, session, gpu, self.per_gpu, memory_limit, self.make, self.native
        return LocalWorker(work, index, how, self.method)

    def places(self) -> int:
        return automatic_workers(self.per_gpu)

    def poll(self, seconds: float) -> list[tuple[Worker, Message]]:
        """Waits: these workers send no messages."""
        time.sleep(seconds)
        return []

    def answer(self, worker: Worker, value: Any) -> None:
        """Does nothing: there is no message to answer."""

    def close(self) -> None:
        """Does nothing: the engine holds nothing but its workers, which have ended."""


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
