"""One call of `recurrent finals`: the best candidates of a search, trained again from fresh seeds."""

import dataclasses
import time
import uuid
from functools import partial
from pathlib import Path
from statistics import median_high
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from experiments.config import estimate
from experiments.config.finals import TOP, Plan, plan
from experiments.config.folders import SEARCHES, SearchFolder, no_search
from experiments.config.spec import Spec
from experiments.config.units import parse_duration
from experiments.launcher import stores
from experiments.launcher.claim import held
from experiments.launcher.display import Display
from experiments.launcher.finals_opening import FinalsOpening
from experiments.launcher.finals_time import Remaining
from experiments.launcher.limits import Watch, limits
from experiments.launcher.progress import Progress, TrialState
from experiments.launcher.reporting import conclude
from experiments.launcher.supervise import Supervisor
from experiments.launcher.sync import described_in
from experiments.system.console import say, waiting
from experiments.system.devices import gpus
from experiments.tasks.base import Arrays, Task
from experiments.tasks.loading import find
from experiments.tasks.loading.code import checked
from experiments.tasks.loading.places import source_of
from experiments.training.windows import training_steps
from experiments.worker.build import make_finals_tuner
from experiments.worker.sharing import share, stop_sharing
from tracking.errors import BadInput, SearchStateError
from tracking.finals import exported_final
from tracking.results import ranked, results
from tracking.searches import existing_search

if TYPE_CHECKING:
    from tracking.record import Record


