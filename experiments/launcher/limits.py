"""What ends a search or a trial before its time. The launcher checks it while the workers run."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

import psutil

from experiments.config.spec import Spec
from experiments.config.units import parse_duration, parse_number, parse_size
from experiments.engines.local import LocalWorker
from experiments.launcher.progress import Progress, TrialState
from experiments.system import resources
from tracking.text import format_duration, format_memory, format_number

LOOK_SECONDS = 1.0  # that one look counts at the most; the launcher looks four times as often
LAST_SECONDS = 30.0  # that workers get to end by themselves when no trial is left; it takes them one or two
HUNG_SECONDS, HUNG_EPOCHS = 600.0, 20  # without a new epoch a trial hangs: the longer of this time and these epochs


@dataclass(frozen=True)
class Limits:
    """None is no limit; seconds, bytes of one worker, and a score."""

    time: float | None = None
    target: float | None = None
    trial_time: float | None = None
    memory: int | None = None
    shared: int = 0  # workers that share the machine's memory; 0 where the user has set the memory of one
    data: float = 0.0  # seconds that the launcher needed for the data: a worker may have to make them too
    hung: float = HUNG_SECONDS


def limits(spec: Spec, workers: int, data: float = 0.0) -> Limits:
    """The limits of a spec. Raises ValueError for one that is none.

    Args:
        data: seconds that the launcher needed for the data.
    """
    time, trial_time = (
        parse_duration("--time-limit", spec.time_limit),
        parse_duration("--trial-time-limit", spec.trial_time_limit),
    )
    target, workers = parse_number("--target", spec.target), max(1, workers)
    if spec.memory_limit == "auto":
        return Limits(
            time, target, trial_time, int(resources.SHARE * resources.total_memory() / workers), workers, data
        )
    return Limits(time, target, trial_time, parse_size("--memory-limit", spec.memory_limit), data=data)


class Clock:
    """Counts the seconds between looks, at most LOOK_SECONDS for each.

    A machine that was suspended, or a launcher that was stopped, therefore counts as one look.
    """

    def __init__(self) -> None:
        self.seconds, self.looked = 0.0, monotonic()

    def look(self) -> float:
        """Seconds until now."""
        now = monotonic()
        self.seconds, self.looked = self.seconds + min(now - self.looked, LOOK_SECONDS), now
        return self.seconds


class Watch:
    """Looks at a running search, by its limits and by what its journals say.

    Args:
        session: of the launcher; trials of other launchers are ignored.
        epoch: estimates the seconds of an epoch, for a trial that has finished none.
    """

    def __init__(
        self,
        limits: Limits,
        progress: Progress,
        session: str,
        epoch: Callable[[TrialState], float] = lambda trial: 0.0,
    ) -> None:
        self.limits, self.progress, self.session, self.epoch = limits, progress, session, epoch
        self.clock, self.last = Clock(), Clock()
        self.waits: dict[int, tuple[tuple[str, int], Clock]] = {}  # by worker: what it does, and for how long

    def over(self) -> str:
        """Why the search ends now, or ""."""
        best, target, time = self.progress.best(), self.limits.target, self.limits.time
        if best is not None and best.score is not None and target is not None:
            reached = best.score <= target if self.progress.direction == "min" else best.score >= target
            if reached:
                return f"trial {best.number} ({best.architecture}) has reached the target of {format_number(target)}"
        if time is not None and self.clock.look() > time and self.progress.left():
            return f"the time limit of {format_duration(time)} is over"
        return ""

    def ended(self) -> bool:
        """True if no trial is left, and the workers have had LAST_SECONDS to end by themselves."""
        if self.progress.done() < self.progress.planned or self.progress.left() > 0:
            self.last = Clock()
        return self.last.look() > LAST_SECONDS

    def offence(self, worker: LocalWorker) -> tuple[TrialState | None, str]:
        """The trial that a worker runs, and why that must end now, or ""."""
        # Only a trial that this process has begun: an earlier process of the same worker may have died in another one.
        trial = next((one for one in self.progress.running(self.session) if one.pid == worker.pid), None)
        if trial:
            trial.late = False
        return trial, self._memory(worker, trial) or (self._time(trial) if trial else self._start(worker))

    def _memory(self, worker: LocalWorker, trial: TrialState | None) -> str:
        limit = self.limits.memory
        try:
            used = resources.process_memory(psutil.Process(worker.pid)) if limit else 0
        except psutil.Error:  # it has just ended
            return ""
        if limit is None or used <= limit:
            return ""
        if trial is None:
            needed, got = f"than a worker needs by itself ({format_memory(used)})", format_memory(limit)
            if self.limits.shared > 1:
                return f"--workers: expected fewer, which have more memory {needed}, got {self.limits.shared} x {got}"
            return f"--memory-limit: expected more {needed}, got {got}"
        return f"used {format_memory(used)} of memory, limit {format_memory(limit)}"

    def _waiting(self, worker: int, at: tuple[str, int]) -> float:
        """Seconds for which a worker has shown nothing new."""
        before, clock = self.waits.get(worker, (None, Clock()))
        if at != before:
            clock = Clock()
            self.waits[worker] = at, clock
        return clock.look()

    def _start(self, worker: LocalWorker) -> str:
        """Why a worker without a trial must end: a healthy one begins a trial, or ends, within seconds."""
        begun = sum(one.pid == worker.pid for one in self.progress.trials.values())
        patience = max(self.limits.hung, HUNG_EPOCHS * self.limits.data)
        hung = self._waiting(worker.index, (f"process {worker.pid}", begun)) > patience
        return f"hung: no trial for {format_duration(patience)}" if hung else ""

    def _time(self, trial: TrialState) -> str:
        waiting = self._waiting(trial.worker, (trial.number, trial.lines))
        limit = self.limits.trial_time
        before = (
            0.0 if limit is None or trial.spent > limit else trial.spent
        )  # above the limit the worker itself ends it
        if limit is not None and not trial.stopped and not trial.trained and before + waiting > limit:
            trial.late = trial.begun
            what = "stopped at" if trial.late else "no epoch within"
            return f"{what} the trial time limit of {format_duration(limit)}"
        if waiting <= self.limits.hung:  # the usual case, without a look at the paces
            return ""
        paces = [pace for one in self.progress.trials.values() for pace in one.paces]
        # The other trials may be smaller candidates: its own paces count too, or the estimate before it has any.
        paces = [statistics.median(some) for some in (paces, trial.paces or [self.epoch(trial)]) if some]
        patience = max(self.limits.hung, HUNG_EPOCHS * max(paces))
        return f"hung: no epoch for {format_duration(patience)}" if waiting > patience else ""
