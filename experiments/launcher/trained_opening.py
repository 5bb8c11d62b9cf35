"""Opens the record of a trial that is trained further, and logs the model of its middle seed."""

from typing import TYPE_CHECKING

from experiments.config.finals import training_name
from experiments.launcher.card import trained_card
from experiments.launcher.finals_opening import FinalsOpening, folder_of

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

    from tracking.record import Record
    from tracking.runs import Projection


class TrainedOpening(FinalsOpening):
    """Opens the record of one training of a trial of a search, which the store must have."""

    @property
    def training(self) -> str:
        """Its name, for example "0003-20-weights"."""
        (candidate,) = self.plan.values
        return training_name(candidate, self.plan.epochs, self.plan.start)

    def _project(self, client: "MlflowClient", parent: "Run") -> "Projection":
        from tracking.final_runs import TrainedProjection
        from tracking.trained import plan

        plan(client, parent, self.training, self.plan.seeds)
        trials = self.folder.trained(self.training).path / "trials"
        return TrainedProjection(self.training, client, parent, trials, *self._marks())

    def log_best(self, record: "Record") -> None:
        """Logs the model of the middle seed when all seeds have ended."""
        from tracking.models import Wanted, log_trained
        from tracking.trained import trained, trained_model

        projection = record.projection
        client, parent = projection.client, projection.client.get_run(projection.parent.info.run_id)
        found = next((one for one in trained(client, parent) if one["training"] == self.training), None)
        if found is None or found["run"] is None:
            return
        kept = trained_model(found, self.described["direction"])
        trial = folder_of(projection, kept["run_id"], self.folder.trained(self.training))
        if trial.model.exists():
            about = trained_card(self.facts, self.described, trial, kept)
            log_trained(client, parent, Wanted(kept["run_id"], trial.model, about), self.training)
