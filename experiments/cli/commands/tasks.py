"""The tasks, their knobs and floors."""

import argparse
import dataclasses
import hashlib
import inspect
import platform
import sys
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.cli.parsing import task_options, whole
from tracking.as_json import as_json
from tracking.errors import BadInput, DataError
from tracking.text import marks_line

if TYPE_CHECKING:  # tasks import NumPy, which takes time; help texts do without it
    from experiments.tasks.base import Task

EXAMPLE = "recurrent tasks adding --show 3"


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="one task with its definition and options")
    text = "an option of the task NAME, for its floors and samples"
    parser.add_argument("-o", dest="options", action="append", default=[], metavar="KEY=VALUE", help=text)
    text = "N samples as text, with --json in the field samples; sounds also as pictures NAME-0.png, … (default: none)"
    parser.add_argument("--show", metavar="N", type=whole(1), help=text)
    parser.add_argument("--json", action="store_true", help="JSON instead of text")


def run(parsed: argparse.Namespace) -> int:
    if parsed.show and parsed.name is None:
        raise BadInput("--show: expected NAME with it, got none")
    if parsed.options and parsed.name is None:
        raise BadInput("-o: expected NAME with it, got none")
    options = task_options(parsed.options)
    with redirect_stdout(sys.stderr) if parsed.json else nullcontext():  # what a user's file prints is no JSON
        if parsed.name and parsed.name.endswith(".py"):
            _check(parsed.name, options)
        listed = entries(None if parsed.name is None else [parsed.name], options)
        samples = shown_samples(parsed.name, parsed.show, options) if parsed.show else []
        pictures = drawn_samples(parsed.name, parsed.show, options) if parsed.show else []
    if parsed.json:
        more = {"samples": samples, **({"pictures": pictures} if pictures else {})} if parsed.show else {}
        print(as_json({**listed[0], **more} if parsed.name else listed))
    else:
        print(_chosen(parsed.name) + page(listed[0]) if parsed.name else table(listed))
        if samples:
            print("\n" + "\n\n".join(samples))
        if pictures:
            print(f"\nwritten: {', '.join(pictures)}")
    return 0


def _check(file: str, options: dict[str, str]) -> None:
    """Checks the task in a user's file as a search does. Raises DataError."""
    from experiments.tasks.loading import checks, find

    task = find.make(file, options)
    checks.check_floors(task.floors(), file)
    checks.check_solved(task.solved, file)
    checks.check_preprocessing(task.preprocessing(), file)
    for split in ("train", "val"):
        checks.check_data(task, file, split, task.split(split, 0))


def _chosen(name: str) -> str:
    """A line that says which class of a user's file is taken; "" if there is nothing to say."""
    from experiments.tasks.loading import find

    line = find.choice(find.task_class(name))
    return f"{line}\n\n" if line else ""


def entries(names: list[str] | None = None, options: dict[str, str] | None = None) -> list[dict[str, Any]]:
    """What is known of each task in `names`, or of all tasks: its knob, metric, floors, default budget, options, …"""
    from experiments.tasks.loading import find

    cached = set() if options else set(find.names())  # a user's file and text may change
    return [_entry(name, find.make(name, options or {}), name in cached) for name in names or find.names()]


def _entry(name: str, task: "Task", cached: bool) -> dict[str, Any]:
    return {
        "task": name,
        "what": _definition(task).split("\n", 1)[0],
        "licence": task.licence,
        "knob": task.knob,
        "metric": task.metric,
        "direction": task.direction,
        **(_own_marks(task) if cached else _marks(task)),
        "trials": task.default_trials,
        "epochs": task.default_epochs,
        "options": {
            field.name: {"default": getattr(task, field.name), "help": field.metadata["help"]}
            for field in dataclasses.fields(task)
        },
        "definition": _definition(task),
    }


def _marks(task: "Task") -> dict[str, Any]:
    """What the data are like, and what a score is compared with."""
    about = task.about()
    return {**({"data": about} if about else {}), "floors": task.floors(), "solved": task.solved}


def _own_marks(task: "Task") -> dict[str, Any]:
    """The same of a task of the project, kept in the cache, because some floors take long to count.

    If its data cannot be had, for example because a package is missing, the task has no floors, and `missing` says why.
    """
    from experiments.data.cache import cached

    code = Path(inspect.getfile(type(task))).read_bytes()
    key = f"{task!r} Python {platform.python_version()} {hashlib.sha256(code).hexdigest()}"
    try:
        return dict(cached("marks", key, lambda: _marks(task)))
    except DataError as error:
        return {"floors": {}, "solved": task.solved, "missing": str(error)}


def _definition(task: "Task") -> str:
    """The docstring of the task's module."""
    return inspect.cleandoc(sys.modules[type(task).__module__].__doc__ or "")


def shown_samples(name: str, count: int, options: dict[str, str] | None = None) -> list[str]:
    """The first training samples of the task as text, or the first windows of its long sequence."""
    from experiments.tasks.loading import find
    from experiments.training.windows import windows

    task = find.make(name, options or {})
    x, y = task.split("train", 0)
    if task.stream:
        x, y = (windows(array[None, : count * task.steps], task.steps) for array in (x, y))
    return [task.show(*sample) for sample in zip(x[:count], y[:count], strict=True)]


def drawn_samples(name: str, count: int, options: dict[str, str] | None = None) -> list[str]:
    """Draws the first training samples of a task that has pictures. Returns the files, which lie in this folder."""
    from experiments.tasks.loading import find
    from experiments.tasks.loading.pictures import Pictured

    task = find.make(name, options or {})
    if not isinstance(task, Pictured):
        return []
    files = [Path(f"{find.title(name)}-{number}.png") for number in range(count)]
    drawn = list(zip(files, *task.split("train", 0), strict=False))
    try:
        for file, x, y in drawn:
            task.draw(x, y, file)
    except OSError as error:
        raise BadInput(f"--show: expected to write {file} in this folder, got {error.strerror}") from None
    return [str(file) for file, _, _ in drawn]


def table(listed: list[dict[str, Any]]) -> str:
    """One paragraph for each task."""
    width = max(len(entry["task"]) for entry in listed)
    lines = (f"{entry['task']:<{width}} {entry['what']}\n{'':<{width}} {_summary(entry)}\n" for entry in listed)
    return "\n".join(lines).rstrip()


def _summary(entry: dict[str, Any]) -> str:
    knob = entry["options"][entry["knob"]]
    if "missing" in entry:
        return f"knob: -o {entry['knob']}={knob['default']}   {entry['metric']}; {entry['missing']}"
    marks = marks_line(entry["floors"], entry["solved"], entry["direction"])
    return f"knob: -o {entry['knob']}={knob['default']}   {entry['metric']}, floors: {marks}"


def _budget(entry: dict[str, Any]) -> str:
    return f"a search has by default {entry['trials']} trials of at most {entry['epochs']} epochs"


def page(entry: dict[str, Any]) -> str:
    """A task's definition and options."""
    defaults = {name: f"-o {name}={item['default']}" for name, item in entry["options"].items()}
    options = [f"  {defaults[name]:<28} {item['help']}" for name, item in entry["options"].items()]
    data = [entry["data"], ""] if "data" in entry else []
    licence = [f"licence of the data: {entry['licence']}"] if entry["licence"] else []
    return "\n".join(
        [
            f"{entry['task']}: {entry['definition']}",
            "",
            *data,
            _summary(entry),
            _budget(entry),
            *licence,
            "",
            "options:",
            *options,
        ]
    )
