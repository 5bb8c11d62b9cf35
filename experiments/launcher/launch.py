"""A search from its spec to its record: checks, data, folder, MLflow, workers, display, the best model logged."""

import dataclasses
import functools
import json
import shutil
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

import psutil
from rich.console import Console
from rich.text import Text

from experiments.config import estimate
from experiments.config.folders import SEARCHES, SearchFolder, taken
from experiments.config.spec import Spec, leftovers
from experiments.launcher.card import card, describe
from experiments.launcher.display import Display
from experiments.launcher.limits import Watch, limits
from experiments.launcher.progress import Progress, TrialState
from experiments.launcher.supervise import NO_SPACE, Search
from experiments.system.files import write_json
from experiments.system.resources import gpus
from experiments.tasks import base
from experiments.tasks.loading import checks, find
from experiments.tasks.loading.digest import check_digest, digest_of
from experiments.training import windows
from experiments.worker.sharing import share, stop_sharing
from tracking.errors import Denied, RecurrentError, SearchStateError
from tracking.text import floors_line, format_duration

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from tracking.record import Record
    from tracking.runs import Projection

MANY = 10**12  # models that are not counted one by one for a reader
WAITING = 15.0  # seconds that a search which goes on waits for its record; workers import TensorFlow meanwhile


def make_record(*arguments: Any) -> "Record":
    from tracking.record import Record

    return Record(*arguments)


