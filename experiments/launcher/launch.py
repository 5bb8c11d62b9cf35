"""One call of `recurrent search`, from the spec to the best models in MLflow."""

import dataclasses
import time
import uuid
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import psutil
from rich.console import Console
from rich.text import Text

from experiments.config import estimate
from experiments.config.folders import SEARCHES, SearchFolder
from experiments.config.spec import Spec
from experiments.launcher import stores
from experiments.launcher.announcement import announcement
from experiments.launcher.card import describe
from experiments.launcher.claim import abandon, check_name, claim
from experiments.launcher.display import Display
from experiments.launcher.engine import Where, job_of, opened
from experiments.launcher.forecast import Forecast
from experiments.launcher.kernels import compile_kernels
from experiments.launcher.limits import Watch, limits
from experiments.launcher.models import Models
from experiments.launcher.opening import Opening, make_record
from experiments.launcher.progress import Progress, TrialState, all_done
from experiments.launcher.rehearsal import rehearse, with_code
from experiments.launcher.reporting import conclude, import_early
from experiments.launcher.settings import free_name
from experiments.launcher.supervise import NO_SPACE, Supervisor
from experiments.system.console import say, waiting
from experiments.system.files import write_json
from experiments.tasks import base
from experiments.tasks.loading import checks, find
from experiments.tasks.loading.digest import digest_of
from experiments.tasks.loading.places import corpus_in
from experiments.training import buckets, windows
from experiments.worker.build import make_oracle, make_remote_tuner, make_tuner
from experiments.worker.sharing import share, stop_sharing
from tracking.errors import RecurrentError, SearchStateError
from tracking.ranking import preference

if TYPE_CHECKING:
    from tracking.record import Record


