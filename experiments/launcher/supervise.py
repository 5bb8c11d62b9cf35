"""One search: starts workers, keeps MLflow up to date with their journals, ends when nothing is left to do."""

import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import psutil
from filelock import Timeout

from experiments.config.folders import FULL_DISK, SearchFolder, TrialFolder, try_acquire
from experiments.engines.local import LocalWorker
from experiments.worker.build import make_tuner
from experiments.worker.process import work
from tracking.errors import SearchStateError

if TYPE_CHECKING:
    from experiments.launcher.limits import Watch
    from experiments.launcher.progress import TrialState
    from tracking.record import Record

TICK = 0.25  # seconds between two looks at the workers
OTHER_LAUNCHER = 3.0  # seconds after which another launcher of this search is believed to live
OLD_WORKERS = 60.0  # seconds that workers of a killed launcher get to end; it takes them milliseconds
FREED = 5.0  # seconds in which the system takes a lock from a process that it has ended
USELESS_DEATHS = 3  # processes of one worker that may die one after the other before they begin a trial
NO_SPACE = "the disk is full; --resume goes on"


class WorkersDied(RuntimeError):
    """Workers end before they can run a trial, or the disk is full."""


class Search:
    """Runs the search whose spec lies in `folder`.

    Args:
        workers: how many processes.
        gpus: names of GPUs for CUDA_VISIBLE_DEVICES, dealt out to the workers.
        make: makes a worker's tuner; a fake one in tests.
        method: how processes start, "spawn" or, for tests, "fork".
    """

    def __init__(
        self, folder: SearchFolder, workers: int, gpus: list[str], make: Any = make_tuner, method: str = "spawn"
    ) -> None:
        self.folder, self.count, self.gpus, self.make, self.method = folder, workers, gpus, make, method
        self.watch: Watch | None = None  # says when the search, or a worker's trial, must end before its time
        self.why = ""
        self.session = uuid.uuid4().hex
        self.workers: list[LocalWorker] = []
        self.interrupted = False
        self.sent = True  # the record has all there is
        self.useless: dict[int, int] = {}  # by place: processes that died, one after the other, before any trial
        self.left_out: set[int] = set()  # places of workers that are not replaced any more
        self.warn: Callable[[str], None] = lambda text: None

    def run(self, open_record: Callable[[str], "Record | None"], tick: Callable[[], None], last: Any = None) -> str:
        """Returns "done", "interrupted", or why the search ended before its time.

        Args:
            open_record: called with the session while the workers import TensorFlow; what it raises ends the search.
            tick: called four times a second.
            last: called with the record when all trials are sent, before the search's run ends.

        Raises SearchStateError if another launcher runs this search, WorkersDied if no worker can run.
        """
        if not try_acquire(self.folder.launcher_lock, OTHER_LAUNCHER):
            raise SearchStateError(
                f"name: expected a search that is not running, got {self.folder.path.name!r}, which is"
            )
        try:
            with self._signals():
                self._wait_for_old_workers()
                return self._run(open_record, tick, last)
        finally:
            self._stop()
            self.folder.launcher_lock.release()

    def _wait_for_old_workers(self) -> None:
        try:
            self.folder.wait_for_workers(OLD_WORKERS)
        except Timeout as error:
            got = ", ".join(f"process {pid}" for pid in _holders(Path(error.lock_file))) or "one"
            got += ", which does not end"
            raise SearchStateError(f"name: expected no worker of an earlier launcher, got {got}") from None

    def _run(self, open_record: Callable[[str], "Record | None"], tick: Callable[[], None], last: Any) -> str:
        self.workers = [self._start(index) for index in range(self.count)]
        record = open_record(self.session)
        status = "FAILED"
        try:
            self._watch_disk(record, tick)
            status = "FINISHED"
        except BaseException as error:
            self.why = str(error) if isinstance(error, Exception) and str(error) else type(error).__name__
            raise
        finally:
            status = "KILLED" if self.interrupted else status
            ended = "interrupted" if self.interrupted else self.why or "done"  # a later Ctrl-C changes that no more
            self._stop()
            with suppress(OSError, SystemExit):  # the terminal is closed; of a closed pipe Rich makes an exit
                tick()
            with suppress(OSError):  # a full disk: the record has it all the same
                self.folder.journal.append("end", status=status, why=ended)
            if record:
                self.sent = record.finish(status, last and (lambda: last(record)), ended)
            with suppress(OSError):  # a full disk: the next launcher will
                self._settle()
        return ended

    def _start(self, index: int) -> LocalWorker:
        gpu = self.gpus[index % len(self.gpus)] if self.gpus else None
        memory = self.watch.limits.memory if self.watch else None
        return LocalWorker(work, index, (self.folder.path, self.session, gpu, memory, self.make), self.method)

    def _settle(self) -> None:
        """A worker that was ended between the last line of its trial and that of the study has left one behind."""
        if not self.workers or not all(worker.done() for worker in self.workers):
            from experiments.strategy.study import (
                tell_ends,  # Optuna takes half a second, which most searches need not wait for
            )

            tell_ends(self.folder)

    def _watch_disk(self, record: "Record | None", tick: Callable[[], None]) -> None:
        try:
            self._begin(record)
            self._watch(tick)
        except OSError as error:
            if error.errno not in FULL_DISK:
                raise
            self._give_up(NO_SPACE)

    def _begin(self, record: "Record | None") -> None:
        self.folder.journal.repair()
        self.folder.journal.append("start", session=self.session)
        for worker in self.workers:
            worker.go()
        if record:
            record.start()

    def _give_up(self, why: str) -> NoReturn:
        self.why = why
        raise WorkersDied(why)

    def _watch(self, tick: Callable[[], None]) -> None:
        while not self.interrupted and not self.why and any(not worker.done() for _, worker in self._wanted()):
            tick()  # what the journals say is read before anybody is judged by it
            for place, worker in self._wanted():
                if worker.full():
                    self._give_up(NO_SPACE)
                if worker.retired():
                    self._renew(place)
                elif worker.failed():
                    self._replace(place)
                elif self.watch and worker.alive():
                    self._enforce(place, *self.watch.offence(worker))
            if self.watch and self.watch.ended():
                return
            self.why = self.watch.over() if self.watch else ""
            time.sleep(TICK)

    def _enforce(self, place: int, state: "TrialState | None", reason: str) -> None:
        """Ends a worker that must end, with the trial that it is at: that costs nothing but itself."""
        if not reason:
            return
        self.workers[place].stop()
        if state is None:
            self._replace(place, reason)
            return
        trial = self.folder.trial(int(state.number))
        if try_acquire(trial.lock, FREED):  # else another worker has begun it anew, and is judged by what it does
            try:
                self._end(trial, state, reason)
            finally:
                trial.lock.release()
        self._renew(place)

    def _end(self, trial: TrialFolder, state: "TrialState", reason: str) -> None:
        """The trial has failed; one that is late and has finished an epoch is stopped, and its best epoch counts."""
        trial.journal.repair()
        if trial.journal.events()[-1]["event"] == "end":
            return
        if state.late:
            trial.journal.append("stop", execution=state.execution, reason=reason)
        else:
            trial.journal.append("end", outcome="failed", score=None, reason=reason)
            trial.clear()

    def _wanted(self) -> list[tuple[int, LocalWorker]]:
        return [(place, worker) for place, worker in enumerate(self.workers) if place not in self.left_out]

    def _replace(self, place: int, why: str = "") -> None:
        worker = self.workers[place]
        self.useless[place] = 0 if self._has_run(worker) else self.useless.get(place, 0) + 1
        if self.useless[place] <= USELESS_DEATHS:
            self._renew(place)
            return
        log = os.path.relpath(self.folder.worker_log(worker.index))
        self.left_out.add(place)
        if not self._can_do_without():
            self._give_up(why or f"workers end before they can run a trial; {log} says why")
        what = f"was ended ({why})" if why else "ends"
        self.warn(f"worker {worker.index} {what} before it can run a trial, and is left out; {log} says why")

    def _has_run(self, worker: LocalWorker) -> bool:
        return self.folder.begun_by(worker.pid, self.session)

    def _can_do_without(self) -> bool:
        """True if another worker goes on, or has found nothing left to start and none of its trials was lost."""
        others = [worker for _, worker in self._wanted()]
        if any(other.alive() or other.retired() or (other.failed() and self._has_run(other)) for other in others):
            return True
        return any(other.done() for other in others) and self.folder.all_ended()

    def _renew(self, place: int) -> None:
        self.workers[place] = self._start(self.workers[place].index)
        self.workers[place].go()

    def _stop(self) -> None:
        for worker in self.workers:
            worker.stop()

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """The first Ctrl-C, SIGTERM or closed terminal ends the search cleanly, a second one at once.

        What this process was started to ignore, under nohup say, it ignores.
        """

        def note(signum: int, frame: Any) -> None:
            if self.interrupted:
                raise KeyboardInterrupt
            self.interrupted = True

        signals = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
        heard = [signum for signum in signals if signal.getsignal(signum) is not signal.SIG_IGN]
        before = {signum: signal.signal(signum, note) for signum in heard}
        try:
            yield
        finally:
            for signum, handler in before.items():
                signal.signal(signum, handler)


def _holders(path: Path) -> list[int]:
    """The processes that have a file open, as far as the system tells."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if str(path.resolve()) in [file.path for file in process.open_files()]:
                found.append(process.pid)
    return found
