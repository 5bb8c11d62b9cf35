"""MLflow is a projection of the journals: `Projection.sync` brings it to what they say.

Calling it again changes nothing. A run is found by its tags, every value carries the time of its journal line, and
MLflow takes the same value at the same step and time only once.
"""

import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from tracking.journal import Event, TrialsReader, now
from tracking.searches import child_tags, delete_others, spec_id, trial_runs
from tracking.tags import PREFIX, is_new, ours, renewed
from tracking.values import batch

End = tuple[int, str, float]  # time, trial, score
SETTLING_SECONDS = 1.0  # an end that is this old has certainly been read, and so have all earlier ends
REFUSED_CODES = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "INVALID_STATE")  # asking again would not help
OUTCOME = f"{PREFIX}outcome"
STATUSES = {"completed": "FINISHED", "failed": "FAILED", "pruned": "KILLED", "interrupted": "KILLED"}


@dataclass
class _Trial:
    name: str
    run_id: str | None = None
    status: str = ""  # MLflow's
    outcome: str = ""  # the tag
    pending: list[Event] = field(default_factory=list)
    sent: float = -math.inf  # when something was sent, by the monotonic clock
    start: int = 0  # time of the first event
    last: int = 0  # time of the last event
    session: str = ""  # of the last start
    asked: bool = False  # MLflow was asked to make the run, and may have made it without an answer
    ended: bool = False

    def closed_as(self, outcome: str) -> bool:
        """True if MLflow knows already that the trial has ended with this outcome."""
        return self.outcome == outcome and self.status == STATUSES[outcome]

    def due(self, hold: float) -> bool:
        """True if the trial has begun or ended, or if its last lines were sent `hold` seconds ago."""
        return any(event["event"] in ("start", "end") for event in self.pending) or (
            bool(self.pending) and time.monotonic() - self.sent >= hold
        )


