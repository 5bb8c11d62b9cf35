"""Supervises the workers of one search: starts them, replaces those that die, and ends when no trial is left."""

import os
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

from filelock import Timeout

from experiments.config.folders import FULL_DISK, SearchFolder, TrialFolder, is_running, try_acquire
from experiments.engines import Worker, WorkersDied
from experiments.launcher.claim import OTHER_LAUNCHER_SECONDS
from experiments.launcher.crew import Crew
from experiments.launcher.signals import signals
from tracking.errors import SearchStateError
from tracking.holders import holders

if TYPE_CHECKING:
    from experiments.launcher.limits import Watch
    from experiments.launcher.progress import TrialState
    from tracking.record import Record

TICK_SECONDS = 0.25  # between two looks at the workers
OLD_WORKERS_SECONDS = 60.0  # workers of a killed launcher have this time to end; they need milliseconds
FREED_SECONDS = 5.0  # within this time the system releases the lock of a process that was killed
# A worker may die before it begins a trial for a reason that passes, for example because the memory is full for a
# moment. So it is started again. After so many starts in a row without a trial it is left out.
USELESS_DEATHS = 3
NO_SPACE = "the disk is full; --resume goes on"


class Supervisor:
    """Runs the search whose spec lies in `folder`.

    Args:
        count: the number of workers.
        crew: starts and answers them.
        watch: says when the search, or a worker's trial, must end early.
        session: names this launcher.
        warn: shows a line to the user.
    """

    def __init__(
        self,
        folder: SearchFolder,
        count: int,
        crew: Crew,
        watch: "Watch | None" = None,
        session: str = "",
        warn: Callable[[str], None] = lambda text: None,
        about: dict[str, str] | None = None,
    ) -> None:
        self.folder, self.count, self.crew = folder, count, crew
        self.why = ""
        self.watch, self.session, self.warn = watch, session or uuid.uuid4().hex, warn
        self.about = about or {}  # what the journal says of the store
        self.interrupted = False
        self.sent = True  # False if the record lacks something at the end
        self.useless: dict[int, int] = {}  # by worker: how many processes in a row died before they began a trial
        self.left_out: set[int] = set()  # workers that are not replaced any more

    @property
    def workers(self) -> list[Worker]:
        return self.crew.workers

    def run(self, begin: Callable[[str], "Record | None"], tick: Callable[[], None], last: Any = None) -> str:
        """Runs the workers; returns "done", "interrupted", or why the search ended early.

        Args:
            begin: called with the session while the workers import TensorFlow; returns the record. An error that it
                raises ends the search.
            tick: called four times a second.
            last: called with the record when all trials are sent and the search's run has not ended yet.

        Raises SearchStateError if another launcher runs this search, and WorkersDied if the search cannot go on.
        """
        # Two launchers must never run one search. The system releases the lock when its holder dies.
        if not try_acquire(self.folder.launcher_lock, OTHER_LAUNCHER_SECONDS):
            raise SearchStateError(is_running("--name", self.folder.path.name))
        try:
            with signals(self._hear):
                self._wait_for_old_workers()
                return self._run(begin, tick, last)
        finally:
            self._stop()
            self.crew.close()
            self.folder.launcher_lock.release()

    def _wait_for_old_workers(self) -> None:
        """Waits until the workers of a killed launcher have ended. Raises SearchStateError if one does not end."""
        try:
            self.folder.wait_for_workers(OLD_WORKERS_SECONDS)
        except Timeout as error:
            got = ", ".join(f"process {pid}" for pid in holders(error.lock_file)) or "one"
            got += ", which does not end"
            raise SearchStateError(f"name: expected no worker of an earlier launcher, got {got}") from None

    def _run(self, begin: Callable[[str], "Record | None"], tick: Callable[[], None], last: Any) -> str:
        self.crew.begin(self.count, self._start)
        record = begin(self.session)
        status = "FAILED"
        try:
            self._watch_disk(record, tick)
            status = "FINISHED"
        except BaseException as error:
            self.why = str(error) if isinstance(error, Exception) and str(error) else type(error).__name__
            raise
        finally:
            status = "KILLED" if self.interrupted else status
            ended = "interrupted" if self.interrupted else self.why or "done"  # a later Ctrl-C does not change it
            self._stop()
            with suppress(OSError, SystemExit):  # if the terminal is closed, printing fails or Rich ends the process
                tick()
            with suppress(OSError):  # the disk may be full; the record gets the end in any case
                self.folder.journal.append("end", status=status, why=ended)
            if record:
                self.sent = record.finish(status, last and (lambda: last(record)), ended)
            with suppress(OSError):  # the disk may be full; then the next launcher does it
                self._tell_study()
        return ended

    def _start(self, index: int) -> Worker:
        return self.crew.engine.start(index, self.session, self.watch.limits.memory if self.watch else None)

    def _tell_study(self) -> None:
        """Tells the study the ends of trials whose workers were killed before they could do so."""
        if not self.workers or not all(worker.done() for worker in self.workers):
            # This imports Optuna, which takes half a second and which most searches do not need.
            from experiments.strategy.study import tell_ends

            tell_ends(self.folder)

    def _watch_disk(self, record: "Record | None", tick: Callable[[], None]) -> None:
        try:
            self._begin(record)
            self._loop(tick)
        except OSError as error:
            if error.errno not in FULL_DISK:
                raise
            self._give_up(NO_SPACE)

    def _begin(self, record: "Record | None") -> None:
        self.folder.journal.repair()
        place = str(self.folder.path.absolute())
        self.folder.journal.append("start", session=self.session, place=place, **self.about)
        for worker in self.workers:
            worker.go()
        if record:
            record.start()

    def _give_up(self, why: str) -> NoReturn:
        self.why = why
        raise WorkersDied(why)

    def _loop(self, tick: Callable[[], None]) -> None:
        while not self.interrupted and not self.why and any(not worker.done() for _, worker in self._wanted()):
            tick()  # reads the journals first; the checks of the workers need them
            for place, worker in self._wanted():
                if worker.full():
                    self._give_up(NO_SPACE)
                if worker.retired() or worker.lost():
                    self._renew(place)
                elif worker.failed():
                    self._replace(place)
                elif self.watch and worker.alive() and not worker.waiting():
                    self._enforce(place, *self.watch.offence(worker))
            if self.watch and self.watch.ended():
                return
            self.why = self.watch.over() if self.watch else ""
            self.crew.grow()
            self.crew.serve(TICK_SECONDS)

    def _enforce(self, place: int, state: "TrialState | None", reason: str) -> None:
        """If there is a reason, kills the worker and ends the trial that it runs. No other trial is affected."""
        if not reason:
            return
        self.workers[place].stop()
        self.crew.free(self.workers[place])
        if state is None:
            self._replace(place, reason)
            return
        trial = self.folder.trial(state.number)
        # The killed worker held the trial's lock, and the system releases it. If the lock is not free after
        # FREED_SECONDS, another worker has begun the trial again. That new attempt goes on.
        if try_acquire(trial.lock, FREED_SECONDS):
            try:
                self._end(trial, state, reason)
            finally:
                trial.lock.release()
        self._renew(place)

    def _end(self, trial: TrialFolder, state: "TrialState", reason: str) -> None:
        """Ends the trial as failed. If it is late and has an epoch, only its training ends; the best epoch counts."""
        trial.journal.repair()
        if trial.journal.events()[-1]["event"] == "end":
            return
        if state.late:
            trial.journal.append("stop", execution=state.execution, reason=reason)
        else:
            trial.journal.append("end", outcome="failed", score=None, reason=reason)
            trial.clear()

    def _wanted(self) -> list[tuple[int, Worker]]:
        return [(place, worker) for place, worker in enumerate(self.workers) if place not in self.left_out]

    def _replace(self, place: int, why: str = "") -> None:
        worker = self.workers[place]
        self.crew.free(worker)  # it may be left out, and another one has to take its trial
        self.useless[place] = 0 if self._has_run(worker) else self.useless.get(place, 0) + 1
        if self.useless[place] <= USELESS_DEATHS and not worker.refused():
            self._renew(place)
            return
        log = os.path.relpath(self.folder.worker_log(worker.index))
        why = self.folder.last_words(worker.index) if worker.refused() else why
        self.left_out.add(place)
        if not self._can_do_without():
            self._give_up(why or f"workers end before they can run a trial; {log} says why")
        what = f"was ended ({why})" if why else "ends"
        self.warn(f"worker {worker.index} {what} before it can run a trial, and is left out; {log} says why")

    def _has_run(self, worker: Worker) -> bool:
        return self.folder.begun_by(worker.key, self.session)

    def _can_do_without(self) -> bool:
        """True if another worker goes on, or if another one found no trial to start and all trials have ended."""
        others = [worker for _, worker in self._wanted()]
        if any(other.alive() or other.retired() or (other.failed() and self._has_run(other)) for other in others):
            return True
        return any(other.done() for other in others) and self.folder.all_ended()

    def _renew(self, place: int) -> None:
        self.crew.renew(place)

    def _stop(self) -> None:
        self.crew.stop()

    def _hear(self) -> None:
        """The first signal ends the search cleanly; a second one ends it at once."""
        if self.interrupted:
            raise KeyboardInterrupt
        self.interrupted = True