@dataclasses.dataclass
class Launch:
    """One call of `recurrent search`. `tracked` and `make_record` are for measurements of what tracking costs."""

    spec: Spec
    resume: bool
    workers: int
    uri: str
    console: Console
    tracked: bool = True
    make_record: "Callable[..., Record]" = make_record

    def __post_init__(self) -> None:
        self.folder = SearchFolder(SEARCHES / self.spec.name)
        self.new = not self.folder.spec.exists()
        self.own = self.spec.task.endswith(".py")  # a user's file: it may be wrong in ways that ours are tested for
        self.facts: dict[str, Any] = {}
        self.described: dict[str, Any] = {}
        self.deciding = threading.Lock()  # over the next two
        self.refused = False  # by the record, or the disk: then a new search leaves nothing behind
        self.gone = False  # nothing is left behind: the record's thread, which may outlive that, makes no run any more
        self.sent = True  # the record has all there is
        self.kept: list[TrialState] = []  # the trials whose models lie on disk

    @functools.cached_property
    def task(self) -> base.Task:
        return find.make(self.spec.task, self.spec.options)

    def run(self) -> str:
        """Returns "interrupted", or why it ended. Raises RecurrentError before anything is trained or written over."""
        self._check_name()
        arrays = [self._split(name) for name in ("train", "val")]
        data = time.time() - psutil.Process().create_time()  # what a user's file takes to import, too
        windows.check(self.task, arrays[0], arrays[1], self.spec.batch)
        self.spec = dataclasses.replace(self.spec, digest=digest_of(arrays))
        self._check_spec()
        self.facts = self.spec.facts()
        self.described = self._describe()
        self.workers = min(self.workers, estimate.planned_trials(self.spec))
        self._announce(len(arrays[0][0]))
        if self.new:
            self._create()
        planned = estimate.planned_trials(self.spec)
        epochs = self.spec.epochs * self.spec.executions
        progress = Progress(self.folder.path / "trials", self.task.direction, planned, epochs)
        search = Search(self.folder, min(self.workers, progress.left()), gpus())
        steps = self._steps(len(arrays[0][0]))

        def epoch(trial: TrialState) -> float:
            return estimate.candidate_seconds(self.spec, trial.values, self.task, steps)

        search.watch = Watch(limits(self.spec, self.workers, data), progress, search.session, epoch)
        search.warn = self._warn
        try:
            with Display(
                self.console, progress, self.task.metric, self.described["floors"], self.spec.epochs
            ) as display:
                display.session = search.session

                def begin(session: str) -> "Record | None":
                    self.refused = True  # until its record is open
                    self._drop_losers(list(progress.trials.values()), progress)
                    write_json(self.folder.task, self.described)
                    share(self.folder, session, arrays)
                    arrays.clear()  # the workers have their own, or map them
                    return self._open_record(session, search)

                def tick() -> None:
                    self._drop_losers(display.tick(), progress)

                ended = search.run(begin, tick, self._log_best)
                self.sent = search.sent
            return ended if ended != "done" else self._all_done(progress)
        finally:
            stop_sharing(self.folder, search.session)
            with self.deciding:
                self.gone = self.refused and self.new
            if self.gone:
                shutil.rmtree(self.folder.path, ignore_errors=True)
                with suppress(OSError):  # other searches lie there
                    SEARCHES.rmdir()

    def _split(self, name: str) -> base.Arrays:
        arrays = self.task.split(name, self.spec.seed)
        if self.own:
            checks.check_data(self.task, self.spec.task, name, arrays)
        return arrays

    def _describe(self) -> dict[str, Any]:
        described = describe(self.task)
        if self.own:
            checks.check_floors(described["floors"], self.spec.task)
            checks.check_preprocessing(described["preprocessing"], self.spec.task)
        return described

    def _all_done(self, progress: Progress) -> str:
        done = progress.done()
        if done < self.spec.trials:
            return f"the space has no more than {done} models"
        return f"all {done} trials are done"

    def _drop_losers(self, ended: list[TrialState], progress: Progress) -> None:
        """The models of trials that can no longer win make room."""
        best = progress.best()
        for trial in (*ended, *self.kept):
            if best is not None and trial.outcome == "completed" and trial.number != best.number:
                self.folder.trial(int(trial.number)).model.unlink(missing_ok=True)
        self.kept = [best] if best is not None else []

    def _create(self) -> None:
        self.folder.path.mkdir(parents=True, exist_ok=True)
        try:
            self.spec.create(self.folder)
        except FileExistsError:
            self._refuse_name()

    def _check_name(self) -> None:
        if not self.new and not self.resume:
            self._refuse_name()
        folder = self.folder.path
        over = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
        if not over.is_dir():
            raise SearchStateError(f"--name: expected {folder} to be a new folder, got {over}, which is a file")
        if self.new and folder.exists() and set(folder.iterdir()) - set(leftovers(self.folder)):
            raise SearchStateError(
                f"--name: expected a new name, got {self.spec.name!r}, but {folder} holds no spec.json"
            )

    def _refuse_name(self) -> NoReturn:
        raise SearchStateError(
            f"--name: expected a new name, got {self.spec.name!r}, which {self.folder.path} holds;"
            " --resume goes on with it"
        )

    def _check_spec(self) -> None:
        if self.new:
            self.spec = dataclasses.replace(self.spec, id=uuid.uuid4().hex)
            return
        before = Spec.read(self.folder)
        self.spec = dataclasses.replace(self.spec, id=before.id)
        changes = [f"{what} {old}, got {new}" for what, (old, new) in before.changes(self.spec).items()]
        if changes:
            raise SearchStateError(f"--resume: expected as when the search began: {'; '.join(changes)}")

    def _announce(self, samples: int) -> None:
        spec, size = self.spec, estimate.space_size(self.spec)
        seconds = estimate.seconds(spec, self.task, self._steps(samples), self.workers)
        models = "infinitely many" if size is None else f"{size:,}" if size < MANY else f"10^{len(str(size)) - 1}"
        space = f"{models} models{' (it has a range of real numbers)' if size is None else ''}"
        if about := self.task.about():
            self._say(about)
        self._say(f"[bold]{spec.name}[/]: {find.title(spec.task)}, {', '.join(spec.cells)}; space: {space}")
        self._say(
            f"{estimate.planned_trials(spec)} trials x {spec.executions} execution(s) x {spec.epochs} epochs,"
            f" {self.workers} worker(s), oracle {spec.oracle}, seed {spec.seed};"
            f" very roughly {format_duration(seconds)}"
        )
        self._say(
            f"{self.task.metric} floors, what models with less memory score: {floors_line(self.described['floors'])}"
        )

    def _steps(self, samples: int) -> int:
        """Training steps of an epoch."""
        return windows.training_steps(self.task, samples, self.spec.batch)

    def _say(self, text: str) -> None:
        self.console.print(text, soft_wrap=True)

    def sync(self) -> bool:
        """Brings MLflow to what the search's journals say; False if the store did not take it. Trains nothing.

        Raises SearchStateError if the search is running, or if it has not written down what its floors are, and the
        vocabulary of its models, and the data that say so are no longer those of the search.
        """
        if not taken(self.folder.launcher_lock):
            raise SearchStateError(f"NAME: expected a search that is not running, got {self.spec.name!r}, which is")
        try:
            if self.folder.task.exists():
                self.described = json.loads(self.folder.task.read_text("utf-8"))
            else:  # a search of an early version, or killed before it began
                check_digest([self._split(name) for name in ("train", "val")], self.spec.digest)
                self.described = self._describe()
            self.facts = json.loads(self.folder.spec.read_text("utf-8"))  # what it was run with, not what sends it
            record = self._record(uuid.uuid4().hex)
            record.open_now()
            status, why = self._end()
            return record.finish(status, lambda: self._log_best(record), why)
        finally:
            self.folder.launcher_lock.release()

    def _end(self) -> tuple[str, str]:
        """(MLflow's status, why) of the search's end, as its last launcher has written it down."""
        events = self.folder.journal.events()
        if events and events[-1]["event"] == "end":
            return events[-1]["status"], events[-1]["why"]
        planned = estimate.planned_trials(self.spec)
        left = Progress(self.folder.path / "trials", self.described["direction"], planned, 1).left()
        return ("KILLED", "its launcher was killed") if left else ("FINISHED", "done")

    def _open_record(self, session: str, search: Search) -> "Record | None":
        record = self._record(session) if self.tracked else None
        if record is not None:
            self._open(record, search)
        self.refused = self.new = False
        try:
            self.spec.write(self.folder)  # --trials may have changed; the workers have not read it yet
        except OSError:
            if record is not None:
                record.finish("FAILED", None, NO_SPACE)
            raise
        return record

    def _open(self, record: "Record", search: Search) -> None:
        """A new search must have reached its store once; one that goes on need not, and does not wait long for it."""
        if not self.new:
            until = time.monotonic() + WAITING
            record.open(lambda: search.interrupted or record.tried.is_set() or time.monotonic() > until)
            return
        try:
            if record.open(lambda: search.interrupted or record.in_vain()) or (search.interrupted and not self.refused):
                return  # an interrupted search that the store may know ends as any other
            record.over.set()
            if search.interrupted:
                raise KeyboardInterrupt
            raise record.failure
        except RecurrentError as error:
            again = "" if self.refused else f"; --resume goes on with {self.spec.name!r}"
            raise SearchStateError(f"{error}{again}") from None

    def _record(self, session: str) -> "Record":
        return self.make_record(self.uri, self.spec.name, lambda: self._projection(session), self._warn)

    def _projection(self, session: str) -> "Projection":
        """Opens the search in the store. Raises SearchStateError or a StoreError."""
        from tracking.store import connect, working

        client = connect(self.uri, create=True)
        with working(self.uri):
            return self._open_in(client, session)

    def _open_in(self, client: "MlflowClient", session: str) -> "Projection":
        from mlflow.exceptions import MlflowException

        from tracking.runs import Projection
        from tracking.searches import find_search, open_search
        from tracking.store import artifacts, does_not_work, unanswered
        from tracking.views import write_views

        metric, direction, floors = (self.described[key] for key in ("metric", "direction", "floors"))
        facts = {**self.facts, "metric": metric, "direction": direction}
        experiment = find.title(self.spec.task)
        place = artifacts(self.uri, experiment)
        find_search(client, self.spec.name)  # a store that does not answer even this knows of nothing
        with self.deciding:
            if self.gone:
                raise unanswered(self.uri)
            first, self.refused = self.refused, False  # whatever is answered now: --resume takes over what is there
        try:
            parent = open_search(client, self.spec.name, experiment, place, facts, floors)
        except RecurrentError:
            self.refused = True
            raise
        except MlflowException as error:
            if first and isinstance(does_not_work(self.uri, error), Denied):  # who may only read, say
                with suppress(MlflowException):  # not even that is answered: the run may be there
                    self.refused = find_search(client, self.spec.name) is None
            raise
        write_views(client, parent.info.experiment_id, metric, direction, (self.spec.name, parent.info.run_id))
        trials = self.folder.path / "trials"
        return Projection(client, parent, trials, metric, direction, session, floors)

    def _warn(self, text: str) -> None:
        self.console.print(Text(text, "yellow"), soft_wrap=True)

    def _log_best(self, record: "Record") -> None:
        """Logs the best model so far; what has failed to be logged now, the next --resume logs."""
        from tracking.models import log_best

        projection = record.projection
        best = projection.best()
        if best is None:
            return
        trial = self.folder.trial(int(best))
        run_id = projection.trials[trial.path.name].run_id
        if run_id and trial.model.exists():
            about = card(self.facts, self.described, trial.journal.events(), run_id)
            log_best(projection.client, projection.parent, run_id, trial.model, about)
