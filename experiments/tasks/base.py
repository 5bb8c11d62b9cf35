"""The contract of a task: a frozen dataclass, and one pure function that makes samples from a seeded generator.

A task's file holds one subclass of `Task` and is found by its name. Its docstring states the problem with a worked
example, what counts as solved, published results and the source. Options are the dataclass fields; `-o length=50` sets
the field `length`. Steps that are not scored, and padding behind the end of a sequence, have y = -1 (`NOT_SCORED`).
"""

import dataclasses
import functools
import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np

Arrays = tuple[np.ndarray, np.ndarray]
SPLITS = ("train", "val", "test")
DATA_SEEDS = 0  # spawn key: apart from the seeds of training (1) and of proposals (2)
ONLINE = "online"  # -o train=online, -o train=online:5000
NOT_SCORED = -1
LOSSES = ("mse", "categorical")
MOST = 2**31  # beyond every option's sensible values, and what NumPy's shapes take
TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def option(default: Any, text: str, minimum: int | None = None, choices: tuple[Any, ...] = ()) -> Any:
    """A field of a task that `-o` sets: its default, a help text, and the least value or the values it takes."""
    return dataclasses.field(default=default, metadata={"help": text, "minimum": minimum, "choices": choices})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
    """What every task has. Raises ValueError for an option out of its range."""

    metric: ClassVar[str]  # what the score is
    direction: ClassVar[str] = "min"  # which scores are better
    knob: ClassVar[str]  # the option that makes it harder
    loss: ClassVar[str]  # "mse", or "categorical" over logits
    per_step: ClassVar[bool] = False  # an output at every step, or at the last one
    one_hot: ClassVar[bool] = False  # tokens are read as one-hot vectors instead of trained embeddings
    lengthens: ClassVar[bool] = False  # the knob is a length or a lag: see `longer`

    train: int = option(10_000, "training samples; online or online:N draws N fresh ones in every epoch", 1)
    val: int = option(2_000, "validation samples", 1)
    test: int = option(2_000, "test samples, read by export alone", 1)
    online: bool = option(False, "fresh training samples in every epoch; -o train=online says it too")

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            least, value, choices = field.metadata["minimum"], getattr(self, field.name), field.metadata["choices"]
            if least is not None and value < least:
                raise ValueError(f"{field.name}: expected {least} or more, got {value}")
            if choices and value not in choices:
                raise ValueError(f"{field.name}: expected one of {', '.join(map(str, choices))}, got {value!r}")

    @property
    def stream(self) -> bool:
        """One long sequence, read in windows that carry the state; else samples."""
        return False

    @property
    def padding(self) -> float | None:
        """What fills x behind the end of a shorter sequence, so that its last real step is read; None if none is."""
        return None

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

    @property
    def reach(self) -> int:
        """How many steps back an answer may lie: what the initialisation chrono is told; all of them by default."""
        return self.steps

    def sample(self, rng: np.random.Generator, count: int) -> Arrays:
        """x and y of `count` samples, a function of the generator's state alone."""
        raise NotImplementedError

    def split(self, name: str, seed: int, epoch: int = 0) -> Arrays:
        """x and y of a split; the three come from far-apart children of one seed, as do the epochs of an online one."""
        key = (DATA_SEEDS, SPLITS.index(name), *([epoch] if epoch else []))
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
        return self.sample(rng, getattr(self, name))

    def longer(self, factor: int) -> "Task":
        """The same task at `factor` times the length or lag: for models that were trained on this one."""
        if not self.lengthens:
            raise ValueError(f"longer: expected a task whose knob is a length or a lag, got {self.knob}")
        return dataclasses.replace(self, **{self.knob: factor * getattr(self, self.knob)})

    def judge(self, y: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        """What the score is made of, a row for each answer of a batch: by default its values' mean is the score.

        By default the squared error for "mse", for "categorical" whether the likeliest class is right.
        """
        if self.loss == "mse":
            return np.square(np.subtract(y, outputs, dtype=np.float64)).reshape(len(y), -1).mean(axis=1)
        return (outputs.argmax(axis=-1) == y)[y != NOT_SCORED].astype(np.float64)

    def summary(self, judged: np.ndarray) -> float:
        """The metric, of what `judge` said of all batches."""
        return float(judged.mean())

    def score(self, y: np.ndarray, outputs: np.ndarray) -> float:
        """The metric of a model's outputs."""
        return self.summary(self.judge(y, outputs))

    def floors(self, split: str = "val") -> dict[str, float]:
        """What models with less memory score on a split, by name."""
        raise NotImplementedError

    def samples(self, model: Any, seed: int) -> dict[str, float]:
        """Shares of what a trained model writes, logged beside its score; nothing by default."""
        return {}

    def about(self) -> str:
        """What a user should see of the data before training; "" where the task says it all."""
        return ""

    def preprocessing(self) -> dict[str, Any]:
        """What somebody who has the model alone needs to make its input."""
        padding = {} if self.padding is None else {"padding": self.padding}
        if self.tokens is not None:
            return {"input": "int32 (batch, time)", "words": list(self.words()), **padding}
        return {"input": f"float32 (batch, time, {self.features})", **padding}

    def words(self) -> Sequence[str]:
        """How each token id is shown to people."""
        return [str(token) for token in range(self.tokens or 0)]

    def show(self, x: np.ndarray, y: np.ndarray) -> str:
        """One sample as a person reads it."""
        if self.tokens is not None:
            read = " ".join(self.words()[token] for token in x)
        else:
            channels = (" ".join(f"{value:5.2f}" for value in channel) for channel in x.T)
            read = "\n  ".join(channels)
        return f"x {read}\ny {self._answer(y)}"

    def _answer(self, y: np.ndarray) -> str:
        if self.loss == "mse":
            return " ".join(f"{value:.4g}" for value in np.ravel(y))
        return " ".join("-" if value == NOT_SCORED else self.answer(int(value)) for value in np.ravel(y))

    def answer(self, label: int) -> str:
        """How a class is shown to people."""
        return str(label)


def names() -> list[str]:
    """Every task there is."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in ("__init__", "base"))


def find(name: str) -> type[Task]:
    """The task's class; of a user's file, PATH.npz with data or PATH.py with a task, too."""
    if name.endswith(".npz"):
        from experiments import own

        return own.task(name)
    if name.endswith(".py"):
        from experiments.contract import check_class

        found = _in_module(_run(Path(name)), f"{name}: expected a class that extends experiments.tasks.base.Task")
        check_class(found, name)
        return found
    if name not in names():
        raise ValueError(f"task: expected one of {', '.join(names())}, or a file .npz or .py, got {name!r}")
    return _in_module(importlib.import_module(f"experiments.tasks.{name}"), name)


def _in_module(module: ModuleType, otherwise: str) -> type[Task]:
    for found in vars(module).values():
        if isinstance(found, type) and issubclass(found, Task) and found.__module__ == module.__name__:
            return found
    raise ValueError(f"{otherwise}, got none")


@functools.cache
def _run(path: Path) -> ModuleType:
    """The module in a user's file. Whatever goes wrong in it is one line."""
    # A name of its own: the file may be called as a module that others import, queue.py say.
    spec = importlib.util.spec_from_file_location(f"recurrent_search_task_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ValueError(f"task: expected a file, got {str(path)!r}, which does not exist")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise ValueError(f"{path}: expected a file that Python can run, got {type(error).__name__}: {error}") from error
    return module


def path_of(name: str) -> str:
    """The task's name, a file's as its whole path: another process may have another current folder."""
    return str(Path(name).expanduser().absolute()) if name.endswith((".npz", ".py")) else name


def title(name: str) -> str:
    """What a task is called where a path would not do."""
    return Path(name).stem if name.endswith((".npz", ".py")) else name


def make(name: str, options: dict[str, str]) -> Task:
    """A task from the words of `-o`."""
    kind = find(name)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    options = _online(options)
    for key in options:
        if key not in fields:
            raise ValueError(f"-o: expected one of {', '.join(sorted(fields))}, got {key!r}")
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
        raise ValueError(f"-o {key}: expected {word}, got {text!r}") from None
    if kind is int and abs(value) >= MOST:
        raise ValueError(f"-o {key}: expected a whole number below {MOST:,}, got {text!r}")
    return value


def cross_entropy(y: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """-ln p of each scored answer: y `(…)` of classes, logits `(…, classes)`; float64 `(scored,)`."""
    scored = y != NOT_SCORED
    logits = logits[scored].astype(np.float64)
    logits -= logits.max(axis=-1, keepdims=True)
    right = np.take_along_axis(logits, y[scored][:, None], axis=-1)[:, 0]
    return np.log(np.exp(logits).sum(axis=-1)) - right


def check_digest(arrays: list[Arrays], expected: str) -> None:
    """Raises ValueError if train and validation data are not those of a search, whose digest is `expected`."""
    found = digest(arrays)
    if found != expected:
        raise ValueError(
            f"data: expected those of the search, digest {expected[:12]}, got {found[:12]};"
            " another corpus, or another Python's language reference?"
        )


def digest(arrays: list[Arrays]) -> str:
    """sha256 over shapes, dtypes and values: what a search was really trained and scored on."""
    found = hashlib.sha256()
    for array in (part for pair in arrays for part in pair):
        found.update(f"{array.shape}{array.dtype}".encode())
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()
