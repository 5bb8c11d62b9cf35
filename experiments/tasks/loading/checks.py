"""Checks a task in a user's file before anything is trained, so that a mistake in it is one line."""

import dataclasses
import json
import math
import re
import traceback
from pathlib import Path
from typing import Any

import numpy as np

from experiments.tasks.base import LOSSES, NOT_SCORED, Task
from experiments.tasks.loading.modules import code_files
from tracking.errors import DataError
from tracking.storable import check_storable

ROOT, PACKAGES = Path(__file__).parents[3], ("experiments", "search_spaces", "tracking")
FLOOR = r"[\w :-][\w .:-]{0,199}"  # MLflow takes no other names
METRIC = r"[A-Za-z0-9_]+"  # the name becomes a part of MLflow's metric names
LONGEST = 200  # characters of it; MLflow takes 250 in all
MOST = 10**9  # trials and epochs
TAKEN = ("epoch", "execution", "model_score")  # `best/epoch` and the others are no scores


def check_class(task_type: type[Task], file: str) -> None:
    """Raises DataError for a class that cannot be a task."""
    if "__dataclass_params__" not in vars(task_type):
        expected = f"class {task_type.__name__} under @dataclass(frozen=True, kw_only=True)"
        raise DataError(f"{file}: expected {expected}, got none")
    options = {field.name: field for field in dataclasses.fields(task_type)}
    for name, field in options.items():
        if not {"help", "minimum", "choices"} <= set(field.metadata):
            raise DataError(f"{file}: expected {name} = option(…), got no option")
        if type(field.default) not in (int, float, str, bool):
            raise DataError(f"{file}: expected a default of {name} that is a number, a text, True or False")
        check_storable(f"{file}: default of {name}", str(field.default))
        if isinstance(field.default, float) and not math.isfinite(field.default):
            raise DataError(f"{file}: expected a finite default of {name}, got {field.default}")
    for name in ("default_trials", "default_epochs"):
        count = getattr(task_type, name)
        if type(count) is not int or not 1 <= count < MOST:
            raise DataError(f"{file}: expected {name} = a whole number from 1 below {MOST:,}, got {count!r}")
    for name, fits, expected in (
        ("metric", lambda value: isinstance(value, str) and re.fullmatch(METRIC, value), "letters, digits and _"),
        ("direction", lambda value: value in ("min", "max"), "min or max"),
        ("loss", lambda value: value in LOSSES, f"one of {', '.join(LOSSES)}"),
        ("knob", lambda value: value in options, f"the name of an option, one of {', '.join(options)}"),
    ):
        value = getattr(task_type, name, None)
        if not fits(value):
            raise DataError(f"{file}: {name}: expected {expected}, got {value!r}")
    if len(task_type.metric) > LONGEST or task_type.metric in TAKEN:
        expected = f"at most {LONGEST} characters and none of {', '.join(TAKEN)}"
        raise DataError(f"{file}: metric: expected {expected}, got {task_type.metric[:60]!r}")
    for name in ("outputs", "floors", *(() if task_type.split is not Task.split else ("sample",))):
        if getattr(task_type, name) is getattr(Task, name):
            raise DataError(f"{file}: expected {name} in class {task_type.__name__}, got none")


def check_data(task: Task, file: str, split: str, arrays: Any) -> None:
    """Raises DataError if `arrays`, which `task.split(split, seed)` returned, are not as the task's properties say."""
    where = f"{file}: {split}"
    if not (isinstance(arrays, tuple) and len(arrays) == 2 and all(isinstance(part, np.ndarray) for part in arrays)):
        raise DataError(f"{where}: expected two NumPy arrays (x, y), got {_describe(arrays)}")
    x, y = arrays
    for name in ("outputs", "steps", "features", "tokens"):
        value = getattr(task, name)
        if type(value) is not int and (value is not None or name in ("outputs", "steps")):  # JSON has no NumPy integers
            raise DataError(f"{where}: {name}: expected an int, got {type(value).__name__} {value!r}")
    if (task.features is None) == (task.tokens is None):
        raise DataError(f"{where}: expected features or tokens, got {task.features} and {task.tokens}")
    samples = () if task.stream else (len(x),)
    steps = x.shape[len(samples) : len(samples) + 1]
    if not task.stream and x.ndim > 1 and x.shape[1] > task.steps:
        raise DataError(f"{where}: expected x of {task.steps} steps, as the property steps says, got {x.shape[1]}")
    _check_shape(
        f"{where}: x", x, (*samples, *steps, *([task.features] if task.features else [])), 1 if task.stream else 2
    )
    answered = (steps[0] - task.source_steps,) if task.source_steps and steps else steps
    answers = (*samples, *(answered if task.per_step else ()))
    _check_shape(f"{where}: y", y, answers if task.loss == "categorical" else (*answers, task.outputs), 1)
    if task.source_steps:
        _check_values(f"{where}: x, the source", x[:, : task.source_steps], 0, task.tokens)
        _check_values(f"{where}: x, the target", x[:, task.source_steps :], 0, task.outputs)
    else:
        _check_values(f"{where}: x", x, 0, task.tokens)
    if task.loss != "categorical":
        _check_values(f"{where}: y", y, 0, None)
    else:
        _check_values(f"{where}: y", y, NOT_SCORED if task.per_step else 0, task.outputs)
    if task.loss == "binary" and not np.isin(y, (NOT_SCORED, 0, 1)).all():
        raise DataError(f"{where}: y: expected 0, 1 and {NOT_SCORED}, got {y.min():g} to {y.max():g}")
    check_scored(task, where, y)


