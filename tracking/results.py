"""What a search found, read only from MLflow."""

import math
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run

from tracking.marks import marks_in
from tracking.searches import all_trials, search_name, spec_of
from tracking.tags import ours
from tracking.verdict import verdict

NOT_VALUES = ("architecture",)
RANGES = ("depth", "width", "learning_rate", "dropout")


def results(client: MlflowClient, parent: Run) -> dict[str, Any]:
    """The search as one JSON object. A missing score is None. Statuses are MLflow's words."""
    spec = spec_of(parent)
    marks = marks_in(parent, spec["metric"])
    return {
        "search": search_name(parent),
        "task": spec["task"],
        "metric": spec["metric"],
        "direction": spec["direction"],
        "status": parent.info.status,
        "stopped": ours(parent.data.tags).get("stopped"),
        **marks,
        **_searched(spec),
        "trials": [
            {**_judged(_trial(run, spec["metric"]), spec, marks), "executions": _executions(client, run, spec)}
            for run in all_trials(client, parent)
        ],
    }


def _searched(spec: dict[str, Any]) -> dict[str, Any]:
    """What was searched: the cells that were asked for, and the ranges as they were typed."""
    return {"cells": spec.get("cells", []), "ranges": {name: spec[name] for name in RANGES if name in spec}}


def _judged(trial: dict[str, Any], spec: dict[str, Any], marks: dict[str, Any]) -> dict[str, Any]:
    """The trial with its verdict in words; None for a trial without a score."""
    judged = verdict(trial["score"], spec["direction"], **marks)
    return {**trial, "verdict": None if judged is None else str(judged)}


def _trial(run: Run, metric: str) -> dict[str, Any]:
    metrics, params, tags = run.data.metrics, run.data.params, ours(run.data.tags)
    return {
        "trial": tags["trial"],
        "architecture": params.get("architecture"),
        "values": {key: _number(value) for key, value in params.items() if key not in NOT_VALUES},
        "score": metrics.get(f"best/{metric}"),
        "spread": metrics.get(f"best/{metric}_sd"),
        "test_score": metrics.get(f"test/{metric}"),
        "status": run.info.status,
        "outcome": tags.get("outcome"),
        "reason": tags.get("reason"),
        "continues": tags.get("continues"),
        "parameters": _whole(metrics.get("cost/parameters")),
        "seconds": metrics.get("cost/seconds"),
        **{name: metrics.get(f"cost/{name}") for name in ("flops_per_token", "flops_per_step", "ms_per_step")},
        "horizon": {
            key.removeprefix("horizon/"): value for key, value in metrics.items() if key.startswith("horizon/")
        },
        "epoch": _whole(metrics.get("best/epoch")),
        "execution": _whole(metrics.get("best/execution")),
        "kernel": tags.get("kernel"),
        "run_id": run.info.run_id,
    }


def _executions(client: MlflowClient, run: Run, spec: dict[str, Any]) -> list[float]:
    """The score of each execution that has ended, in order."""
    key = f"executions/{spec['metric']}"
    if key not in run.data.metrics:
        return []
    if spec.get("executions", 1) == 1:  # the run comes with the last score, which is then the only one
        return [run.data.metrics[key]]
    history = client.get_metric_history(run.info.run_id, key)
    return [point.value for point in sorted(history, key=lambda point: point.step)]


def _whole(value: float | None) -> int | None:
    return None if value is None or not math.isfinite(value) else int(value)


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def ranked(found: dict[str, Any]) -> list[dict[str, Any]]:
    """The trials with a score, best first."""
    scored = [trial for trial in found["trials"] if trial["score"] is not None]
    return sorted(scored, key=lambda trial: trial["score"], reverse=found["direction"] == "max")
