"""How long a running search still takes: an estimate at its start, corrected by what its trials really take."""

import math
import time
from collections.abc import Sequence
from typing import Any

from experiments.config import estimate
from experiments.config.spec import Spec
from experiments.config.units import parse_duration
from experiments.launcher.progress import Progress, TrialState
from experiments.tasks.base import Task
from tracking.journal import now

TRUST = 0.05  # the estimate at the start counts as much as this share of a trial


class Forecast:
    """Compares the seconds that were estimated for the trials so far with those that they took.

    Args:
        steps: training steps of an epoch, as `buckets.paid_steps` counts them.
        workers: that run at the same time.
        space: the number of models in the space; None if it is infinite.
        drawn: the parameters of the first trials, as far as they are known.
    """

    def __init__(
        self,
        spec: Spec,
        task: Task,
        steps: float,
        workers: int,
        progress: Progress,
        space: int | None,
        drawn: Sequence[dict[str, Any]] = (),
    ) -> None:
        self.spec, self.task, self.steps, self.workers, self.progress = spec, task, steps, workers, progress
        self.mean = estimate.trials_seconds(spec, task, steps, drawn)  # of the first trials, by their number
        self.everything = space == progress.regular  # all models of the space are trained
        self.ended = 0.0  # estimated seconds of what the trials have done that have ended
        self.expected = 0.0  # estimated seconds of these trials, before it was known when they are pruned
        self.taken = 0.0  # seconds that those of this launcher took
        self.started, self.created = time.monotonic(), now()
        self.take([trial for trials in progress.outcomes.values() for trial in trials])
        self.before = self._done()
        self.limit = parse_duration("--time-limit", spec.time_limit) or math.inf

    def take(self, ended: Sequence[TrialState]) -> None:
        """Takes in trials that have ended."""
        self.ended += sum(self._trained(trial) for trial in ended)
        self.expected += sum(self._estimated(trial) for trial in ended)
        self.taken += sum(trial.last - trial.started for trial in ended if trial.started >= self.created) / 1000

    def seconds_left(self) -> float:
        """Seconds until all planned trials have ended, or the time is over."""
        return min(self._until_done(), max(0.0, self.limit - (time.monotonic() - self.started)))

    def _until_done(self) -> float:
        done, left, parallel = self._done() - self.before, self._left(), estimate.parallel(self.workers)
        if not done:  # the first epochs are not over
            seconds = max(0.0, time.monotonic() - self.started - estimate.START_SECONDS)
            return max(left / parallel - seconds, 0.0)
        trust, share = TRUST * self.mean(1), parallel / self.workers  # seconds of one core in one of a worker
        here = [trial for trial in self.progress.open if trial.started >= self.created]
        taken = trust + share * (self.taken + sum(trial.advanced - trial.started for trial in here) / 1000)
        pace = taken / (trust + done)  # seconds for each estimated second
        running = [share * (now() - trial.advanced) / 1000 for trial in here]
        # A running epoch that takes longer than the others did counts as nearly over, and makes the forecast longer.
        begun = sum(min(seconds / pace, self._next(trial)) for seconds, trial in zip(running, here, strict=True))
        return (taken + sum(running)) / (trust + done + begun) * (left - begun) / parallel

    def _next(self, trial: TrialState) -> float:
        """Estimated seconds of the running epoch of a trial, with what comes before its first one."""
        left = self._estimated(trial, trial.epochs) - self._trained(trial)
        return min(left, self._seconds(trial, trial.epochs + 1) - self._trained(trial))

    def _done(self) -> float:
        return self.ended + sum(map(self._trained, self.progress.open))

    def _left(self) -> float:
        """Estimated seconds of what is left, on one core."""
        planned = self.progress.regular
        begun = len(self.progress.trials) - len(self.progress.continuing())
        fresh = self.mean(planned) - self.mean(min(begun, planned))
        if self.everything and begun < planned:  # the largest models came first, and those that are left are small
            known = self.expected + sum(map(self._estimated, self.progress.open))
            fresh = max(0.0, self.mean(planned) - known)
        more = sum(self._whole(trial) - self._seconds(trial, trial.epochs) for trial in self.progress.due())
        running = sum(self._estimated(trial, trial.epochs) - self._trained(trial) for trial in self.progress.open)
        return fresh + more + running

    def _estimated(self, trial: TrialState, done: int = 0) -> float:
        """Estimated seconds of a trial, from its architecture and its place.

        Args:
            done: epochs that it has finished. After each of the pruner's looks the trial is likely to get more of them.
        """
        if trial.continues is not None:
            return self._whole(trial)
        epochs = estimate.expected_epochs(self.spec.pruner, self.spec.epochs, trial.number + 1, done)
        return self.spec.executions * self._seconds(trial, epochs)

    def _whole(self, trial: TrialState) -> float:
        """Estimated seconds of a trial that is not pruned."""
        return self.spec.executions * self._seconds(trial, self.spec.epochs)

    def _trained(self, trial: TrialState) -> float:
        """Estimated seconds of what a trial has done."""
        return self._seconds(trial, trial.epochs) if trial.epochs else 0.0

    def _seconds(self, trial: TrialState, epochs: float) -> float:
        """Estimated seconds of so many epochs. They may be the epochs of several executions."""
        executions = max(1, math.ceil(epochs / self.spec.epochs))
        epoch = estimate.candidate_seconds(self.spec, trial.values, self.task, self.steps)
        return executions * estimate.fixed_seconds(trial.values["depth"]) + epoch * epochs
