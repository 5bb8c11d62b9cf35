"""Opens the record of a search in MLflow and logs its best models there."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from experiments.config.folders import SearchFolder
from experiments.launcher.card import card
from experiments.launcher.copies import check_copy, shared
from experiments.tasks.loading import find
from tracking.errors import Denied, StoreError, Unreachable
from tracking.ranking import NONE, kept, preference, preferred

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

    from tracking.record import Record
    from tracking.runs import Projection


def make_record(*arguments: Any) -> "Record":
    from tracking.record import Record

    return Record(*arguments)


class Opening:
    """Opens the record of one search.

    Args:
        uri: of the store.
        folder: of the search.
        facts: the spec with versions and commit, as they were when the search was run.
        described: the task and its data, as `card.describe` returns them.
        session: of the launcher.
        new: no store has ever had the search. If the store denies a new search, the search is refused.
        warn: shows a line to the user.
        make_record: makes the record; measurements of what tracking costs replace it.
    """

    def __init__(
        self,
        uri: str,
        folder: SearchFolder,
        facts: dict[str, Any],
        described: dict[str, Any],
        session: str,
        new: bool,
        warn: Callable[[str], None],
        make_record: "Callable[..., Record]" = make_record,
    ) -> None:
        self.uri, self.folder, self.facts, self.described = uri, folder, facts, described
        self.session, self.new, self.warn, self.make_record = session, new, warn, make_record
        self.restored = 0  # runs that were deleted in MLflow, and are there again
        self.asked = False  # the store was asked for the search's run; it may have made it even if it did not answer

    def record(self) -> "Record":
        return self.make_record(self.uri, self.facts["name"], self.projection, self.warn)

    def projection(self) -> "Projection":
        """Opens the search in the store. Raises Unreachable if asking again may help, else the error that refuses it.

        After the store was asked for the search's run, it may have made the run. Then every error counts as
        Unreachable. A denial of a search that is not new counts as Unreachable, too. The search goes on without the
        store, and its trials are sent later.
        """
        from tracking.store import connect, working

        try:
            client = connect(self.uri, create=True)
            with working(self.uri):
                return self._open(client)
        except StoreError as error:
            if self.asked or (isinstance(error, Denied) and not self.new):
                raise Unreachable(str(error)) from error
            raise

    def _open(self, client: "MlflowClient") -> "Projection":
        from tracking.deleted import restore
        from tracking.recording import ALL
        from tracking.runs import Projection
        from tracking.searches import describe_search
        from tracking.views import write_views

        metric, direction, floors = (self.described[key] for key in ("metric", "direction", "floors"))
        facts = {**self.facts, "metric": metric, "direction": direction}
        if not self.new:
            if shared(self.folder, self.uri):
                check_copy(client, facts["name"], facts.get("id", ""), self.folder)
            self.restored += restore(client, facts["name"], facts)
        parent = self._parent(client, facts)
        solved = self.described.get("solved")  # the description of an early version lacks it
        parent = describe_search(client, parent, facts, floors, solved)
        search = facts["name"], parent.info.run_id
        write_views(client, parent.info.experiment_id, metric, direction, search, floors)
        trials = self.folder.path / "trials"
        record = self.facts.get("record", ALL)  # the spec of an earlier version lacks it
        return Projection(client, parent, trials, metric, direction, self.session, floors, solved, record)

    def _parent(self, client: "MlflowClient", facts: dict[str, Any]) -> "Run":
        from tracking.searches import find_or_make_search
        from tracking.store import artifacts, working

        experiment = find.title(facts["task"])
        try:
            with working(self.uri):
                place = artifacts(self.uri, experiment)
                parent = find_or_make_search(client, facts["name"], experiment, place, facts)
        except Unreachable:
            self.asked = True
            raise
        self.asked = True
        return parent

    def log_models(self, record: "Record") -> None:
        """Logs the best models so far and a task's code. If it fails, the next --resume or `recurrent sync` does it."""
        from tracking.code import log_code

        projection = record.projection
        self._log_models(projection)
        log_code(projection.client, projection.parent, self.folder.code, self.facts.get("code", {}))

    def _log_models(self, projection: "Projection") -> None:
        """Logs the models that are kept, the preferred one first. A model that lies in MLflow alone counts, too."""
        from tracking.models import Wanted, log_models, whole_models

        direction, wish = projection.direction, preference(self.facts.get("prefer", NONE))
        on_disk = {trial.number for trial in self.folder.with_models()}
        logged = whole_models(projection.client, projection.parent)
        runs = {int(name): trial.run_id for name, trial in projection.trials.items() if trial.run_id}
        has_model = on_disk | {number for number, run_id in runs.items() if run_id in logged}
        there = [one for one in projection.curve.candidates.values() if one.number in has_model & runs.keys()]
        first = preferred(there, direction, wish, projection.marks.floors)
        found = []
        for one in sorted(kept(there, direction, wish), key=lambda one: one != first):
            trial = self.folder.trial(one.number)
            about = card(self.facts, self.described, trial.journal.events(), runs[one.number])
            found.append(Wanted(runs[one.number], trial.model, about))
        if found:
            log_models(projection.client, projection.parent, found)
