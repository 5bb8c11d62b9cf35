"""The state of a search, read from its journals. The display, the limits and the end of a search use it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.config.spec import UNLIMITED
from experiments.strategy.continuations import Past, due
from tracking.journal import Event, TrialsReader
from tracking.ranking import Candidate, lasting, ranked


@dataclass
class TrialState:
    """What is known of one trial."""

    name: str  # of its folder, for example 0003
    lines: int = 0  # of its journal
    architecture: str = ""
    shown: str = ""  # what people see in place of the name
    proposed: dict[str, Any] = field(default_factory=dict)  # the values of the hyperparameters
    values: dict[str, Any] = field(default_factory=dict)
    worker: int = -1
    key: str = ""  # names the start of that worker
    session: str = ""
    continues: int | None = None  # the number of the pruned trial that it continues
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
    ms_per_step: float | None = None
    seconds: float = 0.0
    last: int = 0  # time of the last event, milliseconds since 1970
    started: int = 0  # time of the last start
    advanced: int = 0  # time of the end of the last epoch, or of the start if that is later
    paces: list[float] = field(default_factory=list)  # seconds of each epoch, measured by its worker

    @property
    def number(self) -> int:
        return int(self.name)

    @property
    def candidate(self) -> Candidate | None:
        """What it is ordered by; None without a score."""
        if self.score is None:
            return None
        costs = self.parameters or None, self.ms_per_step
        return Candidate(self.number, self.score, self.spread, *costs, str(self.values.get("cell", "")))

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
            self.started = self.advanced = event["time"]
            self.architecture, self.values = event["parameters"]["architecture"], event["parameters"]
            self.worker, self.key, self.session = event["worker"], event.get("key", ""), event["session"]
            self.continues, self.proposed = event.get("continues"), event.get("values", {})
            final = event.get("final")
            self.shown = f"{final['candidate']} seed {final['seed']}" if final else self.name
        elif kind == "built":
            self.parameters = event["parameters"]
        elif kind == "epoch":
            self.advanced, spent = event["time"], event.get("seconds", 0.0)
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
            self.ms_per_step = event.get("ms_per_step")
            self.seconds = event.get("seconds") or 0.0
        self.last = event["time"]


class Progress:
    """All trials of a search. `update` reads what is new.

    Args:
        regular: how many trials the search has, without those that continue others.
        epochs: the number of epochs of one trial, over all its executions.
        cells: that each end with a candidate that is trained to the end; see strategy/continuations.py.
    """

    def __init__(self, trials: Path, direction: str, regular: int, epochs: int, cells: Sequence[str] = ()) -> None:
        self.reader, self.direction, self.regular, self.epochs = TrialsReader(trials), direction, regular, epochs
        self.cells = cells
        self.trials: dict[str, TrialState] = {}
        self.open: list[TrialState] = []  # the trials that have begun and have not ended
        self.outcomes: dict[str, list[TrialState]] = {}  # the trials that have ended, by outcome
        self.lasting: list[Candidate] = []  # the best one, and those that may still become it; best score first
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
        if new := [trial.candidate for trial in ended if trial.candidate]:
            self.lasting = lasting([*self.lasting, *new], self.direction)
        return ended

    def running(self, session: str) -> list[TrialState]:
        """The trials that this launcher's workers run, by worker."""
        return sorted((trial for trial in self.open if trial.session == session), key=lambda trial: trial.worker)

    def ended(self, outcome: str) -> list[TrialState]:
        return self.outcomes.get(outcome, [])

    def done(self) -> int:
        """How many trials have ended: completed, pruned or failed."""
        return sum(map(len, self.outcomes.values()))

    @property
    def unlimited(self) -> bool:
        """True if there are as many trials as fit into the time."""
        return self.regular == UNLIMITED

    @property
    def planned(self) -> int:
        """How many trials the search has in all, as far as is known now."""
        return self.regular + len(self.continuing()) + len(self.due())

    def continuing(self) -> list[TrialState]:
        """The trials that continue pruned ones."""
        return [trial for trial in self.trials.values() if trial.continues is not None]

    def due(self) -> list[TrialState]:
        """The pruned trials that are still to be continued, when all regular trials have begun."""
        if not self.cells or len(self.trials) - len(self.continuing()) < self.regular:
            return []
        found = due([_past(trial, self.direction) for trial in self.trials.values()], self.cells)
        return [self.trials[f"{trial.number:04d}"] for trial in found]

    def left(self) -> int:
        """How many of the planned trials have not ended. After a lower --trials some trials are not planned."""
        regular = [trial for trial in self.trials.values() if trial.continues is None]
        regular.sort(key=lambda trial: trial.number)
        ended = sum(bool(trial.outcome) for trial in regular[: self.regular])
        return self.regular - ended + sum(not trial.outcome for trial in self.continuing()) + len(self.due())

    def best(self) -> TrialState | None:
        """The trial that is ranked first. Of those that tie with the best score it is the smallest one."""
        return self._trial(ranked(self.lasting, self.direction))

    def best_scored(self) -> TrialState | None:
        """The trial with the best score, whatever it costs."""
        return self._trial(self.lasting)

    def _trial(self, found: list[Candidate]) -> TrialState | None:
        return self.trials[f"{found[0].number:04d}"] if found else None

    def units(self) -> int:
        """Finished epochs. A trial that has ended counts as if it had all of its epochs."""
        return self.epochs * self.done() + sum(trial.epochs for trial in self.open)


def _past(trial: TrialState, direction: str) -> Past:
    loss = math.inf if trial.last_score is None else trial.last_score * (1 if direction == "min" else -1)
    cell = str(trial.values.get("cell"))
    return Past(trial.number, cell, trial.outcome or "running", loss, trial.continues is not None)


def all_done(progress: Progress, trials: int) -> str:
    """Why a search has ended whose trials are done.

    Args:
        trials: how many were asked for; the space may have fewer models.
    """
    more = len(progress.continuing())
    done = progress.done() - more
    text = f"all {done} trials are done" if done >= trials else f"the space has no more than {done} models"
    return f"{text}, and {more} pruned {'one was' if more == 1 else 'ones were'} continued" if more else text
