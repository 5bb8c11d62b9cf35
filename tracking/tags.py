"""The tags of this project in MLflow. Their names begin with `recurrent.`, since other programs write tags, too.

Earlier versions wrote the same names without the prefix. Their tags stay, and get the new ones beside them when the
search goes on.
"""

import json
from collections.abc import Mapping
from typing import Any

from tracking.errors import BadInput

PREFIX = "recurrent."
NOTE = "mlflow.note.content"  # MLflow's tag that holds a description
VALUE = "value."  # `recurrent.value.width`: what a trial is made of, in few digits, for MLflow's tables
PREFIXES = (PREFIX, "")  # now, and in earlier versions
PART = "spec."  # `recurrent.spec.0`, `recurrent.spec.1`, … are the parts of a spec
# MLflow cuts a tag at 8,000 characters and does not say so. Earlier versions of MLflow cut it at 5,000.
PART_CHARACTERS = 5_000
MOST_PARTS = 50  # one request takes 100 tags, and the other tags of a search go with the parts of its spec
ADDED_CHARACTERS = 2_000  # versions, commit and what else is added to the options later
# The tags of a trial that earlier versions wrote, and `stopped` of a search.
OLD = (
    *("kind", "search_id", "spec_id", "trial", "outcome", "reason", "error", "attempts", "stopped"),
    *("kernel", "kernel_reason", "steps_per_execution"),
)
# The limits of a search, by their names in its spec. They may change on --resume, so each of them is a tag, too.
LIMITS = ("time_limit", "target", "trial_time_limit", "memory_limit", "finals_time_limit")
MOST_OF_TASK = 60_000  # characters of the options of a task; they are the source of a dataset in MLflow, too
SPEC = {"name": str, "task": str, "options": dict, "seed": int, "digest": str, "metric": str, "direction": str}


def named(values: Mapping[str, str]) -> dict[str, str]:
    """The tags with these names and values."""
    return {PREFIX + name: value for name, value in values.items()}


def ours(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags of a run or a model of ours, without the prefix, and MLflow's. Earlier versions wrote no prefix."""
    if not is_new(tags):
        return dict(tags)
    return {name.removeprefix(PREFIX): value for name, value in tags.items() if name.startswith((PREFIX, "mlflow."))}


def is_new(tags: Mapping[str, str]) -> bool:
    """True if the tags of a run or a model of ours have the prefix."""
    return PREFIX + "search_id" in tags


def renewed(tags: Mapping[str, str], **changed: str) -> dict[str, str]:
    """The tags of a run of ours with some changed. Tags of an earlier version get the names of today."""
    found = {name: value for name, value in ours(tags).items() if is_new(tags) or name in OLD}
    return named({name: value for name, value in found.items() if not name.startswith("mlflow.")} | changed)


def filters(**values: str) -> list[str]:
    """Two filters of MLflow for tags of ours: the tags of now, and those of earlier versions."""
    return [" and ".join(f"tags.`{prefix}{name}` = '{value}'" for name, value in values.items()) for prefix in PREFIXES]


def of_spec(spec: Mapping[str, Any], present: Mapping[str, str]) -> dict[str, str]:
    """The tags that hold a spec, without the prefix. Parts of a longer one that are `present` become empty."""
    text = json.dumps(spec)
    parts = [text[start : start + PART_CHARACTERS] for start in range(0, len(text), PART_CHARACTERS)]
    written = {f"{PART}{number}": part for number, part in enumerate(parts)}
    return {name: "" for name in ours(present) if name.startswith(PART)} | written


def spec_in(tags: Mapping[str, str]) -> dict[str, Any] | None:
    """The spec that the tags of a run hold; None if they hold none, or if somebody has cut or changed it."""
    found = ours(tags)
    parts = [found[f"{PART}{number}"] for number in range(len(found)) if f"{PART}{number}" in found]
    try:
        spec = json.loads("".join(parts) or found.get("spec", ""))
    except ValueError:
        return None
    whole = isinstance(spec, dict) and all(isinstance(spec.get(name), kind) for name, kind in SPEC.items())
    return spec if whole else None


def check_spec(spec: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    """Raises BadInput if the tags of a run cannot hold the spec.

    Args:
        options: the values that make it long, by their names on the command line.
    """
    sizes = {name: len(json.dumps(value)) for name, value in options.items()}
    longest = max(sizes, key=lambda name: sizes[name])
    for part, most in ((spec["options"], MOST_OF_TASK), (spec, PART_CHARACTERS * MOST_PARTS - ADDED_CHARACTERS)):
        if len(json.dumps(part)) > most:
            got = f"got {sizes[longest]:,} in it"
            raise BadInput(f"{longest}: expected at most {most:,} characters in all options, {got}")
