"""Two searches as MLflow runs, written directly: enough to look at, without training anything."""

import math
from pathlib import Path
from random import Random

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

SEARCHES = ("adding-50", "adding-200")
TRIALS = 12
METRIC = "mse"
ERROR = "ValueError: loss is NaN in epoch 3"


def write_record(folder: Path) -> tuple[MlflowClient, str]:
    """A SQLite store in `folder` with the experiment `adding`; returns a client and the experiment's id."""
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiment_id = client.create_experiment("adding", (folder / "mlartifacts" / "adding").as_uri())
    for seed, search in enumerate(SEARCHES):
        write_search(client, experiment_id, search, Random(seed))
    return client, experiment_id


def write_search(client: MlflowClient, experiment_id: str, search: str, random: Random) -> None:
    tags = {"mlflow.runName": search, "recurrent.kind": "search", "recurrent.search_id": search}
    parent = client.create_run(experiment_id, tags=tags).info.run_id
    best = min(write_trial(client, experiment_id, search, parent, number, random) for number in range(TRIALS))
    time = client.get_run(parent).info.start_time
    client.log_batch(parent, [Metric("floor/mean", 0.1667, time, 0), Metric(f"best/{METRIC}", best, time, TRIALS)])
    for key, value in {"oracle": "tpe", "trials": TRIALS, "epochs": 12, "executions": 1, "seed": 0}.items():
        client.log_param(parent, key, value)
    client.log_param(parent, "cells", "['simple_rnn', 'lstm', 'gru']")
    client.set_terminated(parent)


def write_trial(
    client: MlflowClient, experiment_id: str, search: str, parent: str, number: int, random: Random
) -> float:
    """Trial 5 fails after its third epoch, and trial 8 is pruned then; the others get better, the wider the faster.

    Returns the score.
    """
    cell, depth, width = (
        random.choice(("simple_rnn", "lstm", "gru")),
        random.choice((1, 2, 3)),
        16 * random.randint(1, 8),
    )
    rate, failed, whole = 10 ** random.uniform(-4, -2), number == 5, number not in (5, 8)
    architecture = f"{cell}-{width}" + (f"x{depth}" if depth > 1 else "")
    tags = {"recurrent.kind": "trial", "recurrent.search_id": search, "recurrent.trial": f"{number:04d}"}
    tags["mlflow.parentRunId"] = parent
    run = client.create_run(experiment_id, tags=tags | {"mlflow.runName": f"{number:04d} {architecture}"}).info
    speed = {"simple_rnn": 0.05, "lstm": 0.2, "gru": 0.3}[cell] * math.sqrt(width / 128)
    curve = [0.17 * math.exp(-speed * epoch) + random.uniform(0, 0.01) for epoch in range(12 if whole else 3)]
    values = {
        "cost/parameters": 4 * width * width * depth,
        "hp/depth": depth,
        "hp/width": width,
        "hp/learning_rate": rate,
    }
    values |= {"hp/log10_learning_rate": math.log10(rate), "hp/dropout": 0.0, "cost/seconds": 12.5 + width / 4}
    values |= {f"best/{METRIC}": min(curve), "best/epoch": curve.index(min(curve))} if whole else {}
    values |= {f"reached/{METRIC}": min(curve) if whole else curve[-1], "reached/epochs": len(curve)}
    metrics = [Metric(key, value, run.start_time, 0) for key, value in values.items()]
    for epoch, value in enumerate(curve):
        time = run.start_time + 1000 * epoch
        metrics += [Metric("loss", value * 0.9, time, epoch), Metric(f"val_{METRIC}", value, time, epoch)]
    params = {"architecture": architecture, "cell": cell, "depth": depth, "width": width}
    params |= {"learning_rate": f"{rate:.6f}", "dropout": 0.0}
    ending = {"outcome": "completed" if whole else "pruned"}
    ending = {"outcome": "failed", "reason": "diverged", "error": ERROR} if failed else ending
    named = [Param(key, str(value)) for key, value in params.items()]
    client.log_batch(run.run_id, metrics, named, [RunTag(f"recurrent.{key}", value) for key, value in ending.items()])
    status = {"completed": "FINISHED", "pruned": "KILLED", "failed": "FAILED"}[ending["outcome"]]
    client.set_terminated(run.run_id, status, run.start_time + 13_000)
    return min(curve) if whole else math.inf
