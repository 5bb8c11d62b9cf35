"""What the journal of a trial says of it as a candidate: what it costs, and how far it has come."""

from dataclasses import dataclass, field
from typing import Any

from tracking.journal import Event
from tracking.ranking import Candidate


@dataclass
class Seen:
    """What is known of one trial; `take` each of its events in order.

    Args:
        values: what it is made of, by name.
        last: the last validation score that it has reported; None before the first epoch.
        epochs: the finished epochs of its last execution.
        score: of a completed trial; None for any other one.
    """

    architecture: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    parameters: int | None = None
    last: float | None = None
    epochs: int = 0
    score: float | None = None
    spread: float | None = None
    ms_per_step: float | None = None

    def take(self, event: Event) -> None:
        kind = event["event"]
        if kind == "start":
            self.values = dict(event["parameters"])
            self.architecture = self.values.pop("architecture", "")
        elif kind == "built":
            self.parameters = event.get("parameters")
        elif kind == "epoch":
            self.epochs = event["epoch"] + 1
            self.last = next((value for key, value in event["metrics"].items() if key.startswith("val_")), None)
        elif kind == "end":
            self.score, self.spread = event["score"], event.get("spread")
            self.ms_per_step = event.get("ms_per_step")

    def candidate(self, number: int) -> Candidate | None:
        """The candidate with the number of the trial; None for a trial without a score."""
        if self.score is None:
            return None
        cell = str(self.values.get("cell", ""))
        return Candidate(number, self.score, self.spread, self.parameters, self.ms_per_step, cell)


def candidate_in(number: int, events: list[Event]) -> Candidate | None:
    """The candidate that the events of a trial's journal describe; None if it has not ended with a score."""
    seen = Seen()
    for event in events:
        seen.take(event)
    return seen.candidate(number)
