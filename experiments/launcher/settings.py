"""Makes the spec of a search from typed values. With --resume a value that is not given stays as it was."""

import dataclasses
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from experiments.config import estimate, recipes
from experiments.config.folders import SEARCHES, SearchFolder
from experiments.config.spec import ALLOCATIONS, PRUNERS, SCHEDULES, STRATEGIES, UNLIMITED, Spec
from experiments.config.units import MOST, NONE, parse_duration, parse_number, parse_size
from experiments.system.resources import automatic_workers
from experiments.tasks.base import READING, Task
from experiments.tasks.loading import find
from experiments.tasks.loading.code import checked, keep
from experiments.tasks.loading.copied import Copy
from experiments.tasks.loading.npz import OwnData
from experiments.tasks.loading.places import (
    Source,
    absolute,
    corpus_in,
    corpus_of,
    fitting,
    is_file,
    portable,
    sources,
    whole,
)
from search_spaces import cells
from search_spaces.kernels import CHOICES
from tracking.errors import BadInput, DataError, RecurrentError
from tracking.names import names
from tracking.ranking import preference
from tracking.recording import most_curves
from tracking.storable import check_storable
from tracking.tags import check_spec
from tracking.text import did_you_mean

LONGEST_TITLE = 90  # characters of a task in the name of a search; a name has at most 100


def search_spec(
    task: str, options: dict[str, str], name: str | None = None, resume: bool = False, uri: str = "", **given: Any
) -> tuple[Spec, Task]:
    """The spec of a search, every value checked, and its task. Raises BadInput.

    Args:
        task: its name, or a user's file.
        options: of the task.
        name: of the search; None for a free one.
        resume: go on with the search of that name, if there is one.
        uri: of the store, where a free name must be free, too.
        given: other fields of `Spec`, as typed, and `budget`. None counts as not given.
    """
    given = _filled(given)
    _check_storable(task, options, given)
    task = whole(task)
    if resume and not name:
        raise BadInput("--resume: expected --name NAME with it, got none")
    if not resume:
        find.task_class(task)
    folder = SearchFolder(SEARCHES / (name or free_name(task, uri)))
    before = Spec.read(folder) if resume and folder.spec.exists() else None
    copy = _copy(before, task, folder) if before else None
    task, options = absolute(task, options, copy)
    if before:
        task, options = _going_on(before, task, options, copy)
    made = find.make(task, options, before.reading if before else READING, copy)
    if not before and isinstance(made, OwnData) and made.doubt:
        raise DataError(made.doubt)
    named = {key: value for key, value in given.items() if value is not None}
    corpus, values = corpus_in(type(made)), {key: str(value) for key, value in dataclasses.asdict(made).items()}
    task, named["options"] = portable(task, values, corpus)
    defaults = _kept(before, named) if before else _defaults(made, named)
    spec = Spec(**{**defaults, "task": task, **named, "name": folder.path.name})
    _check(spec, made)
    check_spec(spec.to_json(), spec.typed(corpus))
    if spec.oracle == "grid" and not before and "trials" not in named:
        spec = dataclasses.replace(spec, trials=min(estimate.space_size(spec) or spec.trials, MOST - 1))
    return spec, made


def _filled(given: dict[str, Any]) -> dict[str, Any]:
    """The values with those that `budget` stands for: a time limit, and as many trials as fit into it."""
    values = {key: value for key, value in given.items() if key != "budget"}
    budget = given.get("budget") or NONE
    if parse_duration("--budget", budget) is None:
        return values
    if values.get("trials") is not None:
        expected = "--trials: expected none with --budget, which fills its time with trials"
        raise BadInput(f"{expected}, got {values['trials']}; --time-limit bounds a search of so many trials")
    if values.get("time_limit") not in (None, NONE):
        raise BadInput(f"--time-limit: expected none with --budget, which is one, got {values['time_limit']!r}")
    return {**values, "trials": UNLIMITED, "time_limit": budget}


def _check_storable(task: str, options: dict[str, str], given: dict[str, Any]) -> None:
    """Raises BadInput for a value that the record cannot hold. It is called before anything is read."""
    typed = {"TASK": task, **{f"-o {key}": f"{key}={value}" for key, value in options.items()}}
    for flag, value in (typed | {f"--{key.replace('_', '-')}": value for key, value in given.items()}).items():
        check_storable(flag, ",".join(value) if isinstance(value, list) else str(value))


def _kept(before: Spec, named: dict[str, Any]) -> dict[str, Any]:
    """What a search keeps that goes on. After a budget, trials that are given are counted, and the time is not."""
    kept = before.to_json()
    return {**kept, "time_limit": NONE} if before.budget and "trials" in named else kept


