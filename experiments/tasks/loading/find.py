"""Finds a task by its name or in a user's file, and makes it with the options of `-o`."""

import dataclasses
import importlib
import math
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from experiments.tasks import base
from experiments.tasks.base import READING, Task
from experiments.tasks.loading import modules
from experiments.tasks.loading.checks import check_class
from experiments.tasks.loading.copied import Copy
from tracking.errors import BadInput
from tracking.text import did_you_mean

TASKS = Path(base.__file__).parent
DATA = {".npz": "npz", ".tsv": "tsv"}  # the module beside this one that makes a task of a user's file, by its suffix
FILES = (*DATA, ".py")
ONLINE = "online"  # -o train=online, -o train=online:5000
MAX_WHOLE = 2**31  # larger than every sensible value, and too large for the shape of an array
BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def names() -> list[str]:
    """The names of all tasks that come with the project."""
    return sorted(path.stem for path in TASKS.glob("*.py") if path.stem not in ("__init__", "base"))


def task_class(name: str, copy: Copy | None = None) -> type[Task]:
    """The class of a task: one of `names()`, or a user's file PATH.npz, PATH.tsv (data) or PATH.py (a task).

    Args:
        copy: that of a search, which is run in place of PATH.py.
    """
    if (suffix := Path(name).suffix) in DATA:
        kind: type[Task] = importlib.import_module(f"experiments.tasks.loading.{DATA[suffix]}").task(name)
        return kind
    if name.endswith(".py"):
        module = modules.run(Path(name).absolute(), copy)
        task_type = _in_module(module, f"{name}: expected a class that extends experiments.tasks.base.Task")
        check_class(task_type, name)
        return task_type
    if name not in names():
        expected = f"one of {', '.join(names())}, or a file {', '.join(FILES)}"
        raise BadInput(f"task: expected {expected}, got {name!r}{did_you_mean(name, names())}")
    return _in_module(importlib.import_module(f"experiments.tasks.{name}"), name)


def _in_module(module: ModuleType, expected: str) -> type[Task]:
    """The last task class that the module itself defines; a class may extend the ones before it."""
    if not (found := _classes(module)):
        raise BadInput(f"{expected}, got none")
    return found[-1]


def _classes(module: ModuleType) -> list[type[Task]]:
    """The task classes that a module itself defines, each once, in their order."""
    types = dict.fromkeys(member for member in vars(module).values() if isinstance(member, type))
    return [kind for kind in types if issubclass(kind, Task) and kind.__module__ == module.__name__]


def choice(task_type: type[Task]) -> str:
    """A line that says which class of a user's file is taken; "" if it has only one."""
    if not task_type.__module__.startswith(modules.PREFIX):
        return ""
    module = sys.modules[task_type.__module__]
    known = [kind.__name__ for kind in _classes(module)]
    if len(known) < 2:
        return ""
    return f"{Path(str(module.__file__)).name}: has the tasks {', '.join(known)}; the last one is taken"


def title(name: str) -> str:
    """A short name for a task: the name of a file without its folder and suffix."""
    return Path(name).stem if name.endswith(FILES) else name


def make(name: str, options: dict[str, str], reading: int = READING, copy: Copy | None = None) -> Task:
    """The task with these options, which are texts as `-o` takes them. Raises BadInput.

    Args:
        reading: how a user's data and lines are read; see `base.READING`.
        copy: see `task_class`.
    """
    task_type = _read_as(reading, task_class(name, copy))
    fields = {field.name: field for field in dataclasses.fields(task_type)}
    options = _expand_online(options)
    for key in options:
        if key not in fields:
            known = sorted(fields)
            raise BadInput(f"-o: expected one of {', '.join(known)}, got {key!r}{did_you_mean(key, known)}")
    return task_type(**{key: _convert(key, text, _type(fields[key])) for key, text in options.items()})


def _type(field: "dataclasses.Field[Any]") -> type:
    """The type of an option's values. `rate: float = option(1, …)` takes 0.5, too."""
    return float if field.type in (float, "float") else type(field.default)


def _read_as(reading: int, task_type: type[Task]) -> type[Task]:
    """The class of a task that reads its data as a search of an earlier version did."""
    if reading == task_type.reading:
        return task_type
    return type(task_type.__name__, (task_type,), {"reading": reading, "__module__": task_type.__module__})


def _expand_online(options: dict[str, str]) -> dict[str, str]:
    """Turns -o train=online:N into train=N and online=true. With -o train=N the samples stay the same."""
    word, _, count = options.get("train", "").partition(":")
    if word != ONLINE:
        return {"online": "false", **options} if word else options
    rest = {key: value for key, value in options.items() if key != "train"}
    return {**rest, "online": "true", **({"train": count} if count else {})}


def _convert(key: str, text: str, value_type: type) -> Any:
    try:
        value = BOOLEANS[text.lower()] if value_type is bool else value_type(text)
    except (ValueError, KeyError):
        expected = {int: "a whole number", float: "a number", bool: "true or false"}[value_type]
        raise BadInput(f"-o {key}: expected {expected}, got {text!r}") from None
    if value_type is float and not math.isfinite(value):
        raise BadInput(f"-o {key}: expected a finite number, got {text!r}")
    if value_type is int and abs(value) >= MAX_WHOLE:
        raise BadInput(f"-o {key}: expected a whole number below {MAX_WHOLE:,}, got {text!r}")
    return value
