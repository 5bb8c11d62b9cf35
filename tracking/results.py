"""What a search found, read only from MLflow."""

import math
import re
from collections.abc import Callable
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run

from tracking.children import each_trial
from tracking.finals import finals
from tracking.marks import marks_in
from tracking.ranking import NONE
from tracking.recording import ALL
from tracking.searches import search_name, spec_of
from tracking.standing import conclusions, ranked
from tracking.tags import ours
from tracking.trained import trained
from tracking.verdict import verdict

__all__ = ["ranked", "results"]
NOT_VALUES = ("architecture",)
RANGES = ("depth", "width", "learning_rate", "dropout")


def results(
    client: MlflowClient,
    parent: Run,
    prefer: str | None = None,
    also: Callable[[dict[str, Any], Run], None] = lambda trial, run: None,
) -> dict[str, Any]:
    """The search as one JSON object. A missing score is None. Statuses are MLflow's words.

    Args:
        prefer: as `--prefer` is typed; None for that of the search. Raises BadInput for what it cannot be.
        also: is called with each trial and its run, to read more from the run. The runs are not kept.
    """
    spec = spec_of(parent)
    marks = marks_in(parent, spec["metric"])
    trials = _trials(client, parent, spec, also)
    for trial in trials:
        trial["verdict"] = _verdict(trial, spec, marks)
        if trial["executions"] and spec.get("executions", 1) > 1:
            trial["executions"] = _executions(client, trial["run_id"], spec["metric"])
    scores = {trial["trial"]: trial["score"] for trial in trials if trial["score"] is not None}
    found = {
        "search": search_name(parent),
        "task": spec["task"],
        "metric": spec["metric"],
        "direction": spec["direction"],
        "status": parent.info.status,
        "stopped": ours(parent.data.tags).get("stopped"),
        **marks,
        "ranges": {name: spec[name] for name in RANGES if name in spec},
        "prefer": spec.get("prefer", NONE) if prefer is None else prefer,
        "finals": finals(client, parent, scores),
        "trained": trained(client, parent),
        "trials": trials,
    }
    # Of a mixed search each combination of cells that was tried counts as one.
    return {**found, **conclusions(found, [] if spec.get("mixed") else spec.get("cells", []))}


def _trials(
    client: MlflowClient, parent: Run, spec: dict[str, Any], also: Callable[[dict[str, Any], Run], None]
) -> list[dict[str, Any]]:
    """The trials in the order of their numbers, one for each number: of second runs that with the most metrics."""
    found: dict[str, tuple[tuple[int, int], dict[str, Any]]] = {}
    for name, run in each_trial(client, parent):
        place = -len(run.data.metrics), run.info.start_time
        if name not in found or place < found[name][0]:
            found[name] = place, _trial(run, spec["metric"])
            also(found[name][1], run)
    return [found[name][1] for name in sorted(found, key=int)]


def _verdict(trial: dict[str, Any], spec: dict[str, Any], marks: dict[str, Any]) -> str | None:
    """What the score of a trial is worth, in words; None for a trial without a score."""
    judged = verdict(trial["score"], spec["direction"], **marks)
    return None if judged is None else str(judged)


def _trial(run: Run, metric: str) -> dict[str, Any]:
    metrics, params, tags = run.data.metrics, run.data.params, ours(run.data.tags)
    return {
        "trial": tags["trial"],
        "architecture": params.get("architecture"),
        "values": {key: _number(value) for key, value in params.items() if key not in NOT_VALUES},
        "score": metrics.get(f"best/{metric}"),
        "spread": metrics.get(f"best/{metric}_sd"),
        "reached": _reached(metrics, metric),
        "epochs": _whole(metrics.get("reached/epochs")),
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
        "verdict": None,
        "recorded": tags.get("curves", ALL),
        # The run comes with the score of the last execution, which mostly is the only one.
        "executions": [metrics[key] for key in (f"executions/{metric}",) if key in metrics],
    }


def _reached(metrics: dict[str, float], metric: str) -> float | None:
    """The score of a trial; without one the last score that it has reported, which is the last point of its curve."""
    if f"best/{metric}" in metrics:
        return metrics[f"best/{metric}"]
    later = [key for key in metrics if re.fullmatch(rf"exec\d+/val_{re.escape(metric)}", key)]
    return metrics.get(max(later, key=lambda key: int(key[4 : key.index("/")]), default=f"val_{metric}"))


def _executions(client: MlflowClient, run_id: str, metric: str) -> list[float]:
    """The score of each execution that has ended, in order."""
    history = client.get_metric_history(run_id, f"executions/{metric}")
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
