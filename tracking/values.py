"""What MLflow is told of a trial's journal lines: metrics, parameters and tags."""

import math
import re
from collections.abc import Iterable
from typing import Any

import numpy as np
from mlflow.entities import Metric, Param, RunTag

from tracking.journal import Event
from tracking.storable import storable
from tracking.tags import VALUE, named

COSTS = ("parameters", "flops_per_token", "flops_per_step")
STARTED = ("session", "worker", "host")  # who has started a trial; only nodes of a cluster are named
HOW = ("kernel", "kernel_reason", "steps_per_execution")  # how a trial is computed
MOMENTS = {"trained": "", "init": "init_"}  # of a horizon, with the prefix of its metrics
NOT_IN_A_NAME = re.compile(r"[^\w .:-]", re.ASCII)  # characters that MLflow does not take in the name of a metric
LONGEST = 200  # characters of what a task calls a metric; MLflow takes 250 in all
DIGITS = 5  # significant ones of a value in a table
CURVE = "log10_gain"  # over the lags, which are the metric's steps


def batch(events: Iterable[Event], start: int, metric: str) -> tuple[list[Metric], list[Param], list[RunTag]]:
    """What MLflow is told of some events of one trial that began at `start`."""
    metrics: dict[tuple[str, int], Metric] = {}
    params: dict[str, str] = {}
    tags: dict[str, str] = {}

    def add(values: Iterable[tuple[str, float]], time: int, step: int = 0) -> None:
        metrics.update({(name, step): Metric(name, value, time, step) for name, value in values if value is not None})

    for event in events:
        kind, time = event["event"], event["time"]
        if kind == "start":
            params.update({name: plain(value) for name, value in event["parameters"].items()})
            add(_sortable(event["parameters"]), start)
            tags.update(shown(event["parameters"]))
            tags["attempts"] = str(event["attempt"])
            tags.update({name: str(event[name]) for name in STARTED if name in event})
            if "continues" in event:
                tags["continues"] = f"{event['continues']:04d}"
            tags.update({name: str(value) for name, value in event.get("final", {}).items()})
        elif kind == "built":
            add([(f"cost/{name}", event[name]) for name in COSTS if name in event], start)
            tags.update({name: str(event[name]) for name in HOW if name in event})
        elif kind == "epoch":
            prefix = f"exec{event['execution']}/" if event["execution"] else ""
            add([(prefix + name, value) for name, value in event["metrics"].items()], time, event["epoch"])
        elif kind == "execution":
            add([(f"executions/{metric}", event["score"])], time, event["execution"])
            add(_tested(event, metric), time)
        elif kind == "end":
            tags.update({key: storable(str(event[key])) for key in ("reason", "error") if key in event})
            add(_results(event, metric), time)
            if event.get("horizon"):
                add([("horizon/task_lag", event["horizon"]["lag"])], time)
            for moment, seen in horizons(event):
                add([(f"horizon/{moment}{name}", value) for name, value in seen["summary"].items()], time)
                for lag, gain in zip(seen["curve"]["lags"], seen["curve"]["log10_gain"], strict=True):
                    add([(f"horizon/{moment}{CURVE}", gain)], time, lag)
    texts = [Param(name, value) for name, value in params.items()]
    return list(metrics.values()), texts, [RunTag(*tag) for tag in named(tags).items()]


def _results(end: Event, metric: str) -> list[tuple[str, float]]:
    names = {"score": f"best/{metric}", "spread": f"best/{metric}_sd", "epoch": "best/epoch"}
    names |= {"model_score": "best/model_score", "execution": "best/execution"}
    found = [(name, end[key]) for key, name in names.items() if end.get(key) is not None]
    found += [
        (f"cost/{key}", value) for key in ("seconds", "ms_per_step") if (value := rounded(end.get(key))) is not None
    ]
    shares = (end.get("samples") or {}).items()
    return found + [(f"samples/{NOT_IN_A_NAME.sub('_', name)[:LONGEST]}", share) for name, share in shares]


def _tested(execution: Event, metric: str) -> list[tuple[str, float]]:
    """The scores of a final on the test split, at the task's length and at longer ones."""
    longer = [(longer_metric(factor, metric), score) for factor, score in execution.get("longer", {}).items()]
    return [(f"test/{metric}", execution["test"]), *longer] if "test" in execution else []


def longer_metric(factor: str, metric: str) -> str:
    """What MLflow calls the test score at `factor` times the task's length."""
    return f"test_x{factor}/{metric}"


def horizons(end: Event) -> list[tuple[str, dict[str, Any]]]:
    """(prefix of the metrics' names, summary and curve) of the trained model, and of the model before training."""
    seen = end.get("horizon") or {}
    return [(prefix, seen[moment]) for moment, prefix in MOMENTS.items() if moment in seen]


def _sortable(parameters: dict[str, Any]) -> list[tuple[str, float]]:
    """The parameters that are numbers, as metrics, since MLflow sorts parameters as text."""
    numbers = {name: value for name, value in parameters.items() if isinstance(value, int | float)}
    found = [(f"hp/{name}", float(value)) for name, value in numbers.items()]
    if numbers.get("learning_rate"):
        found.append(("hp/log10_learning_rate", math.log10(numbers["learning_rate"])))
    return found


def shown(parameters: dict[str, Any]) -> dict[str, str]:
    """The values of a trial as tags, for MLflow's tables, which show all digits of a parameter or a metric."""
    return {f"{VALUE}{name}": storable(short(value)) for name, value in parameters.items() if name != "architecture"}


def short(value: Any) -> str:
    """A value with few digits, as a plain decimal."""
    return plain(rounded(value)) if isinstance(value, float) else str(value)


def rounded(value: float | None) -> float | None:
    """The number with few digits, for MLflow's tables, which show all that it has."""
    return None if value is None else float(f"{value:.{DIGITS}g}")


def plain(value: Any) -> str:
    """Numbers as plain decimals: MLflow's charts read "1e-05" as a word."""
    return np.format_float_positional(value, trim="-") if isinstance(value, float) else str(value)