@dataclasses.dataclass
class Launch:
    """One call of `recurrent search`.

    Args:
        resume: go on with the search of that name, if there is one.
        where: the workers run; the MLflow store is at `uri`.
        tracked, make_record: for measurements of what tracking costs.
        unnamed: the name of the spec is a free one. If somebody else takes it first, the search gets the next one.
        began: when the work for this call began, in seconds since 1970. None: when this process began.
        tell: is called with the trials that have just ended. An error that it raises ends the search.
        early: what the report needs may be imported before the end. Nobody else imports at that time.
    """

    spec: Spec
    task: base.Task
    resume: bool
    where: Where
    uri: str
    console: Console
    tracked: bool = True
    make_record: "Callable[..., Record]" = make_record
    unnamed: bool = False
    began: float | None = None
    tell: Callable[[list[TrialState]], None] = lambda ended: None
    early: bool = False

    def __post_init__(self) -> None:
        self.folder = SearchFolder(SEARCHES / self.spec.name)
        self.session = uuid.uuid4().hex
        self.space = estimate.space_size(self.spec)
        self.planned = estimate.planned_trials(self.spec, self.space)
        self.sent = True  # False if the record lacks something at the end
        self.begun = False  # True when the store has not refused the search; from then on its folder is kept

    def run(self) -> str:
        """Runs the search; returns "interrupted", or why it ended.

        A search that is refused raises RecurrentError before anything is trained or overwritten. Raises WorkersDied if
        no worker can run or the disk is full.
        """
        check_name(self.folder, self.resume)
        with waiting(self.console, f"making the data of {find.title(self.spec.task)} ..."):
            arrays = [self._split(name) for name in ("train", "val")]
            # Workers repeat what was done for the data, for example the import of a user's file.
            seconds = time.time() - (self.began or psutil.Process().create_time())
            windows.check(self.task, arrays[0], arrays[1], self.spec.batch)
            spec = dataclasses.replace(self.spec, digest=digest_of(arrays))
            described = self._describe()
            spec = with_code(spec, self.folder, self.resume)
        new = self._claim(spec)
        try:
            if new and self.spec.code:
                with waiting(self.console, "trying the search's copy of the task ..."):
                    self.task = rehearse(self.spec, self.folder, self.task)
            self.workers = min(self.where.workers, self.planned)
            steps = buckets.paid_steps(self.task, arrays[0], self.spec.batch, self.spec.buckets)
            about = self.spec, self.task, self.folder.code, described, self.space, self.planned
            from experiments.strategy.draws import first_draws  # it imports Optuna

            self.drawn = first_draws(self.spec, self.task)
            for line in announcement(*about, self.workers, steps, self.drawn):
                say(self.console, line)
            ended = self._search(arrays, described, steps, seconds, new)
            if ended != "interrupted" and self.tracked and self.sent:
                conclude(self.console, self.spec.name, self.uri)
            return ended
        except (RecurrentError, OSError, KeyboardInterrupt):
            if new and not self.begun:
                abandon(self.folder)
            raise
        finally:
            self.folder.launcher_lock.release()

    def _claim(self, spec: Spec) -> bool:
        """Takes the folder; returns True for a new search. Raises SearchStateError as `claim` does."""
        try:
            self.spec, new = claim(self.folder, spec, self.resume, corpus_in(type(self.task)))
            return new
        except SearchStateError:
            name = free_name(spec.task, self.uri) if self.unnamed else spec.name
            if name == spec.name:
                raise
        self.folder = SearchFolder(SEARCHES / name)
        return self._claim(dataclasses.replace(spec, name=name))

    def _split(self, name: str) -> base.Arrays:
        arrays = self.task.split(name, self.spec.seed)
        if self._own():
            checks.check_data(self.task, self.spec.task, name, arrays)
        checks.check_scored(self.task, name, arrays[1])
        return arrays

    def _own(self) -> bool:
        """True for a user's task. It may have faults that tests exclude for our tasks."""
        return self.spec.task.endswith(".py")

    def _describe(self) -> dict[str, Any]:
        described = describe(self.task)
        if self._own():
            checks.check_floors(described["floors"], self.spec.task)
            checks.check_solved(described["solved"], self.spec.task)
            checks.check_preprocessing(described["preprocessing"], self.spec.task)
        return described

    def _search(
        self, arrays: list[base.Arrays], described: dict[str, Any], steps: float, seconds: float, new: bool
    ) -> str:
        """Runs the workers; returns why the search ended.

        Args:
            steps: training steps of an epoch, as `buckets.paid_steps` counts them.
            seconds: how long this process needed for the data.
            new: the search has never begun.
        """
        spec, parts = self.spec, self._parts(steps, described, seconds, new, len(arrays[0][0]))

        def tick(display: Display) -> None:
            ended = display.tick()
            for take in (parts.models.drop, parts.forecast.take, self.tell):
                take(ended)
            if ended and self.early:
                import_early(self.planned, parts.progress.left())

        try:
            marks = described["floors"], described["solved"]
            screen = self.console, parts.progress, self.task.metric, *marks, spec.epochs, self.session
            with Display(*screen, parts.forecast.seconds_left) as display:
                ended = parts.supervisor.run(
                    lambda session: self._begin(arrays, described, parts),
                    lambda: tick(display),
                    parts.opening.log_models,
                )
        finally:
            self.sent = parts.supervisor.sent
            stop_sharing(self.folder, self.session)
        return ended if ended != "done" else all_done(parts.progress, spec.trials)

    def _parts(self, steps: float, described: dict[str, Any], seconds: float, new: bool, samples: int) -> "Parts":
        """What runs the search; the arguments are those of `_search`, and the number of training samples."""
        spec, task, folder, session = self.spec, self.task, self.folder, self.session
        whole = self.planned, spec.epochs * spec.executions, spec.finished_cells
        progress = Progress(folder.path / "trials", task.direction, *whole)

        def epoch_seconds(trial: TrialState) -> float:
            return estimate.candidate_seconds(spec, trial.values, task, steps)

        watch = Watch(limits(self.where.limited(spec), self.workers, seconds), progress, session, epoch_seconds)
        count, told = min(self.workers, progress.left()), (self._warn, self.make_record)
        about = stores.note(self.uri, folder, spec.id) if self.tracked else {}
        job = partial(job_of, make_remote_tuner, folder, folder.code, spec, task, session)
        oracle = partial(opened, spec, task, samples, partial(make_oracle, folder, spec, session))
        native = not self.where.address and compile_kernels(spec, task, samples, self.console)
        crew = self.where.crew(folder, make_tuner, job, oracle, progress.left(), self._warn, native)
        return Parts(
            progress,
            Models(folder, task.direction, preference(spec.prefer)),
            Forecast(spec, task, steps, count, progress, self.space, self.drawn),
            Supervisor(folder, count, crew, watch, session, self._warn, about),
            Opening(self.uri, folder, spec.facts(), described, session, new, *told),
        )

    def _begin(self, arrays: list[base.Arrays], described: dict[str, Any], parts: "Parts") -> "Record | None":
        """Writes what the workers need and opens the record, while the workers import TensorFlow.

        Raises RecurrentError if the store refuses the search, and OSError if the disk is full.
        """
        parts.models.drop(list(parts.progress.trials.values()))
        write_json(self.folder.task, described)
        if parts.supervisor.crew.desk:
            parts.supervisor.crew.desk.open()
        else:
            share(self.folder, self.session, arrays)
        arrays.clear()  # the workers map them or make their own
        record = parts.opening.record() if self.tracked else None
        if record is not None:
            record.wait(lambda: parts.supervisor.interrupted)
        if parts.opening.restored:
            self._warn(f"{parts.opening.restored} deleted run(s) of this search restored in MLflow")
        self.begun = True
        try:
            self.spec.write(self.folder)  # --trials may have changed; the workers have not read it yet
        except OSError:
            if record is not None:
                record.finish("FAILED", None, NO_SPACE)
            raise
        return record

    def _warn(self, text: str) -> None:
        say(self.console, Text(text, "yellow"))


@dataclasses.dataclass(frozen=True)
class Parts:
    """What runs one search while its workers train."""

    progress: Progress
    models: Models
    forecast: Forecast
    supervisor: Supervisor
    opening: Opening
