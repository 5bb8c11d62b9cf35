"""Sends the curves of those trials that `--record` chooses. MLflow has their summary before; see recording.py."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Metric, RunTag

from tracking.journal import Event, Journal
from tracking.marks import Marks
from tracking.ranking import Candidate
from tracking.recording import ALL, CURVES, LAST, Best, first, most_curves, summary
from tracking.sent import SentTrial
from tracking.values import batch


class Curves:
    """What a projection sends of the curves of its trials.

    Args:
        folder: of the trials.
        metric: of the score.
        record: as `--record` is typed.
    """

    def __init__(self, client: MlflowClient, folder: Path, metric: str, marks: Marks, record: str) -> None:
        self.client, self.folder, self.metric, self.marks = client, folder, metric, marks
        self.most = most_curves(record)
        self.best = None if self.most is None else Best(marks.direction, self.most)
        self.waiting: dict[str, tuple[SentTrial, Candidate | None]] = {}  # their curves are to be sent

    @property
    def every(self) -> bool:
        """True if each trial has its curves."""
        return self.best is None

    def events(self, trial: SentTrial, ended: bool) -> list[Event]:
        """What of a trial is sent now: all that is new, or the summary when it has ended and its beginning before."""
        if self.every:
            return trial.pending
        if ended:
            return summary(self._journal(trial))
        return [event for event in trial.pending if event["event"] != "epoch"]

    def last(self, trial: SentTrial) -> list[Metric]:
        """The last values of a trial that was interrupted, if they have not been sent with its curves."""
        return [] if self.every else batch(summary(self._journal(trial)), trial.start, self.metric)[0]

    def state(self, trial: SentTrial) -> str:
        """What the tag of a trial says after `events` were sent; "" for a trial that has none."""
        return LAST if not self.every else ALL if trial.curves else ""

    def tags(self, trial: SentTrial) -> list[RunTag]:
        """The tag, if it changes then."""
        now = self.state(trial)
        return [] if now == trial.curves else [RunTag(CURVES, now)]

    def take(self, trial: SentTrial, candidate: Candidate | None) -> None:
        """Takes a trial that has ended, and whose summary MLflow has."""
        if self.best is not None and candidate is not None:
            self.best.add(candidate)
        if trial.curves == LAST and self._chosen(candidate):
            self.waiting[trial.name] = trial, candidate

    def _chosen(self, candidate: Candidate | None) -> bool:
        return self.best is None or (candidate is not None and candidate in self.best)

    def due(self) -> Iterator[SentTrial]:
        """The trials whose curves are to be sent now."""
        self.waiting = {
            name: (trial, candidate)
            for name, (trial, candidate) in self.waiting.items()
            if trial.curves == LAST and self._chosen(candidate)
        }
        yield from [trial for trial, _ in self.waiting.values()]

    def lacking(self, candidates: Iterable[Candidate], trials: dict[str, SentTrial]) -> Iterator[SentTrial]:
        """The trials that lack their curves when the search has ended. A tie may have changed the order."""
        if self.most is not None:
            for one in first(candidates, self.marks.direction, self.most):
                if (trial := trials[f"{one.number:04d}"]).curves == LAST:
                    yield trial

    def send(self, trial: SentTrial) -> None:
        """Sends the curves of a trial that has ended."""
        events = self._journal(trial)
        there = {(one.key, one.step) for one in batch(summary(events), trial.start, self.metric)[0]}
        metrics = [one for one in batch(events, trial.start, self.metric)[0] if (one.key, one.step) not in there]
        metrics += self.marks.points(trial.last, trial.epoch) if trial.epoch else []
        self.client.log_batch(trial.run_id, metrics)
        # MLflow takes a thousand values at once. The tag comes last, so that a curve that was cut is sent again.
        self.client.set_tag(trial.run_id, CURVES, ALL)
        trial.curves = ALL

    def _journal(self, trial: SentTrial) -> list[Event]:
        return Journal(self.folder / trial.name / "journal.jsonl").events()
