"""The contract of a task: a frozen dataclass, and one pure function that makes samples from a seeded generator.

A task's file holds one subclass of `Task` and is found by its name. Its docstring states the problem with a worked
example, what counts as solved, published results and the source. Options are the dataclass fields; `-o length=50` sets
the field `length`. Steps that are not scored, and padding behind the end of a sequence, have y = -1 (`NOT_SCORED`).
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from tracking.errors import BadInput

Arrays = tuple[np.ndarray, np.ndarray]
Draw = Callable[[int, int], list[str]]
SPLITS = ("train", "val", "test")
DATA_SEEDS = 0  # spawn key: apart from the seeds of training (1) and of proposals (2)
NOT_SCORED = -1
LOSSES = ("mse", "categorical")


def option(default: Any, text: str, minimum: int | None = None, choices: tuple[Any, ...] = ()) -> Any:
    """A field of a task that `-o` sets: its default, a help text, and the least value or the values it takes."""
    return dataclasses.field(default=default, metadata={"help": text, "minimum": minimum, "choices": choices})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
    """What every task has. Raises BadInput for an option out of its range."""

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
                raise BadInput(f"{field.name}: expected {least} or more, got {value}")
            if choices and value not in choices:
                raise BadInput(f"{field.name}: expected one of {', '.join(map(str, choices))}, got {value!r}")

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
            raise BadInput(f"longer: expected a task whose knob is a length or a lag, got {self.knob}")
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

    def samples(self, draw: Draw) -> dict[str, float]:
        """Shares of what a trained model writes, logged beside its score; nothing by default.

        Args:
            draw: `draw(count, longest)` gives `count` lines that the model has written, each with its newline unless it
                has not come to an end after `longest` characters. A task may also define `samples(self, model, seed)`.
        """
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


def cross_entropy(y: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """-ln p of each scored answer: y `(…)` of classes, logits `(…, classes)`; float64 `(scored,)`."""
    scored = y != NOT_SCORED
    logits = logits[scored].astype(np.float64)
    logits -= logits.max(axis=-1, keepdims=True)
    right = np.take_along_axis(logits, y[scored][:, None], axis=-1)[:, 0]
    return np.log(np.exp(logits).sum(axis=-1)) - right
