"""The content of `model.json` for a model of a search: all that is needed to use the model without this project."""

from typing import Any

from experiments.tasks.base import Task
from tracking.journal import Event


def describe(task: Task) -> dict[str, Any]:
    """What the record and a card say of a task and its data.

    The spec does not say it. It is written down when the search begins, because the data may change later.
    """
    return {
        "metric": task.metric,
        "direction": task.direction,
        "floors": task.floors("val"),
        "solved": task.solved,
        "shapes": {"input": _input_shape(task.features), "output": _output_shape(task)},
        "preprocessing": task.preprocessing(),
    }


def card(facts: dict[str, Any], described: dict[str, Any], events: list[Event], run_id: str) -> dict[str, Any]:
    """The card of a completed trial.

    Args:
        facts: as `Spec.facts` returns them.
        described: as `describe` returns it for the task.
        events: of the trial's journal.
        run_id: of the trial's run in MLflow.
    """
    start, end = events[0], events[-1]
    built = next(event for event in events if event["event"] == "built")
    return {
        "search": facts["name"],
        "trial": start["trial"],
        "run_id": run_id,
        "architecture": start["parameters"]["architecture"],
        "values": start["values"],
        "parameters": built["parameters"],
        **{key: facts[key] for key in ("task", "options", "seed", "digest", "versions", "commit")},
        **{key: described[key] for key in ("metric", "direction", "floors")},
        "solved": described.get("solved"),  # an early version did not write it down
        **{key: end[key] for key in ("score", "spread", "model_score", "execution", "epoch")},
        **{key: described[key] for key in ("shapes", "preprocessing")},
    }


def _input_shape(features: int | None) -> dict[str, Any]:
    if features is None:
        return {"shape": [None, None], "dtype": "int32"}
    return {"shape": [None, None, features], "dtype": "float32"}


def _output_shape(task: Task) -> dict[str, Any]:
    steps = [None, None] if task.per_step else [None]
    return {"shape": [*steps, task.outputs], "dtype": "float32"}
