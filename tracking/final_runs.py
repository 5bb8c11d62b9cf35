"""What is trained again in MLflow: runs of the kinds `final` and `trained` below the run of the search."""

from collections.abc import Mapping
from typing import Any

from mlflow.entities import Metric

from tracking.journal import Event
from tracking.runs import Projection
from tracking.tags import PREFIX


class FinalsProjection(Projection):
    """Brings MLflow to what the journals of the finals say, as `Projection` does for trials.

    The search's run keeps its status and its best score, which are those of the search. It gets the number of finals
    that have ended, and why they have stopped.
    """

    which: Mapping[str, str] = {"kind": "final"}

    def _title(self, trial: str, start: Event) -> str:
        about = start["final"]
        data = f", {about['data']}" if "data" in about else ""
        return f"final of {about['candidate']}, seed {about['seed']}{data}: {_architecture(start)}"

    def _send_summary(self, latest: int, over: bool) -> None:
        done = Metric("finals/done", self.done, self.last_end, self.done)
        self.client.log_batch(self.parent.info.run_id, [done])
        self.curve.settle(latest)
        self.curve.points, self.done_is_logged = [], True

    def say_stopped(self, why: str) -> None:
        self.client.set_tag(self.parent.info.run_id, f"{PREFIX}finals_stopped", why)

    def end(self, status: str) -> None:
        """Does nothing: the search has ended before its finals."""


class TrainedProjection(FinalsProjection):
    """Does the same for one trial of the search that is trained further.

    Args:
        training: its name, for example "0003-20-weights". The seeds of each training are numbered by themselves.

    The other arguments are those of `Projection`.
    """

    def __init__(self, training: str, *arguments: Any) -> None:
        self.which = {"kind": "trained", "training": training}
        super().__init__(*arguments)

    def _title(self, trial: str, start: Event) -> str:
        about = start["final"]
        how = "more epochs" if about["start"] == "weights" else "epochs anew"
        return f"{about['candidate']} trained for {about['epochs']} {how}, seed {about['seed']}: {_architecture(start)}"

    def _send_summary(self, latest: int, over: bool) -> None:
        self.curve.settle(latest)
        self.curve.points, self.done_is_logged = [], True

    def say_stopped(self, why: str) -> None:
        """Does nothing: the runs say which of them have ended."""


def _architecture(start: Event) -> str:
    return str(start["parameters"]["architecture"])