class Projection:
    """The trials of one search in MLflow.

    Args:
        parent: the search's run.
        folder: holds one folder per trial, each with a `journal.jsonl`.
        metric, direction: of the score.
        session: names this launcher; a trial that another launcher has started is not running.
        floors: what models with less memory score, logged beside every trial.
    """

    def __init__(
        self,
        client: MlflowClient,
        parent: Run,
        folder: Path,
        metric: str,
        direction: str,
        session: str,
        floors: dict[str, float],
    ) -> None:
        self.client, self.parent, self.session, self.floors = client, parent, session, floors
        self.dropped: list[str] = []  # trials that MLflow refuses, and why
        self.made = 0  # runs of trials that MLflow did not have
        self.metric, self.direction = metric, direction
        self.trials: dict[str, _Trial] = {}
        self.reader = TrialsReader(folder)
        self.open: list[_Trial] = []  # those that have begun and have not ended
        self.doubtful = False  # the store may have made a second run, of a trial or of the search, without an answer
        self.ends: list[End] = []
        self.logged: set[End] = set()
        self.done, self.last_end = 0, 0  # how many trials have ended, and the time of the last end
        self.done_is_logged = True
        self.best_is_logged = True  # with all improvements before it
        self._adopt()

    def _adopt(self) -> None:
        """Takes over the runs in MLflow, one for each trial. Further runs, which slow servers make, are deleted."""
        parent_id = self.parent.info.run_id
        for name, runs in trial_runs(self.client, self.parent).items():
            trial = self._trial(name)
            kept = next((run for run in runs if run.info.run_id == trial.run_id), runs[0])
            for run in runs:
                if run is not kept:
                    self.client.delete_run(run.info.run_id)
            if trial.run_id is None:
                trial.run_id, trial.status = kept.info.run_id, kept.info.status
                trial.outcome = ours(kept.data.tags).get("outcome", "")
            self._rename_tags(kept)
            if kept.data.tags.get(MLFLOW_PARENT_RUN_ID) != parent_id:  # the search's first run was deleted
                self.client.set_tag(kept.info.run_id, MLFLOW_PARENT_RUN_ID, parent_id)
        self.doubtful = False

    def _rename_tags(self, run: Run) -> None:
        """Writes the tags of an earlier version once more, with the names that they have now."""
        if not is_new(run.data.tags):
            tags = renewed(run.data.tags, spec_id=spec_id(self.parent))
            self.client.log_batch(run.info.run_id, tags=[RunTag(*tag) for tag in tags.items()])

    def _trial(self, name: str) -> _Trial:
        if name not in self.trials:
            self.trials[name] = _Trial(name)
        return self.trials[name]

    def sync(self, over: bool = False, hold: float = 0.0, enough: Callable[[], bool] = lambda: False) -> None:
        """Sends what is new.

        Args:
            over: no worker is alive. A trial that has not ended is closed as interrupted.
            hold: seconds that a trial's epochs may wait for more of them.
            enough: asked before each trial; True leaves the rest to the next call.
        """
        latest = sys.maxsize if over else now() - int(1000 * SETTLING_SECONDS)
        for name, events in self.reader.read():
            trial = self._trial(name)
            self.open += [] if trial in self.open or trial.ended else [trial]
            trial.pending += events
        for trial in self.open:
            if not trial.ended and not enough():
                self._send_or_drop(trial, over, hold)
        self.open = [trial for trial in self.open if not trial.ended]
        if over and self.doubtful:  # by now a slow server has done what it was asked for
            delete_others(self.client, self.parent)
            self._adopt()
        if not (self.best_is_logged and self.done_is_logged):
            self._send_done_and_best(latest)
            if over:
                self._correct_best()

    def _send_or_drop(self, trial: _Trial, over: bool, hold: float) -> None:
        try:
            self._send(trial, over, hold)
        except MlflowException as error:
            if error.error_code not in REFUSED_CODES:
                raise
            trial.ended = True  # its run was deleted, or MLflow does not take one of its values
            self.dropped.append(f"trial {trial.name} is not in MLflow: {str(error).splitlines()[0][:120]}")

    def _send(self, trial: _Trial, over: bool, hold: float) -> None:
        if trial.due(0.0 if over else hold):
            self._log(trial)
            trial.pending, trial.sent = [], time.monotonic()
        if over and trial.run_id and not trial.ended and not trial.closed_as("interrupted"):
            self._close(trial, "interrupted", trial.last)

    def _log(self, trial: _Trial) -> None:
        trial.start, trial.last = trial.start or trial.pending[0]["time"], trial.pending[-1]["time"]
        starts = [event["session"] for event in trial.pending if event["event"] == "start"]
        trial.session = starts[-1] if starts else trial.session
        end = trial.pending[-1] if trial.pending[-1]["event"] == "end" else None
        if end is None or not trial.closed_as(end["outcome"]):
            self._create(trial)
            metrics, params, tags = batch(trial.pending, trial.start, self.metric)
            if starts:
                metrics += [Metric(f"floor/{name}", value, trial.start, 0) for name, value in self.floors.items()]
            if end:
                self._close(trial, end["outcome"], end["time"], metrics, params, tags)
            else:
                self.client.log_batch(trial.run_id, metrics, params, tags)
                if trial.status != "RUNNING" and trial.session == self.session:
                    self._reopen(trial)
        if end:
            trial.ended, self.done_is_logged = True, False
            self.done, self.last_end = self.done + 1, max(self.last_end, end["time"])
            if end["score"] is not None:
                self.ends.append((end["time"], trial.name, end["score"]))
                self.best_is_logged = False

    def _create(self, trial: _Trial) -> None:
        if trial.run_id is None and trial.asked:  # the answer was lost, but the run may be there
            self._adopt()
        if trial.run_id is None:
            self.doubtful |= trial.asked  # a slow server may still make the run of the first request
            trial.asked = True
            name = f"{trial.name} {trial.pending[0]['parameters']['architecture']}"
            tags = child_tags(self.parent, trial.name, name)
            run = self.client.create_run(self.parent.info.experiment_id, trial.start, tags)
            self.made += 1
            trial.run_id, trial.status = run.info.run_id, "RUNNING"

    def _close(
        self,
        trial: _Trial,
        outcome: str,
        ended_at: int,
        metrics: Sequence[Metric] = (),
        params: Sequence[Param] = (),
        tags: Sequence[RunTag] = (),
    ) -> None:
        self.client.log_batch(trial.run_id, metrics, params, [*tags, RunTag(OUTCOME, outcome)])
        self.client.set_terminated(trial.run_id, STATUSES[outcome], ended_at)
        trial.status, trial.outcome = STATUSES[outcome], outcome

    def _reopen(self, trial: _Trial) -> None:
        self.client.update_run(trial.run_id, status="RUNNING")
        present = self.client.get_run(trial.run_id).data.tags
        for tag in (OUTCOME, OUTCOME.removeprefix(PREFIX)):
            if tag in present:
                self.client.delete_tag(trial.run_id, tag)
        trial.status, trial.outcome = "RUNNING", ""

    def _send_done_and_best(self, latest: int) -> None:
        """Logs how many trials have ended, and the best score so far as a curve over that number.

        MLflow shows the value of the highest step, so the steps follow the order of the ends. An end after `latest`
        waits, since an earlier end may not have been read yet. At the end none waits, since a clock may be wrong.
        """
        ready = [(step, end) for step, end in self._improvements() if end[0] <= latest and end not in self.logged]
        metrics = [Metric(f"best/{self.metric}", end[2], end[0], step) for step, end in ready]
        metrics += [] if self.done_is_logged else [Metric("trials/done", self.done, self.last_end, self.done)]
        if metrics:
            self.client.log_batch(self.parent.info.run_id, metrics)
        self.logged |= {end for _, end in ready}
        self.done_is_logged = True
        self.best_is_logged = not self.ends or max(self.ends)[0] <= latest

    def _correct_best(self) -> None:
        """Logs the best score once more if MLflow shows another. A clock that was set back has changed the order."""
        key, run_id, found = f"best/{self.metric}", self.parent.info.run_id, self._improvements()
        if found and self.client.get_run(run_id).data.metrics.get(key) != found[-1][1][2]:
            self.client.log_batch(run_id, [Metric(key, found[-1][1][2], self.last_end, self.done)])

    def _improvements(self) -> list[tuple[int, End]]:
        """(trials ended by then, end) of every trial that was the best when it ended."""
        sign = 1 if self.direction == "min" else -1
        found: list[tuple[int, End]] = []
        for step, end in enumerate(sorted(self.ends), start=1):
            if not found or sign * end[2] < sign * found[-1][1][2]:
                found.append((step, end))
        return found

    def best(self) -> str | None:
        """The name of the trial with the best score."""
        found = self._improvements()
        return found[-1][1][1] if found else None
