"""From parsed arguments to a search's spec; with --resume what is not given is as it was."""

import argparse
import dataclasses
import re
from pathlib import Path
from typing import Any

from experiments import arguments
from experiments.config import estimate, recipes
from experiments.config.folders import SEARCHES, SearchFolder
from experiments.config.ranges import WIDTH_STEP, real, whole
from experiments.config.spec import PRUNERS, SCHEDULES, STRATEGIES, Spec
from experiments.config.units import parse_duration, parse_number, parse_size
from experiments.data import corpora
from experiments.system.resources import automatic_workers
from experiments.tasks import base
from experiments.tasks.loading import find
from search_spaces import cells


def settle(parsed: argparse.Namespace) -> Spec:
    """The spec of a `search` command, every value checked. Raises ValueError."""
    parsed.task = find.path_of(parsed.task)
    find.task_class(parsed.task)
    if parsed.resume and not parsed.name:
        raise ValueError("--resume: expected --name NAME with it, got none")
    folder = SearchFolder(SEARCHES / (parsed.name or _free_name(parsed.task)))
    before = Spec.read(folder) if parsed.resume and folder.spec.exists() else None
    if before and before.task != parsed.task:
        raise ValueError(f"--resume: expected TASK as when the search began, {before.task}, got {parsed.task}")
    given = {field.name: getattr(parsed, field.name, None) for field in dataclasses.fields(Spec)}
    options = {**(before.options if before else {}), **arguments.options(parsed.options)}
    made = find.make(parsed.task, options)
    given["options"] = {key: _anywhere(key, str(value)) for key, value in dataclasses.asdict(made).items()}
    given["cells"] = None if parsed.cells is None else parsed.cells.split(",")
    named: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    exact = {"pruner": "none"} if parsed.oracle == "grid" else {}
    opened = recipes.opened(made, given["cells"] or cells.names()) if parsed.recipe else {}
    defaults = before.to_json() if before else {"cells": cells.names(), **exact, **opened}
    spec = Spec(**{**defaults, "task": parsed.task, **named, "name": folder.path.name})
    _check(spec, made)
    if spec.oracle == "grid" and not before and "trials" not in named:
        spec = dataclasses.replace(spec, trials=min(estimate.space_size(spec) or spec.trials, arguments.MOST - 1))
    return spec


def _anywhere(key: str, value: str) -> str:
    """A corpus's file as its whole path: the export may be run in another folder."""
    return str(Path(value).expanduser().absolute()) if key == "corpus" and value not in corpora.names() else value


def _free_name(task: str) -> str:
    """adding-1, adding-2, …"""
    number, task = 1, re.sub(r"[^A-Za-z0-9._-]", "-", find.title(task)).lstrip("._-") or "search"
    while Path(SEARCHES / f"{task}-{number}").exists():
        number += 1
    return f"{task}-{number}"


def _check(spec: Spec, task: base.Task) -> None:
    for cell in spec.cells:
        if cell not in cells.names():
            raise ValueError(f"--cells: expected some of {', '.join(cells.names())}, got {cell!r}")
    if len(set(spec.cells)) < len(spec.cells):
        raise ValueError(f"--cells: expected each cell once, got {','.join(spec.cells)!r}")
    if spec.oracle not in STRATEGIES:
        raise ValueError(f"--oracle: expected one of {', '.join(STRATEGIES)}, got {spec.oracle!r}")
    if spec.schedule not in SCHEDULES:
        raise ValueError(f"--schedule: expected one of {', '.join(SCHEDULES)}, got {spec.schedule!r}")
    if spec.pruner not in PRUNERS:
        raise ValueError(f"--pruner: expected one of {', '.join(PRUNERS)}, got {spec.pruner!r}")
    parse_duration("--time-limit", spec.time_limit)
    parse_duration("--trial-time-limit", spec.trial_time_limit)
    parse_number("--target", spec.target)
    if spec.memory_limit != "auto":
        parse_size("--memory-limit", spec.memory_limit)
    whole("--depth", spec.depth)
    whole("--width", spec.width, WIDTH_STEP)
    rates = real("--learning-rate", spec.learning_rate, 0, above=True)
    dropouts = real("--dropout", spec.dropout, 0, 1)
    recipe = recipes.recipe(spec, task)
    for flag, values, example in (
        ("--learning-rate", rates, "0.001,0.01"),
        ("--dropout", dropouts, "0,0.5"),
        ("--bias", recipe.biases, "0,1,5"),
        ("--clip", recipe.clips, "0.25,1,5"),
    ):
        if spec.oracle == "grid" and isinstance(values, tuple):
            raise ValueError(f"{flag}: expected a list like {example} with --oracle grid, got a range")


def workers(text: str) -> int:
    """`--workers`: a number, or auto for one per GPU, else one per core, as memory allows."""
    if text == "auto":
        return automatic_workers()
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or int(text) < 1:
        raise ValueError(f"--workers: expected a whole number from 1, or auto, got {text!r}")
    return int(text)
