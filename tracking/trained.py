"""Trials of a search that were trained further, read only from MLflow.

The model that is handed over is that of the middle seed on validation. It gets a test score when it is exported.
"""

import json
from statistics import fmean
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run

from tracking.children import trial_runs
from tracking.executions import middle, reason
from tracking.searches import spec_of
from tracking.tags import named, ours

Training = dict[str, Any]
TRAININGS = "trainings"  # the tag of a search that says how many seeds each of its further trainings has


def planned(parent: Run) -> dict[str, int]:
    """How many seeds each further training of a search has, by their names."""
    return dict(json.loads(ours(parent.data.tags).get(TRAININGS, "{}")))


def plan(client: MlflowClient, parent: Run, training: str, seeds: int) -> None:
    """Says in the search's run that there is a training with so many seeds."""
    text = json.dumps({**planned(parent), training: seeds})
    for name, value in named({TRAININGS: text}).items():
        client.set_tag(parent.info.run_id, name, value)


def trained(client: MlflowClient, parent: Run) -> list[Training]:
    """The trials that were or are to be trained further, each with the scores of its seeds; [] if there are none.

    `run` is the run whose model is exported; None before all seeds have ended.
    """
    found = []
    for name, seeds in sorted(planned(parent).items()):
        runs = [same[0] for same in trial_runs(client, parent, "trained", training=name).values()]
        found.append(_training(name, runs, seeds, spec_of(parent)))
    return found


def _training(name: str, runs: list[Run], seeds: int, spec: dict[str, Any]) -> Training:
    metric, (trial, epochs, start) = spec["metric"], name.split("-")
    architectures = [run.data.params["architecture"] for run in runs if "architecture" in run.data.params]
    done = [run for run in runs if run.info.status == "FINISHED" and f"best/{metric}" in run.data.metrics]
    ended = sum(run.info.status in ("FINISHED", "FAILED") for run in runs)
    found: Training = {
        "training": name,
        "trial": trial,
        "architecture": next(iter(architectures), ""),
        "epochs": int(epochs),
        "start": start,
        "complete": ended >= seeds,
        "planned": seeds,
        "seeds": [int(ours(run.data.tags)["seed"]) for run in done],
        "failed": sum(run.info.status == "FAILED" for run in runs),
        "validation": [run.data.metrics[f"best/{metric}"] for run in done],
        "best_epochs": [1 + int(run.data.metrics["best/epoch"]) for run in done],
        "test": [run.data.metrics.get(f"test/{metric}") for run in done],
        "run_ids": [run.info.run_id for run in done],
    }
    kept = trained_model(found, spec["direction"]) if found["complete"] and done else None
    mean = fmean(found["validation"]) if done else None
    return {**found, "mean": mean, "run": kept and kept["run_id"], "score": kept and kept["score"]}


def trained_model(found: Training, direction: str) -> dict[str, Any]:
    """Which seed of a training is handed over: the middle one on validation, by the rule of executions."""
    scores = found["validation"]
    kept = middle(scores, direction)
    return {
        "candidate": found["trial"],
        "epochs": found["epochs"],
        "start": found["start"],
        "seed": found["seeds"][kept],
        "of": len(scores),
        "validation": scores,
        "reason": reason(scores, direction, kept) if len(scores) > 1 else "the only seed",
        "score": scores[kept],
        "run_id": found["run_ids"][kept],
    }
