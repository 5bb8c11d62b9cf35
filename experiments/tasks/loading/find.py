"""Finds a task by its name, or in a user's file, and makes it from the words of `-o`."""

import dataclasses
import functools
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from experiments.tasks import base
from experiments.tasks.base import Task
from experiments.tasks.loading import npz
from experiments.tasks.loading.checks import PREFIX, check_class
from tracking.errors import BadInput

TASKS = Path(base.__file__).parent
ONLINE = "online"  # -o train=online, -o train=online:5000
MOST = 2**31  # beyond every option's sensible values, and what NumPy's shapes take
TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def names() -> list[str]:
    """Every task there is."""
    return sorted(path.stem for path in TASKS.glob("*.py") if path.stem not in ("__init__", "base"))


def task_class(name: str) -> type[Task]:
    """The task's class; of a user's file, PATH.npz with data or PATH.py with a task, too."""
    if name.endswith(".npz"):
        return npz.task(name)
    if name.endswith(".py"):
        found = _in_module(_run(Path(name)), f"{name}: expected a class that extends experiments.tasks.base.Task")
        check_class(found, name)
        return found
    if name not in names():
        raise BadInput(f"task: expected one of {', '.join(names())}, or a file .npz or .py, got {name!r}")
    return _in_module(importlib.import_module(f"experiments.tasks.{name}"), name)


def _in_module(module: ModuleType, otherwise: str) -> type[Task]:
    for found in vars(module).values():
        if isinstance(found, type) and issubclass(found, Task) and found.__module__ == module.__name__:
            return found
    raise BadInput(f"{otherwise}, got none")


@functools.cache
def _run(path: Path) -> ModuleType:
    """The module in a user's file. Whatever goes wrong in it is one line."""
    # A name of its own: the file may be called as a module that others import, queue.py say.
    spec = importlib.util.spec_from_file_location(f"{PREFIX}{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise BadInput(f"task: expected a file, got {str(path)!r}, which does not exist")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise BadInput(f"{path}: expected a file that Python can run, got {type(error).__name__}: {error}") from error
    return module


def path_of(name: str) -> str:
    """The task's name, a file's as its whole path: another process may have another current folder."""
    return str(Path(name).expanduser().absolute()) if name.endswith((".npz", ".py")) else name


def title(name: str) -> str:
    """What a task is called where a path would not do."""
    return Path(name).stem if name.endswith((".npz", ".py")) else name


def make(name: str, options: dict[str, str]) -> Task:
    """A task from the words of `-o`."""
    kind = task_class(name)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    options = _online(options)
    for key in options:
        if key not in fields:
            raise BadInput(f"-o: expected one of {', '.join(sorted(fields))}, got {key!r}")
    return kind(**{key: _convert(key, text, type(fields[key].default)) for key, text in options.items()})


def _online(options: dict[str, str]) -> dict[str, str]:
    """-o train=online:N is train=N with online=true."""
    word, _, count = options.get("train", "").partition(":")
    if word != ONLINE:
        return options
    rest = {key: value for key, value in options.items() if key != "train"}
    return {**rest, "online": "true", **({"train": count} if count else {})}


def _convert(key: str, text: str, kind: type) -> Any:
    try:
        value = TRUTH[text.lower()] if kind is bool else kind(text)
    except (ValueError, KeyError):
        word = {int: "a whole number", float: "a number", bool: "true or false"}[kind]
        raise BadInput(f"-o {key}: expected {word}, got {text!r}") from None
    if kind is int and abs(value) >= MOST:
        raise BadInput(f"-o {key}: expected a whole number below {MOST:,}, got {text!r}")
    return value
