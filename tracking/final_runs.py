"""The finals of a search in MLflow: runs of the kind `final` below the run of the search."""

from mlflow.entities import Metric

from tracking.journal import Event
from tracking.runs import Projection
from tracking.tags import PREFIX


class FinalsProjection(Projection):
    """Brings MLflow to what the journals of the finals say, as `Projection` does for trials.

    The search's run keeps its status and its best score, which are those of the search. It gets the number of finals
    that have ended, and why they have stopped.
    """

    kind = "final"

    def _title(self, trial: str, start: Event) -> str:
        about = start["final"]
        data = f", {about['data']}" if "data" in about else ""
        return f"final of {about['candidate']}, seed {about['seed']}{data}: {start['parameters']['architecture']}"

    def _send_summary(self, latest: int, over: bool) -> None:
        done = Metric("finals/done", self.done, self.last_end, self.done)
        self.client.log_batch(self.parent.info.run_id, [done])
        self.curve.settle(latest)
        self.curve.points, self.done_is_logged = [], True

    def say_stopped(self, why: str) -> None:
        self.client.set_tag(self.parent.info.run_id, f"{PREFIX}finals_stopped", why)

    def end(self, status: str) -> None:
        """Does nothing: the search has ended before its finals."""