@dataclasses.dataclass
class Finals:
    """One call of `recurrent finals`, or the end of `recurrent search --finals`.

    Args:
        name: of the search.
        wanted: top, seeds, epochs and lengths as the user gives them; None for what is not given.
        workers: the number of processes.
        time_limit: as typed, or "none".
        uri: of the MLflow store.
        whole: when all finals are done, train the winner's middle seed on training and validation data.
    """

    name: str
    wanted: dict[str, Any]
    workers: int
    time_limit: str
    uri: str
    console: Console
    whole: bool = False

    def __post_init__(self) -> None:
        self.folder = SearchFolder(SEARCHES / self.name)
        self.session = uuid.uuid4().hex
        self.sent, self.done = True, False  # the record has everything at the end; all finals have ended

    def run(self) -> str:
        """Runs the finals that are left; returns "interrupted", or why they have ended.

        Raises RecurrentError before anything is trained: for a search that is not there, that runs or that has no
        completed trial, and for wishes that do not fit the finals that have begun.
        """
        parse_duration("--time-limit", self.time_limit)
        if not self.folder.spec.exists():
            raise BadInput(no_search("NAME", self.name))
        with held(self.folder):
            ended = self._run(Spec.read(self.folder))
        if ended != "interrupted" and self.sent:
            conclude(self.console, self.name, self.uri)
        return ended

    def _run(self, spec: Spec) -> str:
        with waiting(self.console, f"making the data of {find.title(spec.task)} ..."):
            began = time.monotonic()
            copy = checked(spec.code, self.folder.code)
            source = source_of(spec.to_json(), (Path(),), copy=copy)
            task = find.make(*source, spec.reading, copy)
            arrays = [task.split(name, spec.seed) for name in ("train", "val")]
            seconds = time.monotonic() - began
        self._check(task)
        made = self._plan(spec, task.direction)
        settings: dict[str, Any] = {"task": source[0], "options": source[1], "epochs": made.epochs, "executions": 1}
        settings |= {"trials": len(made.finals), "pruner": "none", "allocate": "best", "no_horizon": True}
        finals = dataclasses.replace(spec, **settings, target="none", time_limit=self.time_limit)
        steps = training_steps(task, len(arrays[0][0]), finals.batch)
        shared = arrays if task.finite_data else []  # other finals have their own data
        about = task, shared, steps, seconds
        ended = self._train(finals, made, *about)
        if not self.whole or not self.done:
            return ended
        more = self._with_whole(made)
        return self._train(dataclasses.replace(finals, trials=len(more.finals)), more, *about)

    def _with_whole(self, made: Plan) -> Plan:
        """The plan with the final on training and validation data, written into the folder."""
        found = results(*existing_search(self.name, self.uri))
        if not found["finals"] or not found["finals"]["complete"]:
            hint = f"`recurrent sync {self.name}` sends them"
            raise SearchStateError(f"--data: expected all finals of {self.name!r} in {self.uri}, got some; {hint}")
        final = exported_final(found["finals"], found["direction"])
        epochs = median_high(found["finals"]["candidates"][0]["best_epochs"])
        more = made.with_whole(final["candidate"], final["seed"], epochs)
        more.write(self.folder)
        return more

    def _check(self, task: Task) -> None:
        if self.whole and task.online:
            raise BadInput("--data: expected train for a task that draws fresh samples in every epoch, got train+val")
        if self.wanted.get("lengths") and not task.lengthens:
            raise BadInput(f"--lengths: expected none for a task whose knob is no length or lag, got {task.knob}")

    def _plan(self, spec: Spec, direction: str) -> Plan:
        """The plan, written into the folder."""
        before = Plan.read(self.folder) if self.folder.finals.trials() else None
        top = self.wanted.get("top") or (before.top if before else TOP)
        progress = Progress(self.folder.path / "trials", direction, 0, spec.epochs)
        best = candidates(progress.ended("completed"), direction, top)
        if not best:
            raise SearchStateError(f"NAME: expected a search with a completed trial, got {self.name!r}, which has none")
        values = {trial.name: trial.proposed for trial in best}
        made = plan(before, values, spec.epochs, self.wanted)
        made.write(self.folder)
        return made

    def _train(self, spec: Spec, made: Plan, task: Task, shared: list[Arrays], steps: int, seconds: float) -> str:
        """Runs the workers; returns why they have ended.

        Args:
            spec: of the finals.
            shared: train and validation data that are the same for all finals; [] if each has its own.
            steps: training steps of an epoch.
            seconds: that the data have taken.
        """
        folder, search = self.folder.finals, Spec.read(self.folder)
        spec.write(folder)
        described = described_in(self.folder, search)
        progress = Progress(folder.path / "trials", task.direction, len(made.finals), spec.epochs)
        left = Remaining(made, progress, self.folder, min(self.workers, progress.left()))
        say(self.console, left.announcement())

        def epoch_seconds(trial: TrialState) -> float:
            return estimate.candidate_seconds(spec, trial.values, task, steps)

        watch = Watch(limits(spec, self.workers, seconds), progress, self.session, epoch_seconds)
        opening = FinalsOpening(self.uri, self.folder, search.facts(), described, self.session, made, self._warn)
        supervisor = self._supervisor(left.workers, watch, search)
        marks = described["floors"], described.get("solved")
        screen = self.console, progress, task.metric, *marks, spec.epochs, self.session, left.seconds
        try:
            with Display(*screen) as display:
                begin = partial(self._begin, opening, supervisor, shared)
                ended = supervisor.run(begin, partial(_tick, display), opening.log_best)
        finally:
            self.sent = supervisor.sent
            stop_sharing(folder, self.session)
        self.done = ended == "done"
        return ended if not self.done else f"all {len(made.finals)} finals are done"

    def _supervisor(self, workers: int, watch: Watch, search: Spec) -> Supervisor:
        how: dict[str, Any] = {"make": make_finals_tuner, "watch": watch, "session": self.session, "warn": self._warn}
        about = stores.note(self.uri, self.folder, search.id)
        return Supervisor(self.folder.finals, workers, gpus().used, **how, about=about)

    def _begin(self, opening: FinalsOpening, supervisor: Supervisor, shared: list[Arrays], session: str) -> "Record":
        """Opens the record while the workers import TensorFlow."""
        if shared:
            share(self.folder.finals, self.session, shared)
        record = opening.record()
        record.wait(lambda: supervisor.interrupted)
        return record

    def _warn(self, text: str) -> None:
        say(self.console, Text(text, "yellow"))


def at_least(name: str, top: int) -> int:
    """The candidates of each cell of a search with `--finals`: as many as it says, or as earlier finals have."""
    before = Plan.read(SearchFolder(SEARCHES / name))
    return max(top, before.top) if before else top


def _tick(display: Display) -> None:
    display.tick()


def candidates(completed: list[TrialState], direction: str, top: int) -> list[TrialState]:
    """The best `top` completed trials of each cell, the best of all first. Models of several cells are one group."""
    by_name = {trial.name: trial for trial in completed}
    trials = [
        {"trial": name, "architecture": trial.architecture, "values": trial.values}
        | {"score": trial.score, "spread": trial.spread, "parameters": trial.parameters, "ms_per_step": None}
        for name, trial in sorted(by_name.items())
    ]
    taken: dict[str, int] = {}
    found = []
    for trial in ranked({"direction": direction, "trials": trials}):
        cell = str(trial["values"]["cell"])
        group = "several" if "+" in cell else cell
        taken[group] = taken.get(group, 0) + 1
        if taken[group] <= top:
            found.append(by_name[trial["trial"]])
    return found
