"""The state of a search, read from its journals. The display, the limits and the end of a search use it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tracking.journal import Event, TrialsReader


@dataclass
class TrialState:
    """What is known of one trial."""

    name: str  # of its folder, for example 0003
    lines: int = 0  # of its journal
    architecture: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    worker: int = -1
    pid: int = -1  # the process of that worker
    session: str = ""
    execution: int = 0
    epochs: int = 0  # finished epochs of all executions
    epoch: int = 0  # finished epochs of the running execution
    spent: float = 0.0  # seconds of the running execution until the end of its last epoch
    begun: bool = False  # the running execution has finished an epoch
    trained: bool = False  # the running execution has finished its last epoch
    late: bool = False  # the running execution has an epoch and has reached the trial time limit
    stopped: bool = False  # the launcher has stopped its training for that; it still measures and ends
    last_score: float | None = None
    score: float | None = None
    spread: float | None = None
    outcome: str = ""
    reason: str = ""
    parameters: int = 0
    seconds: float = 0.0
    last: int = 0  # time of the last event, milliseconds since 1970
    paces: list[float] = field(default_factory=list)  # seconds of each epoch, measured by its worker

    @property
    def number(self) -> int:
        return int(self.name)

    def take(self, events: list[Event]) -> bool:
        """Takes in new events; returns True if the trial has ended with them."""
        before = self.outcome
        for event in events:
            self._take(event)
        self.lines += len(events)
        return self.outcome != before

    def _take(self, event: Event) -> None:
        kind = event["event"]
        if kind == "start":
            self.architecture, self.values = event["parameters"]["architecture"], event["parameters"]
            self.worker, self.pid, self.session = event["worker"], event.get("pid", -1), event["session"]
        elif kind == "built":
            self.parameters = event["parameters"]
        elif kind == "epoch":
            spent = event.get("seconds", 0.0)
            self.paces.append(spent - self.spent)
            self.execution, self.epochs, self.begun, self.trained = event["execution"], self.epochs + 1, True, False
            self.epoch, self.spent = event["epoch"] + 1, spent
            self.last_score = next((value for key, value in event["metrics"].items() if key.startswith("val_")), None)
        elif kind == "trained":
            self.trained = True
        elif kind == "execution":
            self.begun = self.trained = self.late = self.stopped = False
            self.epoch, self.spent = 0, 0.0
        elif kind == "stop":
            self.stopped = True
        elif kind == "end":
            self.outcome, self.reason = event["outcome"], event.get("reason") or ""
            self.score, self.spread = event["score"], event.get("spread")
            self.seconds = event.get("seconds") or 0.0
        self.last = event["time"]


class Progress:
    """All trials of a search. `update` reads what is new.

    Args:
        planned: how many trials the search has in all.
        epochs: the number of epochs of one trial, over all its executions.
    """

    def __init__(self, trials: Path, direction: str, planned: int, epochs: int) -> None:
        self.reader, self.direction, self.planned, self.epochs = TrialsReader(trials), direction, planned, epochs
        self.trials: dict[str, TrialState] = {}
        self.open: list[TrialState] = []  # the trials that have begun and have not ended
        self.outcomes: dict[str, list[TrialState]] = {}  # the trials that have ended, by outcome
        self._best: TrialState | None = None
        self.update()

    def update(self) -> list[TrialState]:
        """Returns the trials that have ended since the last call."""
        ended = []
        for name, events in self.reader.read():
            if name not in self.trials:
                self.trials[name] = TrialState(name)
                self.open.append(self.trials[name])
            if self.trials[name].take(events):
                ended.append(self.trials[name])
        if ended:
            self.open = [trial for trial in self.open if not trial.outcome]
        for trial in ended:
            self.outcomes.setdefault(trial.outcome, []).append(trial)
            scored = [one for one in (self._best, trial) if one is not None and one.score is not None]
            self._best = min(scored, key=self._rank, default=None)
        return ended

    def _rank(self, trial: TrialState) -> tuple[float, int, str]:
        sign = 1 if self.direction == "min" else -1
        return sign * (trial.score or 0.0), trial.last, trial.name

    def running(self, session: str) -> list[TrialState]:
        """The trials that this launcher's workers run, by worker."""
        return sorted((trial for trial in self.open if trial.session == session), key=lambda trial: trial.worker)

    def ended(self, outcome: str) -> list[TrialState]:
        return self.outcomes.get(outcome, [])

    def done(self) -> int:
        """How many trials have ended: completed, pruned or failed."""
        return sum(map(len, self.outcomes.values()))

    def left(self) -> int:
        """How many of the planned trials have not ended. After a lower --trials some trials are not planned."""
        ended = (trial for trial in self.trials.values() if trial.outcome)
        return self.planned - sum(trial.number < self.planned for trial in ended)

    def best(self) -> TrialState | None:
        """The trial with the best score, whose model is logged. Of trials with equal scores it is the first to end."""
        return self._best

    def units(self) -> int:
        """Finished epochs. A trial that has ended counts as if it had all of its epochs."""
        return self.epochs * self.done() + sum(trial.epochs for trial in self.open)
