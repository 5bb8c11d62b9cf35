"""The table of `regret`: the learning curves of every point of a space, from one of our searches."""

import gzip
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from experiments.config.folders import SearchFolder, TrialFolder
from experiments.tasks.loading import find
from tracking.journal import Event

TABLE = Path(__file__).with_name("regret_table.json.gz")


class Table:
    """Learning curves of shape (points, executions, epochs) and the points they belong to. A lower score is better.

    Attributes:
        facts: of the search that made the table.
        values: each hyperparameter's values.
        regrets: by how much each point is worse than the best point. A point's score is the mean over its executions,
            each with its best epoch.
    """

    def __init__(self, path: Path) -> None:
        content = json.loads(gzip.decompress(path.read_bytes()))
        self.facts, self.points = content["facts"], content["points"]
        self.curves = np.array(content["curves"]) * (1 if content["direction"] == "min" else -1)
        self.epochs = self.curves.shape[2]
        self.values = {name: list(dict.fromkeys(point[name] for point in self.points)) for name in self.points[0]}
        self.places = {self.key(point): place for place, point in enumerate(self.points)}
        scores = self.curves.min(axis=2).mean(axis=1)
        self.regrets = scores - scores.min()

    def key(self, values: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(values[name] for name in self.values)

    def declare(self, hp: Any) -> None:
        for name, values in self.values.items():
            hp.Choice(name, values)

    def describe(self) -> str:
        facts = (f"{name} {self.facts[name]}" for name in ("task", "options", "epochs", "executions", "commit"))
        return f"{len(self.points)} points, {', '.join(facts)}"


def build(folder: Path, path: Path) -> None:
    """Writes the table of a finished search. Raises ValueError if one of its trials is not completed."""
    search = SearchFolder(folder)
    facts = json.loads(search.spec.read_text("utf-8"))
    task = find.make(facts["task"], facts["options"])
    curves, points = [], []
    for trial in search.trials():
        events = completed(trial, folder)
        lines, metric = [one for one in events if one["event"] == "epoch"], f"val_{task.metric}"
        found = {(one["execution"], one["epoch"]): one["metrics"][metric] for one in lines}
        executions, epochs = range(facts["executions"]), range(facts["epochs"])
        curves.append([[found[execution, epoch] for epoch in epochs] for execution in executions])
        points.append(next(event["values"] for event in events if event["event"] == "start"))
    names = [name for name in points[0] if len({str(point.get(name)) for point in points}) > 1]
    content = {
        "facts": {name: value for name, value in facts.items() if name not in ("id", "name")},
        "direction": task.direction,
        "points": [{name: point[name] for name in names} for point in points],
        "curves": [[[float(f"{value:.5g}") for value in curve] for curve in point] for point in curves],
    }
    path.write_bytes(gzip.compress(json.dumps(content).encode(), mtime=0))
    print(f"{path}: {len(points)} points, {os.path.getsize(path) / 1000:.0f} kB")


def completed(trial: TrialFolder, search: Path) -> list[Event]:
    """The events of a completed trial. Raises ValueError for any other trial."""
    events = trial.journal.events()
    if not events or events[-1].get("outcome") != "completed":
        raise ValueError(f"{search}: expected a search of completed trials, got {trial.path.name}, which is not")
    return events
