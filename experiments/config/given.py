"""Values as Python or a file has them, and the texts that the command line has for the same."""

import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from numbers import Real
from typing import Any, TypedDict

from experiments.config.spec import FOUND, Spec
from experiments.config.units import MOST, MOST_SEED, parse_whole
from tracking.errors import BadInput, RecurrentError
from tracking.text import did_you_mean

APART = ("name", "task", "options")  # fields of a spec that have other types
BUDGET = "budget"  # is given in place of trials and time_limit


Choices = str | float | Sequence[str] | Sequence[float]  # "16:64", 32, [32, 64]


class Options(TypedDict, total=False):
    """The options of `recurrent search`, which docs/options.md describes. What is left out has its default there.

    A range is a text, "16:64". A list has the exact values, [32, 64]. None counts as left out.
    """

    cells: str | Sequence[str] | None
    depth: Choices | None
    width: Choices | None
    mixed: bool | None
    learning_rate: Choices | None
    schedule: str | None
    dropout: Choices | None
    recipe: bool | None
    init: str | Sequence[str] | None
    bias: Choices | None
    clip: Choices | None
    optimizer: str | Sequence[str] | None
    momentum: Choices | None
    memory: str | Sequence[str] | None
    controller: str | Sequence[str] | None
    residual: str | Sequence[str] | None
    attention: str | Sequence[str] | None
    embedding_spread: str | float | None
    bidirectional: str | Sequence[str] | None
    kernel: str | None
    batch: int | None
    buckets: int | None
    epochs: int | None
    trials: int | None
    executions: int | None
    oracle: str | None
    allocate: str | None
    prefer: str | None
    record: str | None
    pruner: str | None
    patience: int | None
    budget: str | None
    time_limit: str | None
    target: str | float | None
    trial_time_limit: str | None
    memory_limit: str | None
    finals: int | None
    finals_time_limit: str | None
    no_horizon: bool | None
    seed: int | None


def as_text(key: str, value: Any) -> str:
    """The text that a value has on the command line: "0.01" for 0.01, "32,64" for [32, 64]. Raises BadInput.

    Args:
        key: the name of the value, for the error.
    """
    parts = list(value) if isinstance(value, list | tuple) else [value]
    if not all(_is_plain(part) for part in parts):
        raise BadInput(f"{key}: expected a text, a number or a list of them, got {str(value)[:60]!r}")
    return ",".join(os.fspath(part) if isinstance(part, os.PathLike) else str(part) for part in parts)


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | Real | os.PathLike) and not isinstance(value, bool)


def option_text(key: str, value: Any) -> str:
    """The text of an option of a task: as `as_text`, but no list, and "true" for True. Raises BadInput."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not _is_plain(value):
        raise BadInput(f"{key}: expected a text, a number, true or false, got {str(value)[:60]!r}")
    return as_text(key, value)


def as_switch(key: str, value: Any) -> bool:
    """Raises BadInput unless the value is true or false."""
    if not isinstance(value, bool):
        raise BadInput(f"{key}: expected true or false, got {str(value)[:60]!r}")
    return value


def fields_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of `Spec`, as `settings.search_spec` takes them, from Python's values. None counts as not given.

    Raises BadInput for an unknown name, and for a value of another type.
    """
    fields = {field.name: field for field in dataclasses.fields(Spec) if field.name not in (*FOUND, *APART)}
    known = [*fields, BUDGET]
    for key in values:
        if key not in known:
            raise BadInput(f"{key}: expected an option of a search, got an unknown one{did_you_mean(key, known)}")
    return {key: _field(key, value, fields.get(key)) for key, value in values.items() if value is not None}


def _field(key: str, value: Any, field: "dataclasses.Field[Any] | None") -> Any:
    kind = str if field is None else field.type
    if field is not None and kind is bool:
        return as_switch(key, value)
    if field is not None and kind is int:  # what may be 0 is 0 by default
        return as_whole(key, value, 0 if field.default == 0 else 1, MOST_SEED if key == "seed" else MOST)
    text = as_text(key, value)
    return text if kind is str else text.split(",")


def as_whole(key: str, value: Any, least: int = 1, below: int = MOST) -> int:
    """A whole number, at least `least` and below `below`. Raises BadInput."""
    text = as_text(key, value)
    try:
        return parse_whole(text, least, below)
    except BadInput as error:
        raise BadInput(f"{key}: {error}") from None


@contextmanager
def by_arguments() -> Iterator[None]:
    """Lets an error name the argument of Python in place of the option of the command line."""
    try:
        yield
    except RecurrentError as error:
        option, _, rest = str(error).partition(": ")
        argument = option.replace("-o", "options", 1) if option.split()[:1] == ["-o"] else option
        if option.startswith("--"):
            argument = option.removeprefix("--").replace("-", "_")
        if argument == option:
            raise
        raise type(error)(f"{argument}: {rest}") from error
