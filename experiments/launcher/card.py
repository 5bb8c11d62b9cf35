"""The content of `model.json` for a model of a search: all that is needed to use the model without this project."""

from typing import Any

from experiments.config.folders import TrialFolder
from experiments.tasks.base import Task
from experiments.training.scoring import answers
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
        **answers(task),
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
        **_answers(described),
    }


def _answers(described: dict[str, Any]) -> dict[str, Any]:
    """What the outputs are; an early version did not write it down, and had no labels."""
    if "answer" not in described:
        return {"answer": "numbers" if described["metric"] == "mse" else "classes"}
    return {key: described[key] for key in ("answer", "labels") if key in described}


def final_card(
    facts: dict[str, Any], described: dict[str, Any], trial: TrialFolder, final: dict[str, Any]
) -> dict[str, Any]:
    """The card of a final's model.

    Args:
        trial: the folder of the final.
        final: which of the finals it is, and why; see `tracking.finals.exported_final`.

    The other arguments are those of `card`.
    """
    events = trial.journal.events()
    seed = next(event["final"]["data_seed"] for event in events if event["event"] == "start")
    about = {key: final[key] for key in ("seed", "of", "validation", "reason", "data")}
    made = card(facts, described, events, final["run_id"])
    return {**made, "trial": final["candidate"], "final": {**about, "data_seed": seed}}


def trained_card(
    facts: dict[str, Any], described: dict[str, Any], trial: TrialFolder, kept: dict[str, Any]
) -> dict[str, Any]:
    """The card of the model of a trial that was trained further.

    Args:
        trial: the folder of the training.
        kept: which of its seeds it is, and why; see `tracking.trained.trained_model`.

    The other arguments are those of `card`.
    """
    made = card(facts, described, trial.journal.events(), kept["run_id"])
    about = {key: kept[key] for key in ("epochs", "start", "seed", "of", "validation", "reason")}
    return {**made, "trial": kept["candidate"], "trained": about}


def _input_shape(features: int | None) -> dict[str, Any]:
    if features is None:
        return {"shape": [None, None], "dtype": "int32"}
    return {"shape": [None, None, features], "dtype": "float32"}


def _output_shape(task: Task) -> dict[str, Any]:
    steps = [None, None] if task.per_step else [None]
    return {"shape": [*steps, task.outputs], "dtype": "float32"}