def _defaults(task: Task, named: dict[str, Any]) -> dict[str, Any]:
    """The defaults of a new search that differ from those of `Spec`."""
    chosen = named.get("cells", cells.searched())
    if named.get("oracle") == "grid" and "allocate" in named:
        raise BadInput(
            f"--allocate: expected none with --oracle grid, which trains all models, got {named['allocate']!r}"
        )
    exact = {"pruner": "none", "allocate": "all"} if named.get("oracle") == "grid" else {"allocate": "fair"}
    opened = recipes.opened(task, chosen) if named.get("recipe") else {}
    budget = {"trials": task.default_trials, "epochs": task.default_epochs}
    own = recipes.own_defaults(chosen)
    return {
        "cells": chosen,
        "reading": READING,
        **budget,
        **exact,
        **opened,
        **own,
        **recipes.defaults_of(task),
    }


def _copy(before: Spec, task: str, folder: SearchFolder) -> Copy | None:
    """The copy of the task's code that a search goes on with; None if it has none.

    Raises BadInput for another task, and DataError for another copy.
    """
    if _kind(task) != _kind(before.task):
        raise BadInput(f"--resume: expected TASK as when the search began, {before.task}, got {task}")
    keep(before.code, Path(task).parent, folder.code)  # a kill may have come before it was made
    return checked(before.code, folder.code)


def _going_on(before: Spec, task: str, options: dict[str, str], copy: Copy | None) -> Source:
    """The task and the options of a search that is resumed. A file that is not where the user says is looked for.

    The data are compared with those of the search later, together with all other values that the user has typed.
    """
    merged, corpus = {**before.options, **options}, corpus_of(task, copy)
    typed = [name for name in (task, options.get(corpus, "")) if name and Path(name).exists()]
    places = sources(task if typed[:1] == [task] else before.task, merged, (Path(),), copy)
    known = [place for place in places if all(name in (place[0], place[1].get(corpus)) for name in typed)]
    if len(known) > 1:
        with suppress(RecurrentError):
            return fitting(before.to_json(), known, copy)
    return known[0] if known else (task, merged)


def _kind(task: str) -> str:
    """What of a task may not change on --resume: the name of a file of code. A file of data may have another name."""
    if task.endswith(".py"):
        return Path(task).name
    return Path(task).suffix if is_file(task) else task


def free_name(task: str, uri: str) -> str:
    """The first name of adding-1, adding-2, … that no search has, in this folder or in a store that answers."""
    number, taken = 1, names(uri) if uri else set()
    title = re.sub(r"[^A-Za-z0-9._-]", "-", find.title(task)).lstrip("._-")[:LONGEST_TITLE] or "search"
    while Path(SEARCHES / f"{title}-{number}").exists() or f"{title}-{number}" in taken:
        number += 1
    return f"{title}-{number}"


def _check(spec: Spec, task: Task) -> None:
    recipes.check_cells(spec.cells)
    if len(set(spec.cells)) < len(spec.cells):
        raise BadInput(f"--cells: expected each cell once, got {','.join(spec.cells)!r}")
    words = {"oracle": STRATEGIES, "schedule": SCHEDULES, "pruner": PRUNERS, "kernel": CHOICES}
    if spec.oracle != "grid":
        words["allocate"] = ALLOCATIONS
    for name, known in words.items():
        if (got := getattr(spec, name)) not in known:
            raise BadInput(f"--{name}: expected one of {', '.join(known)}, got {got!r}{did_you_mean(got, known)}")
    parse_duration("--time-limit", spec.time_limit)
    parse_duration("--trial-time-limit", spec.trial_time_limit)
    parse_duration("--finals-time-limit", spec.finals_time_limit)
    parse_number("--target", spec.target)
    preference(spec.prefer)
    most_curves(spec.record)
    if spec.memory_limit != "auto":
        parse_size("--memory-limit", spec.memory_limit)
    dimensions = recipes.dimensions(spec)
    recipe = recipes.recipe(spec, task)
    recipes.check_buckets(spec, task)
    recipes.embedding_spread(spec, task)
    for flag, values, example in (
        ("--learning-rate", dimensions["learning_rate"], "0.001,0.01"),
        ("--dropout", dimensions["dropout"], "0,0.5"),
        ("--bias", recipe.biases, "0,1,5"),
        ("--clip", recipe.clips, "0.25,1,5"),
        ("--momentum", recipe.momenta, "0,0.9"),
    ):
        if spec.oracle == "grid" and isinstance(values, tuple):
            raise BadInput(f"{flag}: expected a list like {example} with --oracle grid, got a range")


def workers(text: str, per_gpu: int = 1) -> int:
    """`--workers`: a number, or auto for `per_gpu` per GPU, else one per core, as memory allows."""
    return automatic_workers(per_gpu) if text == "auto" else whole_from_1("--workers", text, ", or auto")


def whole_from_1(name: str, text: str, more: str = "") -> int:
    """A whole number from 1.

    Args:
        more: what else is allowed, for the message.

    Raises BadInput.
    """
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or int(text) < 1:
        raise BadInput(f"{name}: expected a whole number from 1{more}, got {text!r}")
    return int(text)
