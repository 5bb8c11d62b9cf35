"""The limits that end a search or a trial early. The launcher checks them while the workers run."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from experiments.config.spec import Spec
from experiments.config.units import parse_duration, parse_number, parse_size
from experiments.engines import Worker
from experiments.launcher.progress import Progress, TrialState
from experiments.system import resources
from tracking.text import format_duration, format_memory, format_number

LOOK_SECONDS = 1.0  # the most that one look adds to a clock; the launcher looks four times a second
LAST_SECONDS = 30.0  # when no trial is left, workers have this time to end by themselves; they need one or two
# A trial without a new epoch hangs after HUNG_SECONDS, or after the time of HUNG_EPOCHS epochs if that is longer.
HUNG_SECONDS, HUNG_EPOCHS = 600.0, 20


@dataclass(frozen=True)
class Limits:
    """The limits of a search. None is no limit."""

    time_seconds: float | None = None  # of the search
    target: float | None = None  # a score
    trial_time_seconds: float | None = None  # of one execution
    memory: int | None = None  # bytes, of one worker
    shared: int = 0  # workers that share the machine's memory; 0 if the user has set the memory of one
    data_seconds: float = 0.0  # that the launcher needed for the data; a worker may have to make them, too
    hung_seconds: float = HUNG_SECONDS  # the shortest time without an epoch after which a trial hangs
    time_name: str = "time limit"  # what the user calls it


def limits(spec: Spec, workers: int, data_seconds: float = 0.0) -> Limits:
    """The limits of a spec. Raises BadInput for a text that is not a limit.

    Args:
        data_seconds: that the launcher needed for the data.
    """
    time, trial_time = (
        parse_duration("--time-limit", spec.time_limit),
        parse_duration("--trial-time-limit", spec.trial_time_limit),
    )
    target, workers, shared = parse_number("--target", spec.target), max(1, workers), 0
    if spec.memory_limit == "auto":
        memory: int | None = int(resources.SHARE * resources.total_memory() / workers)
        shared = workers
    else:
        memory = parse_size("--memory-limit", spec.memory_limit)
    name = "budget" if spec.budget else Limits.time_name
    return Limits(time, target, trial_time, memory, shared, data_seconds, time_name=name)


class Clock:
    """Counts the seconds between looks, at most LOOK_SECONDS for each.

    The time of a suspended machine or a stopped launcher therefore counts as one look.
    """

    def __init__(self) -> None:
        self.seconds, self.looked = 0.0, monotonic()

    def look(self) -> float:
        """Counts the time since the last look; returns the seconds of all looks."""
        now = monotonic()
        self.seconds, self.looked = self.seconds + min(now - self.looked, LOOK_SECONDS), now
        return self.seconds


class Watch:
    """Compares a running search with its limits. It reads the journals and the memory of the workers.

    Args:
        session: of the launcher; trials of other launchers are ignored.
        epoch_seconds: estimates the seconds of an epoch of a trial that has finished none.
    """

    def __init__(
        self,
        limits: Limits,
        progress: Progress,
        session: str,
        epoch_seconds: Callable[[TrialState], float] = lambda trial: 0.0,
    ) -> None:
        self.limits, self.progress, self.session, self.epoch_seconds = limits, progress, session, epoch_seconds
        self.clock, self.last = Clock(), Clock()
        self.waits: dict[int, tuple[tuple[str, int], Clock]] = {}  # by worker index: what it does, and how long

    def over(self) -> str:
        """Why the search must end now, or "" if it goes on."""
        best, target, time = self.progress.best_scored(), self.limits.target, self.limits.time_seconds
        if best is not None and best.score is not None and target is not None:
            reached = best.score <= target if self.progress.direction == "min" else best.score >= target
            if reached:
                return f"trial {best.name} ({best.architecture}) has reached the target of {format_number(target)}"
        if time is not None and self.clock.look() > time and self.progress.left():
            return f"the {self.limits.time_name} of {format_duration(time)} is over"
        return ""

    def ended(self) -> bool:
        """True if no trial is left and the workers have had LAST_SECONDS to end by themselves."""
        if self.progress.done() < self.progress.planned or self.progress.left() > 0:
            self.last = Clock()
        return self.last.look() > LAST_SECONDS

    def offence(self, worker: Worker) -> tuple[TrialState | None, str]:
        """(the trial that a worker runs, or None; why the worker must end now, or "")."""
        # An earlier start of the same worker may have died in another trial. So the keys are compared.
        trial = next((one for one in self.progress.running(self.session) if one.key == worker.key), None)
        if trial:
            trial.late = False
        return trial, self._memory(worker, trial) or (self._time(trial) if trial else self._start(worker))

    def _memory(self, worker: Worker, trial: TrialState | None) -> str:
        """Why a worker must end by the memory limit, or ""."""
        limit = self.limits.memory
        used = worker.memory() if limit else 0
        if limit is None or used <= limit:
            return ""
        if trial is None:
            needed, got = f"than a worker needs by itself ({format_memory(used)})", format_memory(limit)
            if self.limits.shared > 1:
                return f"--workers: expected fewer, which have more memory {needed}, got {self.limits.shared} x {got}"
            return f"--memory-limit: expected more {needed}, got {got}"
        return f"used {format_memory(used)} of memory, limit {format_memory(limit)}"

    def _waiting(self, index: int, at: tuple[str, int]) -> float:
        """Seconds for which the worker `index` has shown nothing new."""
        before, clock = self.waits.get(index, (None, Clock()))
        if at != before:
            clock = Clock()
            self.waits[index] = at, clock
        return clock.look()

    def _start(self, worker: Worker) -> str:
        """Why a worker without a trial must end, or "". A healthy worker begins a trial, or ends, within seconds."""
        begun = sum(one.key == worker.key for one in self.progress.trials.values())
        patience = max(self.limits.hung_seconds, HUNG_EPOCHS * self.limits.data_seconds)
        hung = self._waiting(worker.index, (f"process {worker.key}", begun)) > patience
        return f"hung: no trial for {format_duration(patience)}" if hung else ""

    def _time(self, trial: TrialState) -> str:
        """Why a trial must end by the trial time limit or because it hangs, or ""."""
        waiting = self._waiting(trial.worker, (trial.name, trial.lines))
        limit = self.limits.trial_time_seconds
        # If the finished epochs alone are above the limit, the worker itself stops the trial.
        before = 0.0 if limit is None or trial.spent > limit else trial.spent
        if limit is not None and not trial.stopped and not trial.trained and before + waiting > limit:
            trial.late = trial.begun
            what = "stopped at" if trial.late else "no epoch within"
            return f"{what} the trial time limit of {format_duration(limit)}"
        if waiting <= self.limits.hung_seconds:  # the usual case; the median of the paces is not needed
            return ""
        paces = [pace for one in self.progress.trials.values() for pace in one.paces]
        # Other trials may be smaller candidates. So its own paces count too, or the estimate if it has none.
        paces = [statistics.median(some) for some in (paces, trial.paces or [self.epoch_seconds(trial)]) if some]
        patience = max(self.limits.hung_seconds, HUNG_EPOCHS * max(paces))
        return f"hung: no epoch for {format_duration(patience)}" if waiting > patience else ""
