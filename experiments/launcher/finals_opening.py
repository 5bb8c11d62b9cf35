"""Opens the record of the finals of a search in MLflow, and logs the model that is exported."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from experiments.config.finals import Plan
from experiments.config.folders import SearchFolder, TrialFolder
from experiments.launcher.card import final_card
from experiments.launcher.opening import Opening
from experiments.launcher.stores import check_store
from tracking.errors import SearchStateError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

    from tracking.record import Record
    from tracking.runs import Projection


class FinalsOpening(Opening):
    """Opens the record of the finals of one search, which the store must have.

    Args:
        folder: of the search.
        plan: what the finals are.

    The other arguments are those of `Opening`.
    """

    def __init__(
        self,
        uri: str,
        folder: SearchFolder,
        facts: dict[str, Any],
        described: dict[str, Any],
        session: str,
        plan: Plan,
        warn: Callable[[str], None],
    ) -> None:
        super().__init__(uri, folder, facts, described, session, False, warn)
        self.plan = plan

    def _open(self, client: "MlflowClient") -> "Projection":
        return self._project(client, self._search(client))

    def _search(self, client: "MlflowClient") -> "Run":
        """The run of the search. Raises SearchStateError if the store lacks it."""
        from tracking.deleted import restore
        from tracking.searches import find_search, is_of

        name = self.facts["name"]
        self.restored += restore(client, name, self.facts)
        parent = find_search(client, name)
        if parent is None or is_of(parent, self.facts) is False:
            hint = f"`recurrent sync {name}` sends it"
            check_store(self.folder, self.uri, hint)
            raise SearchStateError(f"NAME: expected a search in {self.uri}, got {name!r}, which is not there; {hint}")
        return parent

    def _project(self, client: "MlflowClient", parent: "Run") -> "Projection":
        """The runs of the trainings in MLflow, after the search's run is told of them."""
        from tracking.final_runs import FinalsProjection
        from tracking.tags import PREFIX

        plan: dict[str, Any] = {"planned": self.plan.regular, "top": self.plan.top, "seeds": self.plan.seeds}
        plan |= {"epochs": self.plan.epochs, "lengths": self.plan.lengths}
        client.set_tag(parent.info.run_id, f"{PREFIX}finals_plan", json.dumps(plan))
        return FinalsProjection(client, parent, self.folder.finals.path / "trials", *self._marks())

    def _marks(self) -> tuple[Any, ...]:
        """The last arguments of a projection."""
        metric, direction, floors = (self.described[key] for key in ("metric", "direction", "floors"))
        return metric, direction, self.session, floors, self.described.get("solved")

    def log_best(self, record: "Record") -> None:
        """Logs the model of the winner's middle seed when all finals have ended."""
        from tracking.finals import exported_final, finals
        from tracking.models import Wanted, log_final

        projection = record.projection
        client, parent = projection.client, projection.client.get_run(projection.parent.info.run_id)
        found = finals(client, parent, {})
        if found is None or not found["complete"]:
            return
        final = exported_final(found, self.described["direction"])
        trial = folder_of(projection, final["run_id"], self.folder.finals)
        if trial.model.exists():
            about = final_card(self.facts, self.described, trial, final)
            log_final(client, parent, Wanted(final["run_id"], trial.model, about))


def folder_of(projection: "Projection", run_id: str, place: SearchFolder) -> TrialFolder:
    """The folder of the training whose run this is."""
    number = next(int(name) for name, sent in projection.trials.items() if sent.run_id == run_id)
    return place.trial(number)
