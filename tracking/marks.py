"""What the scores of a search are compared with, and what that says in MLflow.

floor/NAME         a metric of the search and of its trials: what a model with less memory scores
solved/METRIC      a metric of the search: the score from which on the task counts as solved. Some tasks have none, and
                   so have early searches
recurrent.verdict  a tag of a trial and, for the best score, of the search
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlflow.entities import Metric, Run, RunTag

from tracking.tags import PREFIX
from tracking.verdict import verdict

FLOOR, SOLVED = "floor/", "solved/"


def marks(floors: Mapping[str, float], solved: float | None, metric: str) -> dict[str, float]:
    """The metrics of a search by their names."""
    found = {f"{FLOOR}{name}": value for name, value in floors.items()}
    return found if solved is None else {**found, f"{SOLVED}{metric}": solved}


def marks_in(parent: Run, metric: str) -> dict[str, Any]:
    """The floors by their names, and `solved`, which is None where the run has none."""
    metrics = parent.data.metrics
    floors = {name.removeprefix(FLOOR): value for name, value in metrics.items() if name.startswith(FLOOR)}
    return {"floors": floors, "solved": metrics.get(f"{SOLVED}{metric}")}


@dataclass(frozen=True)
class Marks:
    """What trials are compared with; the arguments are those of `verdict`."""

    direction: str
    floors: Mapping[str, float]
    solved: float | None

    def points(self, time: int, step: int) -> list[Metric]:
        """The floors at one epoch. From two epochs on, MLflow's charts draw them as lines."""
        return [Metric(f"{FLOOR}{name}", value, time, step) for name, value in self.floors.items()]

    def verdict(self, score: float | None) -> str | None:
        """What a score is worth in words; None without a score."""
        judged = verdict(score, self.direction, self.floors, self.solved)
        return None if judged is None else str(judged)

    def tags(self, score: float | None) -> list[RunTag]:
        """The tag that says what a score is worth; none without a score."""
        judged = self.verdict(score)
        return [] if judged is None else [RunTag(f"{PREFIX}verdict", judged)]
