"""One call of `recurrent search`, from the spec to the best model in MLflow."""

import dataclasses
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from rich.console import Console
from rich.text import Text

from experiments.config import estimate
from experiments.config.folders import SEARCHES, SearchFolder
from experiments.config.spec import Spec
from experiments.launcher.card import describe
from experiments.launcher.claim import abandon, check_name, claim
from experiments.launcher.display import Display, say, waiting
from experiments.launcher.forecast import Forecast
from experiments.launcher.limits import Watch, limits
from experiments.launcher.opening import Opening, make_record
from experiments.launcher.progress import Progress, TrialState
from experiments.launcher.rehearsal import rehearse, with_code
from experiments.launcher.settings import free_name
from experiments.launcher.supervise import NO_SPACE, Supervisor
from experiments.system.devices import gpus
from experiments.system.files import write_json
from experiments.tasks import base
from experiments.tasks.loading import checks, find
from experiments.tasks.loading.code import note
from experiments.tasks.loading.digest import digest_of
from experiments.tasks.loading.places import corpus_in
from experiments.training import windows
from experiments.worker.sharing import share, stop_sharing
from tracking.errors import RecurrentError, SearchStateError
from tracking.text import floors_line, format_range

if TYPE_CHECKING:
    from tracking.record import Record

RANGE = 1.6  # the estimate of a search is shown as a range from a RANGE-th to RANGE times of it
MANY = 10**12  # a space with this many models or more is shown as a power of ten


@dataclasses.dataclass
class Launch:
    """One call of `recurrent search`.

    Args:
        task: the task of the spec.
        resume: go on with the search of that name, if there is one.
        workers: the number of processes.
        uri: of the MLflow store.
        tracked, make_record: for measurements of what tracking costs.
        unnamed: the name of the spec is a free one. If somebody else takes it first, the search gets the next one.
    """

    spec: Spec
    task: base.Task
    resume: bool
    workers: int
    uri: str
    console: Console
    tracked: bool = True
    make_record: "Callable[..., Record]" = make_record
    unnamed: bool = False

    def __post_init__(self) -> None:
        self.folder = SearchFolder(SEARCHES / self.spec.name)
        self.session = uuid.uuid4().hex
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
            # Workers repeat what this process has done since it began, for example the import of a user's file.
            seconds = time.time() - psutil.Process().create_time()
            windows.check(self.task, arrays[0], arrays[1], self.spec.batch)
            spec = dataclasses.replace(self.spec, digest=digest_of(arrays))
            described = self._describe()
            spec = with_code(spec, self.folder, self.resume)
        new = self._claim(spec)
        try:
            if new and self.spec.code:
                with waiting(self.console, "trying the search's copy of the task ..."):
                    self.task = rehearse(self.spec, self.folder, self.task)
            self.workers = min(self.workers, estimate.planned_trials(spec))
            self._announce(len(arrays[0][0]), described["floors"])
            return self._search(arrays, described, seconds, new)
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
            checks.check_preprocessing(described["preprocessing"], self.spec.task)
        return described

    def _announce(self, samples: int, floors: dict[str, float]) -> None:
        spec, size = self.spec, estimate.space_size(self.spec)
        seconds = estimate.search_seconds(spec, self.task, self._steps(samples), self.workers)
        models = "infinitely many" if size is None else f"{size:,}" if size < MANY else f"10^{len(str(size)) - 1}"
        space = f"{models} models{' (it has a range of real numbers)' if size is None else ''}"
        about = f": {find.title(spec.task)}, {', '.join(spec.cells)}; space: {space}"
        lines: list[str | Text] = [
            find.choice(type(self.task)),
            note(spec.code, Path(spec.task), self.folder.code),
            self.task.about(),
            Text.assemble((spec.name, "bold"), about),
            f"{estimate.planned_trials(spec)} trials x {spec.executions} execution(s) x {spec.epochs} epochs,"
            f" {self.workers} worker(s), oracle {spec.oracle}, seed {spec.seed};"
            f" about {format_range(seconds / RANGE, seconds * RANGE)}",
            gpus().line(),
            f"{self.task.metric} floors, what models with less memory score: {floors_line(floors)}",
        ]
        for line in lines:
            if line:
                say(self.console, line)

    def _steps(self, samples: int) -> int:
        """Training steps of an epoch."""
        return windows.training_steps(self.task, samples, self.spec.batch)

    def _search(self, arrays: list[base.Arrays], described: dict[str, Any], seconds: float, new: bool) -> str:
        """Runs the workers; returns why the search ended.

        Args:
            seconds: how long this process needed for the data.
            new: the search has never begun.
        """
        spec, steps, planned = self.spec, self._steps(len(arrays[0][0])), estimate.planned_trials(self.spec)
        progress = Progress(self.folder.path / "trials", self.task.direction, planned, spec.epochs * spec.executions)
        models = Models(self.folder, progress)

        def epoch_seconds(trial: TrialState) -> float:
            return estimate.candidate_seconds(spec, trial.values, self.task, steps)

        watch = Watch(limits(spec, self.workers, seconds), progress, self.session, epoch_seconds)
        count = min(self.workers, progress.left())
        supervisor = Supervisor(self.folder, count, gpus().used, watch=watch, session=self.session, warn=self._warn)
        forecast = Forecast(spec, self.task, steps, count, progress)
        told = self._warn, self.make_record
        opening = Opening(self.uri, self.folder, spec.facts(), described, self.session, new, *told)

        def begin(session: str) -> "Record | None":
            return self._begin(arrays, described, opening, models, supervisor)

        def tick(display: Display) -> None:
            ended = display.tick()
            models.drop(ended)
            forecast.take(ended)

        try:
            screen = self.console, progress, self.task.metric, described["floors"], spec.epochs, self.session
            with Display(*screen, forecast.seconds_left) as display:
                ended = supervisor.run(begin, lambda: tick(display), opening.log_best)
        finally:
            self.sent = supervisor.sent
            stop_sharing(self.folder, self.session)
        return ended if ended != "done" else _all_done(progress, spec.trials)

    def _begin(
        self,
        arrays: list[base.Arrays],
        described: dict[str, Any],
        opening: Opening,
        models: "Models",
        supervisor: Supervisor,
    ) -> "Record | None":
        """Writes what the workers need and opens the record, while the workers import TensorFlow.

        Raises RecurrentError if the store refuses the search, and OSError if the disk is full.
        """
        models.drop(list(models.progress.trials.values()))
        write_json(self.folder.task, described)
        share(self.folder, self.session, arrays)
        arrays.clear()  # the workers map them or make their own
        record = opening.record() if self.tracked else None
        if record is not None:
            record.wait(lambda: supervisor.interrupted)
        if opening.restored:
            self._warn(f"{opening.restored} deleted run(s) of this search restored in MLflow")
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


class Models:
    """The models on disk. Only the model of the best trial is kept."""

    def __init__(self, folder: SearchFolder, progress: Progress) -> None:
        self.folder, self.progress = folder, progress
        self.kept: TrialState | None = None

    def drop(self, ended: list[TrialState]) -> None:
        """Removes the models of the trials in `ended` and of the former best trial, except the best trial's."""
        best = self.progress.best()
        for trial in (*ended, *filter(None, [self.kept])):
            if best is not None and trial.outcome == "completed" and trial.number != best.number:
                self.folder.trial(int(trial.number)).model.unlink(missing_ok=True)
        self.kept = best


def _all_done(progress: Progress, trials: int) -> str:
    done = progress.done()
    return f"all {done} trials are done" if done >= trials else f"the space has no more than {done} models"