def check_scored(task: Task, where: str, y: np.ndarray) -> None:
    """Raises DataError if no answer of a split is scored. Its score would be that of nothing."""
    if not (~np.isnan(y) if task.loss == "mse" else y != NOT_SCORED).any():
        raise DataError(f"{where}: y: expected a step that is scored, got none; are there too few samples?")


def check_floors(floors: Any, file: str) -> None:
    """Raises DataError if the floors are not names with finite numbers."""
    valid = isinstance(floors, dict) and all(isinstance(name, str) for name in floors)
    valid = valid and all(isinstance(value, int | float) for value in floors.values())
    if not valid or not all(math.isfinite(value) for value in floors.values()):
        hint = "; float(…) makes one of a number of NumPy" if "np." in repr(floors) else ""
        raise DataError(f"{file}: floors: expected names with finite numbers, got {floors!r}{hint}")
    if bad := [name for name in floors if not re.fullmatch(FLOOR, name, re.ASCII)]:
        raise DataError(f"{file}: floors: expected names of letters, digits, '_', '.', '-', ':', ' ', got {bad[0]!r}")


def check_solved(solved: Any, file: str) -> None:
    """Raises DataError unless `solved` is a finite number, or None."""
    number = isinstance(solved, int | float) and not isinstance(solved, bool) and math.isfinite(solved)
    if solved is not None and not number:
        raise DataError(f"{file}: solved: expected a finite number or None, got {solved!r}")


def check_preprocessing(preprocessing: Any, file: str) -> None:
    """Raises DataError if model.json cannot hold what the task returned."""
    try:
        json.dumps(preprocessing, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except (TypeError, ValueError) as error:
        raise DataError(f"{file}: preprocessing: expected what JSON can hold, got: {error}") from None


def fault(error: Exception) -> str:
    """One line for an exception that comes from a user's task file; "" for any other exception.

    The exception comes from the user's file if no file of ours stands behind it in the traceback. Files of libraries
    may stand behind it.
    """
    files = code_files()
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename in files:
            return (
                f"{frame.filename}, line {frame.lineno}: {type(error).__name__}: {error}{_hint(error, frame.filename)}"
            )
        if Path(frame.filename).is_relative_to(ROOT) and Path(frame.filename).relative_to(ROOT).parts[0] in PACKAGES:
            return ""
    return ""


def _hint(error: Exception, file: str) -> str:
    """What to do about a neighbour that a function imports. Only while the file is run neighbours are looked for."""
    name = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    beside = Path(file).parent / name
    found = bool(name) and (beside.is_dir() or beside.with_name(f"{name}.py").is_file())
    return "; import it at the top of the file" if found else ""


def _describe(arrays: Any) -> str:
    return f"{len(arrays)} of them" if isinstance(arrays, tuple) and len(arrays) != 2 else type(arrays).__name__


def _check_shape(name: str, array: np.ndarray, shape: tuple[int, ...], min_axes: int) -> None:
    if array.ndim < min_axes or array.shape != shape or 0 in array.shape:
        raise DataError(f"{name}: expected shape {shape}, no side of it 0, got {array.shape}")


def _check_values(name: str, array: np.ndarray, least: int, below: int | None) -> None:
    """Expects integers from `least` to `below` - 1; finite floats if `below` is None."""
    if array.dtype.kind not in ("f" if below is None else "iu"):
        raise DataError(f"{name}: expected {'floats' if below is None else 'integers'}, got {array.dtype}")
    with np.errstate(over="ignore"):
        finite = below is not None or np.isfinite(array.astype(np.float32)).all()
    if not finite:
        raise DataError(f"{name}: expected finite numbers, got NaN, infinite ones or some too large for 32 bits")
    if below is not None and not least <= array.min() <= array.max() < below:
        raise DataError(f"{name}: expected {least} to {below - 1}, got {array.min()} to {array.max()}")
