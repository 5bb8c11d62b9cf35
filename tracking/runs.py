"""MLflow is a projection of the journals: `Projection.sync` brings it to what they say.

Calling it again changes nothing. A run is found by its tags, every value carries the time of its journal line, and
MLflow takes the same value at the same step and time only once.
"""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException

from tracking.adoption import adopt
from tracking.best_curve import BestCurve
from tracking.candidates import Seen
from tracking.children import TRIAL, child_tags
from tracking.curves import Curves
from tracking.journal import Event, TrialsReader, now
from tracking.marks import Marks
from tracking.recording import ALL, LAST
from tracking.searches import delete_others
from tracking.sent import OUTCOME, STATUSES, SentTrial, reached
from tracking.tags import NOTE, PREFIX, named
from tracking.trial_description import trial_description
from tracking.values import batch, shown

SETTLING_SECONDS = 1.0  # an end that is this old has certainly been read, and so have all earlier ends
REFUSED_CODES = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "INVALID_STATE")  # asking again would not help


class Projection:
    """The trials of one search in MLflow.

    Args:
        parent: the search's run.
        folder: holds one folder per trial, each with a `journal.jsonl`.
        metric, direction: of the score.
        session: names this launcher; a trial that another launcher has started is not running.
        floors, solved: as `verdict` takes them. The floors are logged beside every trial, too.
        record: which trials have their curves in MLflow; see recording.py.
    """

    which: Mapping[str, str] = TRIAL  # the tags that tell its runs from others of the search

    def __init__(
        self,
        client: MlflowClient,
        parent: Run,
        folder: Path,
        metric: str,
        direction: str,
        session: str,
        floors: dict[str, float],
        solved: float | None = None,
        record: str = ALL,
    ) -> None:
        self.client, self.parent, self.session, self.marks = client, parent, session, Marks(direction, floors, solved)
        self.dropped: list[str] = []  # trials that MLflow refuses, and why
        self.made = 0  # runs of trials that MLflow did not have
        self.metric, self.direction = metric, direction
        self.trials: dict[str, SentTrial] = {}
        self.reader = TrialsReader(folder)
        self.open: dict[str, SentTrial] = {}  # those that have begun and have not ended
        self.curves = Curves(client, folder, metric, self.marks, record)
        self.doubtful = False  # the store may have made a second run, of a trial or of the search, without an answer
        self.curve = BestCurve(metric, direction)
        self.done, self.last_end = 0, 0  # how many trials have ended, and the time of the last end
        self.done_is_logged = True
        self._adopt()

    def _adopt(self, only: str = "") -> None:
        """Takes over the runs in MLflow, one for each trial. Further runs, which slow servers make, are deleted.

        Args:
            only: the runs of this trial; "" for all.
        """
        adopt(self.client, self.parent, self.metric, self.which, self._trial, only)

    def _trial(self, name: str) -> SentTrial:
        if name not in self.trials:
            self.trials[name] = SentTrial(name)
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
            self._take(self._trial(name), events, over, hold)
            if enough():
                return
        for trial in self.open.values():
            if not trial.ended and not enough():
                self._or_drop(trial, partial(self._send, trial, over, hold))
        self.open = {name: trial for name, trial in self.open.items() if not trial.ended}
        if over and self.doubtful:  # by now a slow server has done what it was asked for
            delete_others(self.client, self.parent)
            self._adopt()
            self.doubtful = False
        self._send_curves(over, enough)
        if self.curve.waiting or self.curve.points or not self.done_is_logged:
            self._send_summary(latest, over)

    def _take(self, trial: SentTrial, events: list[Event], over: bool, hold: float) -> None:
        """Takes new lines of a trial. A trial that has ended is sent at once: memory would not hold all of a search."""
        if trial.ended:
            return
        trial.pending += events
        self.open[trial.name] = trial
        if events[-1]["event"] == "end":
            self._or_drop(trial, partial(self._send, trial, over, hold))

    def _send_curves(self, over: bool, enough: Callable[[], bool]) -> None:
        """Sends the curves of the trials that are the best ones now, and at the end of those that lack them."""
        lacking = self.curves.lacking(self.curve.candidates.values(), self.trials) if over else ()
        for trial in (*self.curves.due(), *lacking):
            if enough():
                return
            if trial.curves == LAST:
                self._or_drop(trial, partial(self.curves.send, trial))

    def _or_drop(self, trial: SentTrial, send: Callable[[], None]) -> None:
        try:
            send()
        except MlflowException as error:
            if error.error_code not in REFUSED_CODES:
                raise
            trial.ended, trial.curves = True, ""  # its run was deleted, or MLflow does not take one of its values
            self.dropped.append(f"trial {trial.name} is not in MLflow: {str(error).splitlines()[0][:120]}")

    def _send(self, trial: SentTrial, over: bool, hold: float) -> None:
        if trial.due(0.0 if over else hold):
            self._log(trial)
            trial.pending, trial.sent = [], time.monotonic()
        if over and trial.run_id and not trial.ended and not trial.closed_as("interrupted"):
            self._close(trial, "interrupted", trial.last, self.curves.last(trial))

    def _log(self, trial: SentTrial) -> None:
        trial.start, trial.last = trial.start or trial.pending[0]["time"], trial.pending[-1]["time"]
        trial.epoch = max([trial.epoch, *(event["epoch"] for event in trial.pending if event["event"] == "epoch")])
        starts = [event["session"] for event in trial.pending if event["event"] == "start"]
        trial.session = starts[-1] if starts else trial.session
        end = trial.pending[-1] if trial.pending[-1]["event"] == "end" else None
        for event in trial.pending:
            trial.seen.take(event)
        if end is None or not trial.closed_as(end["outcome"]):
            self._create(trial)
            metrics, params, tags = batch(self.curves.events(trial, end is not None), trial.start, self.metric)
            tags += self.curves.tags(trial)
            if starts:
                metrics += self.marks.points(trial.start, 0)
            if end:
                metrics += self.marks.points(end["time"], trial.epoch) if trial.epoch and self.curves.every else []
                tags += [*self.marks.tags(end["score"]), *self._described(trial, end)]
                self._close(trial, end["outcome"], end["time"], [*metrics, *reached(trial, self.metric)], params, tags)
            else:
                self.client.log_batch(trial.run_id, metrics, params, tags)
                if trial.status != "RUNNING" and trial.session == self.session:
                    self._reopen(trial)
            trial.curves = self.curves.state(trial)
        elif trial.lacks and (values := reached(trial, self.metric)):
            shown_values = named(shown(trial.seen.values))
            self.client.log_batch(trial.run_id, values, tags=[RunTag(*value) for value in shown_values.items()])
        if end:
            trial.ended, self.done_is_logged = True, False
            self.done, self.last_end = self.done + 1, max(self.last_end, end["time"])
            if candidate := trial.seen.candidate(int(trial.name)):
                self.curve.add(end["time"], candidate)
            self.curves.take(trial, candidate)
            trial.seen = Seen()  # what it is made of is not asked for again

    def _described(self, trial: SentTrial, end: Event) -> list[RunTag]:
        """The trial's description. A text that the user has written stays."""
        if self.client.get_run(trial.run_id).data.tags.get(NOTE):
            return []
        judged = self.marks.verdict(end["score"])
        return [RunTag(NOTE, trial_description(trial.seen, end, self.metric, judged))]

    def _create(self, trial: SentTrial) -> None:
        if trial.run_id is None and trial.asked:  # the answer was lost, but the run may be there
            self._adopt(trial.name)
        if trial.run_id is None:
            self.doubtful |= trial.asked  # a slow server may still make the run of the first request
            trial.asked = True
            tags = child_tags(self.parent, trial.name, self._title(trial.name, trial.pending[0]), self.which)
            run = self.client.create_run(self.parent.info.experiment_id, trial.start, tags)
            self.made += 1
            trial.run_id, trial.status = run.info.run_id, "RUNNING"

    def _title(self, trial: str, start: Event) -> str:
        """The name of a run, from the trial's first event."""
        return f"{trial} {start['parameters']['architecture']}"

    def _close(
        self,
        trial: SentTrial,
        outcome: str,
        ended_at: int,
        metrics: Sequence[Metric] = (),
        params: Sequence[Param] = (),
        tags: Sequence[RunTag] = (),
    ) -> None:
        self.client.log_batch(trial.run_id, metrics, params, [*tags, RunTag(OUTCOME, outcome)])
        self.client.set_terminated(trial.run_id, STATUSES[outcome], ended_at)
        trial.status, trial.outcome = STATUSES[outcome], outcome

    def _reopen(self, trial: SentTrial) -> None:
        self.client.update_run(trial.run_id, status="RUNNING")
        present = self.client.get_run(trial.run_id).data.tags
        for tag in (OUTCOME, OUTCOME.removeprefix(PREFIX)):
            if tag in present:
                self.client.delete_tag(trial.run_id, tag)
        trial.status, trial.outcome = "RUNNING", ""

    def _send_summary(self, latest: int, over: bool) -> None:
        """Logs how many trials have ended, and the curve of the best score up to `latest`, corrected at the end."""
        points = self.curve.settle(latest)
        done = [] if self.done_is_logged else [Metric("trials/done", self.done, self.last_end, self.done)]
        if points or done:
            tags = self.marks.tags(points[-1].value if points else None)
            self.client.log_batch(self.parent.info.run_id, [*points, *done], tags=tags)
        self.curve.points, self.done_is_logged = [], True
        if over:
            self._correct_best()

    def _correct_best(self) -> None:
        """Logs the best score once more if MLflow shows another. A clock that was set back has changed the order."""
        key, run_id, best = f"best/{self.metric}", self.parent.info.run_id, self.curve.best()
        if best and self.client.get_run(run_id).data.metrics.get(key) != best.score:
            self.client.log_batch(run_id, [Metric(key, best.score, self.last_end, self.done)])

    def say_stopped(self, why: str) -> None:
        """Writes why the search has ended."""
        self.client.set_tag(self.parent.info.run_id, f"{PREFIX}stopped", why)

    def end(self, status: str) -> None:
        """Ends the search's run with this status, MLflow's word."""
        self.client.set_terminated(self.parent.info.run_id, status, now())
