"""The contract of a task: a frozen dataclass, and one pure function that makes samples from a seeded generator.

A task's file holds one subclass of `Task` and is found by its name. Its docstring states the problem with a worked
example. Options are the dataclass fields; `-o length=50` sets the field `length`.
"""

import dataclasses
import hashlib
import importlib
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

Arrays = tuple[np.ndarray, np.ndarray]
SPLITS = ("train", "val", "test")
DATA_SEEDS = 0  # spawn key: apart from the seeds of training (1) and of proposals (2)


def option(default: Any, text: str, minimum: int | None = None) -> Any:
    """A field of a task that `-o` sets: its default, a help text, and the least value it takes."""
    return dataclasses.field(default=default, metadata={"help": text, "minimum": minimum})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
    """What every task has. Raises ValueError for an option out of its range."""

    metric: ClassVar[str]  # what the score is
    direction: ClassVar[str] = "min"  # which scores are better
    knob: ClassVar[str]  # the option that makes it harder
    loss: ClassVar[str]  # "mse", or "categorical" over logits
    per_step: ClassVar[bool] = False  # an output at every step, or at the last one
    stream: ClassVar[bool] = False  # one long sequence, read in windows that carry the state

    train: int = option(10_000, "training samples", 1)
    val: int = option(2_000, "validation samples", 1)
    test: int = option(2_000, "test samples, read by export alone", 1)

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            least, value = field.metadata["minimum"], getattr(self, field.name)
            if least is not None and value < least:
                raise ValueError(f"{field.name}: expected {least} or more, got {value}")

    @property
    def features(self) -> int | None:
        """Size of the last axis of x `(batch, time, features)`; None for tokens."""
        return None

    @property
    def tokens(self) -> int | None:
        """How many token ids there are in x `(batch, time)`; None for features."""
        return None

    @property
    def outputs(self) -> int:
        """Size of the model's head."""
        raise NotImplementedError

    @property
    def steps(self) -> int:
        """Time steps of a sequence, or of a window of the stream; the knob, unless a task says otherwise."""
        return int(getattr(self, self.knob))

    def sample(self, rng: np.random.Generator, count: int) -> Arrays:
        """x and y of `count` samples, a function of the generator's state alone."""
        raise NotImplementedError

    def split(self, name: str, seed: int) -> Arrays:
        """x and y of a split; the three come from far-apart children of one seed."""
        key = (DATA_SEEDS, SPLITS.index(name))
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
        return self.sample(rng, getattr(self, name))

    def score(self, y: np.ndarray, outputs: np.ndarray) -> float:
        """The metric of a model's outputs."""
        raise NotImplementedError

    def floors(self, split: str = "val") -> dict[str, float]:
        """What models with less memory score on a split, by name."""
        raise NotImplementedError

    def preprocessing(self) -> dict[str, Any]:
        """What somebody who has the model alone needs to make its input."""
        return {"input": f"float32 (batch, time, {self.features})"}


def names() -> list[str]:
    """Every task there is."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in ("__init__", "base"))


def find(name: str) -> type[Task]:
    """The task's class."""
    if name not in names():
        raise ValueError(f"task: expected one of {', '.join(names())}, got {name!r}")
    module = importlib.import_module(f"experiments.tasks.{name}")
    return next(
        found
        for found in vars(module).values()
        if isinstance(found, type) and issubclass(found, Task) and found.__module__ == module.__name__
    )


def make(name: str, options: dict[str, str]) -> Task:
    """A task from the words of `-o`."""
    kind = find(name)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for key in options:
        if key not in fields:
            raise ValueError(f"-o: expected one of {', '.join(sorted(fields))}, got {key!r}")
    return kind(**{key: _convert(key, text, type(fields[key].default)) for key, text in options.items()})


def _convert(key: str, text: str, kind: type) -> Any:
    try:
        return kind(text)
    except ValueError:
        word = {int: "a whole number", float: "a number"}[kind]
        raise ValueError(f"-o {key}: expected {word}, got {text!r}") from None


def digest(arrays: list[Arrays]) -> str:
    """sha256 over shapes, dtypes and values: what a search was really trained and scored on."""
    found = hashlib.sha256()
    for array in (part for pair in arrays for part in pair):
        found.update(f"{array.shape}{array.dtype}".encode())
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()
