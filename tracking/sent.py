"""What MLflow has been sent of one trial."""

import math
import time
from dataclasses import dataclass, field

from mlflow.entities import Metric

from tracking.candidates import Seen
from tracking.journal import Event
from tracking.tags import PREFIX
from tracking.values import rounded

OUTCOME = f"{PREFIX}outcome"
STATUSES = {"completed": "FINISHED", "failed": "FAILED", "pruned": "KILLED", "interrupted": "KILLED"}


@dataclass(slots=True)
class SentTrial:
    """A trial of a search, or a final."""

    name: str
    run_id: str | None = None
    status: str = ""  # MLflow's
    outcome: str = ""  # the tag
    pending: list[Event] = field(default_factory=list)
    sent: float = -math.inf  # when something was sent, by the monotonic clock
    start: int = 0  # time of the first event
    last: int = 0  # time of the last event
    epoch: int = 0  # the last one, counted from 0
    session: str = ""  # of the last start
    asked: bool = False  # MLflow was asked to make the run, and may have made it without an answer
    ended: bool = False
    seen: Seen = field(default_factory=Seen)
    lacks: bool = False  # an earlier version has sent it without what it has reached
    curves: str = ""  # the tag: see recording.py

    def closed_as(self, outcome: str) -> bool:
        """True if MLflow knows already that the trial has ended with this outcome."""
        return self.outcome == outcome and self.status == STATUSES[outcome]

    def due(self, hold: float) -> bool:
        """True if the trial has begun or ended, or if its last lines were sent `hold` seconds ago."""
        return any(event["event"] in ("start", "end") for event in self.pending) or (
            bool(self.pending) and time.monotonic() - self.sent >= hold
        )


def reached(trial: SentTrial, metric: str) -> list[Metric]:
    """The score, or the last one of a trial without a score. MLflow's tables show it and are sorted by it.

    They show all digits, so it has few. The score itself and the curve have all.
    """
    seen = trial.seen
    value = rounded(seen.last if seen.score is None else seen.score)
    found = [(f"reached/{metric}", value), ("reached/epochs", float(seen.epochs) if seen.epochs else None)]
    return [Metric(name, number, trial.last, 0) for name, number in found if number is not None]
