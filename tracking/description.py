"""What MLflow's pages of a search and of its models show above everything else.

That is the answer of the search and the best candidate of each cell; and what a model is.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run, RunTag

from tracking.answer import answer
from tracking.caveats import best_by_cell
from tracking.tags import NOTE, PREFIX
from tracking.text import format_count, format_number, format_spread, metric_name
from tracking.verdict import verdict

OURS = f"{PREFIX}described"  # the digest of what was written here last; a note with another one is the user's
COLUMNS = ("cell", "best", "score", "verdict", "learning rate", "parameters", "trial")


def describe(client: MlflowClient, parent: Run, found: Mapping[str, Any]) -> bool:
    """Writes the description of a search into its run. A text that the user has written stays.

    Args:
        found: what `results` returns.

    Returns whether the run has the description now.
    """
    tags, text = parent.data.tags, description(dict(found))
    present = tags.get(NOTE)
    if present and digest(present) != tags.get(OURS):
        return False
    client.log_batch(parent.info.run_id, tags=[RunTag(NOTE, text), RunTag(OURS, digest(text))])
    return True


def digest(text: str) -> str:
    """Tells whether somebody has changed a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def description(found: dict[str, Any]) -> str:
    """The text, in Markdown. It does not have the search's name, which may change."""
    return "\n\n".join([*answer(found), *_table(found)])


def model_description(card: Mapping[str, Any]) -> str:
    """What a model is, in Markdown.

    Args:
        card: the content of its `model.json`.
    """
    of = f"the finals of trial {card['trial']}" if "final" in card else f"trial {card['trial']}"
    of += ", trained further" if "trained" in card else ""
    judged = verdict(card["model_score"], card["direction"], card["floors"], card.get("solved"))
    worth = "" if judged is None else f": {judged}"
    score = f"{metric_name(card['metric'])} {format_number(card['model_score'])}"
    size, shape = format_count(card["parameters"]), card["shapes"]["input"]
    axes = ", ".join(["batch", "time", *map(str, shape["shape"][2:])])
    return (
        f"**{card['architecture']}** of {of}, task {Path(card['task']).name}. It has {score} on validation{worth}."
        f" {size} parameters. Its input is {shape['dtype']} ({axes}); `model.json` says how that is made."
    )


def _table(found: dict[str, Any]) -> list[str]:
    rows = [_row(cell, trial) for cell, trial in best_by_cell(found).items()]
    if not rows:
        return []
    headings = [metric_name(found["metric"]) if name == "score" else name for name in COLUMNS]
    lines = [headings, ["---"] * len(COLUMNS), *rows]
    return ["\n".join(f"| {' | '.join(line)} |" for line in lines)]


def _row(cell: str, trial: dict[str, Any]) -> list[str]:
    spread = "" if trial["spread"] is None else f" ± {format_spread(trial['spread'])}"
    rate = format_number(trial["values"].get("learning_rate"))
    score = f"{format_number(trial['score'])}{spread}"
    size = format_count(trial["parameters"])
    return [cell, trial["architecture"], score, trial.get("verdict") or "-", rate, size, trial["trial"]]
