"""One call that trains candidates of a search again: `recurrent finals` or `recurrent train`."""

import dataclasses
import time
import uuid
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from experiments.config import estimate
from experiments.config.finals import Plan
from experiments.config.folders import SEARCHES, SearchFolder, no_search
from experiments.config.spec import Spec
from experiments.config.units import parse_duration
from experiments.launcher import stores
from experiments.launcher.claim import held
from experiments.launcher.crew import Crew
from experiments.launcher.display import Display
from experiments.launcher.engine import Where, job_of, opened
from experiments.launcher.finals_opening import FinalsOpening
from experiments.launcher.finals_time import Remaining
from experiments.launcher.kernels import compile_kernels
from experiments.launcher.limits import Watch, limits
from experiments.launcher.progress import Progress, TrialState
from experiments.launcher.reporting import conclude
from experiments.launcher.supervise import Supervisor
from experiments.launcher.sync import described_in
from experiments.system.console import say, waiting
from experiments.tasks.base import Arrays, Task
from experiments.tasks.loading import find
from experiments.tasks.loading.code import checked
from experiments.tasks.loading.places import source_of
from experiments.training.buckets import paid_steps
from experiments.worker.build import make_finals_oracle, make_finals_tuner, make_remote_finals_tuner
from experiments.worker.sharing import share, stop_sharing
from tracking.errors import BadInput

if TYPE_CHECKING:
    from tracking.record import Record


@dataclasses.dataclass(frozen=True)
class Data:
    """The task of a search and its data.

    Args:
        source: the task and its options, at the place where the data are now.
        task: of the search.
        arrays: its training and validation data.
        seconds: that they have taken.
    """

    source: tuple[str, dict[str, Any]]
    task: Task
    arrays: list[Arrays]
    seconds: float


class Retraining:
    """Trains candidates of a search again.

    Args:
        name: of the search.
        where: the workers run.
        time_limit: as typed, or "none".
        uri: of the MLflow store.
    """

    what, title = "finals", "finals"  # what the trainings are called, and the line that announces them

    def __init__(self, name: str, where: Where, time_limit: str, uri: str, console: Console) -> None:
        self.name, self.where, self.time_limit, self.uri, self.console = name, where, time_limit, uri, console
        self.folder = SearchFolder(SEARCHES / self.name)
        self.session = uuid.uuid4().hex
        self.sent, self.done = True, False  # the record has everything at the end; all trainings have ended
        self.completed = 0  # trainings that have ended with a score

    def run(self) -> str:
        """Runs the trainings that are left; returns "interrupted", or why they have ended.

        Raises RecurrentError before anything is trained: for a search that is not there, that runs or that lacks what
        is asked for, and for wishes that do not fit what has begun.
        """
        parse_duration("--time-limit", self.time_limit)
        if not self.folder.spec.exists():
            raise BadInput(no_search("NAME", self.name))
        with held(self.folder):
            ended = self.train(Spec.read(self.folder))
        if ended != "interrupted" and self.sent:
            conclude(self.console, self.name, self.uri)
        return ended

    def train(self, spec: Spec) -> str:
        """What `run` does while no other launcher has the search."""
        raise NotImplementedError

    def place(self) -> SearchFolder:
        """The folder of the trainings."""
        raise NotImplementedError

    def opening(self, facts: dict[str, Any], described: dict[str, Any], made: Plan) -> FinalsOpening:
        """Opens the record of the trainings."""
        return FinalsOpening(self.uri, self.folder, facts, described, self.session, made, self._warn)

    def data(self, spec: Spec) -> Data:
        """Makes the data of the search."""
        with waiting(self.console, f"making the data of {find.title(spec.task)} ..."):
            began = time.monotonic()
            copy = checked(spec.code, self.folder.code)
            source = source_of(spec.to_json(), (Path(),), copy=copy)
            task = find.make(*source, spec.reading, copy)
            arrays = [task.split(name, spec.seed) for name in ("train", "val")]
            return Data(source, task, arrays, time.monotonic() - began)

    def train_plan(self, made: Plan, data: Data, shared: list[Arrays]) -> str:
        """Runs the workers; returns why they have ended.

        Args:
            shared: train and validation data that are the same for all; [] if each training has its own.
        """
        search, folder, task = Spec.read(self.folder), self.place(), data.task
        spec = self.spec(search, made, data)
        spec.write(folder)
        described = described_in(self.folder, search)
        progress = Progress(folder.path / "trials", task.direction, len(made.finals), spec.epochs)
        left = Remaining(made, progress, self.folder, min(self.where.workers, progress.left()))
        say(self.console, left.announcement(self.title))
        steps = paid_steps(task, data.arrays[0], spec.batch, spec.buckets)

        def epoch_seconds(trial: TrialState) -> float:
            return estimate.candidate_seconds(spec, trial.values, task, steps)

        limited = limits(self.where.limited(spec), self.where.workers, data.seconds)
        watch = Watch(limited, progress, self.session, epoch_seconds)
        opening = self.opening(search.facts(), described, made)
        supervisor = self._supervisor(left.workers, watch, search.id, self._crew(spec, made, data, progress.left()))
        marks = described["floors"], described.get("solved")
        screen = self.console, progress, task.metric, *marks, spec.epochs, self.session, left.seconds
        try:
            with Display(*screen) as display:
                begin = partial(self._begin, opening, supervisor, shared)
                ended = supervisor.run(begin, partial(_tick, display), opening.log_best)
        finally:
            self.sent = supervisor.sent
            stop_sharing(folder, self.session)
        self.done, self.completed = ended == "done", len(progress.ended("completed"))
        if not self.done:
            return ended
        return f"all {len(made.finals)} {self.what} are done" if len(made.finals) > 1 else "the only one is done"

    def spec(self, search: Spec, made: Plan, data: Data) -> Spec:
        """The spec of the trainings, from that of the search."""
        task, options = data.source
        settings: dict[str, Any] = {"task": task, "options": options, "epochs": made.epochs, "executions": 1}
        settings |= {"trials": len(made.finals), "pruner": "none", "allocate": "best", "no_horizon": True}
        return dataclasses.replace(search, **settings, target="none", time_limit=self.time_limit)

    def _crew(self, spec: Spec, made: Plan, data: Data, left: int) -> Crew:
        place, task, samples = self.place(), data.task, len(data.arrays[0][0])
        job = partial(job_of, make_remote_finals_tuner, place, self.folder.code, spec, task, self.session)
        oracle = partial(opened, spec, task, samples, partial(make_finals_oracle, place, made, self.session))
        native = not self.where.address and compile_kernels(spec, task, samples, self.console)
        return self.where.crew(place, make_finals_tuner, job, oracle, left, self._warn, native)

    def _supervisor(self, workers: int, watch: Watch, search: str, crew: Crew) -> Supervisor:
        """What runs the workers.

        Args:
            search: the id of the search.
        """
        about = stores.note(self.uri, self.folder, search)
        return Supervisor(self.place(), workers, crew, watch, self.session, self._warn, about)

    def _begin(self, opening: FinalsOpening, supervisor: Supervisor, shared: list[Arrays], session: str) -> "Record":
        """Opens the record while the workers import TensorFlow."""
        if supervisor.crew.desk:
            supervisor.crew.desk.open()
        elif shared:
            share(self.place(), self.session, shared)
        record = opening.record()
        record.wait(lambda: supervisor.interrupted)
        return record

    def _warn(self, text: str) -> None:
        say(self.console, Text(text, "yellow"))


def _tick(display: Display) -> None:
    display.tick()
