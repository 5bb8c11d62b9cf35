"""The contract of a task: a frozen dataclass, and one pure function that makes samples from a seeded generator.

A task's file holds one subclass of `Task`; the name of the file is the name of the task. The file's docstring states
the problem with a worked example, what counts as solved, published results and the source. The dataclass fields are
the options: `-o length=50` sets the field `length`. y is -1 (`NOT_SCORED`) at a step that is not scored, and in the
padding behind the end of a sequence.

A task sets metric, knob, loss, outputs, floors, and features or tokens; the rest has defaults. A task of this project
sets default_trials and default_epochs. A search with them ends within 10 minutes on two cores, gives each cell its
share, and separates the cells where the task does; experiments/RESULTS.md has the measurements. The docstring of a
task's module has this form, which a test checks:

    One sentence that ends with a full stop.

        x 1 0 1
        y 2

    Solved: a score.
    Published: results.
    Source: Author 1997, where.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from tracking.errors import BadInput
from tracking.text import did_you_mean

Arrays = tuple[np.ndarray, np.ndarray]
Draw = Callable[[int, int], list[str]]
SPLITS = ("train", "val", "test")
DATA_SEEDS = 0  # spawn key of the data; training has 1, proposals have 2
NOT_SCORED = -1
LOSSES = ("mse", "categorical", "binary")
# How a user's data and lines of text are read. With reading 1, that of earlier versions, all splits say which tokens
# and classes there are and how long a line is. Since reading 2 the training split says it.
READING = 2


def option(
    default: Any, text: str, minimum: int | None = None, choices: tuple[Any, ...] = (), corpus: bool = False
) -> Any:
    """A field of a task that `-o` sets.

    Args:
        text: for the help.
        minimum, choices: its least value, or its possible values.
        corpus: it names a text, which may be a file or a folder of the user's. A search finds it again.
    """
    metadata = {"help": text, "minimum": minimum, "choices": choices, "corpus": corpus}
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
    """What every task has. Raises BadInput for an option that is out of its range."""

    metric: ClassVar[str]  # the name of the score
    direction: ClassVar[str] = "min"  # "min" or "max": which scores are better
    knob: ClassVar[str]  # the option that makes the task harder
    loss: ClassVar[str]  # "mse", "categorical" over logits of classes, or "binary" over logits of bits
    per_step: ClassVar[bool] = False  # an output at every step; otherwise only at the last one
    one_hot: ClassVar[bool] = False  # tokens are read as one-hot vectors instead of trained embeddings
    lengthens: ClassVar[bool] = False  # the knob is a length or a lag: see `longer`
    finite_data: ClassVar[str] = ""  # why no fresh samples can be drawn; "" where they can
    reading: ClassVar[int] = READING
    class_weights: ClassVar[np.ndarray | None] = None  # how much each class counts in the training loss, `(outputs,)`
    default_trials: ClassVar[int] = 20  # --trials of a new search on the task, and its --epochs
    default_epochs: ClassVar[int] = 10

    train: int = option(10_000, "training samples; online or online:N draws N fresh ones in every epoch", 1)
    val: int = option(2_000, "validation samples", 1)
    test: int = option(2_000, "test samples, read by finals and export alone", 1)
    online: bool = option(False, "fresh training samples in every epoch, the same as -o train=online")

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            least, value, choices = field.metadata["minimum"], getattr(self, field.name), field.metadata["choices"]
            if least is not None and value < least:
                raise BadInput(f"{field.name}: expected {least} or more, got {value}")
            if choices and value not in choices:
                known = [str(choice) for choice in choices]
                hint = did_you_mean(str(value), known)
                raise BadInput(f"{field.name}: expected one of {', '.join(known)}, got {value!r}{hint}")
        if self.online and self.finite_data:
            raise BadInput(f"train: expected a number, got online: {self.finite_data}")

    @property
    def licence(self) -> str:
        """Under which licence the data are; "" if it is not known."""
        return "" if self.finite_data else "none is needed, since the data are generated"

    @property
    def stream(self) -> bool:
        """True if a split is one long sequence, which is read in windows that carry the state; False for samples."""
        return False

    @property
    def padding(self) -> float | None:
        """The value of x behind the end of a shorter sequence, or None. The answer is read at the last step before."""
        return None

    @property
    def features(self) -> int | None:
        """Size of the last axis of x `(batch, time, features)`; None for tokens."""
        return None

    @property
    def tokens(self) -> int | None:
        """Number of token ids in x `(batch, time)`; None for features."""
        return None

    @property
    def source_steps(self) -> int | None:
        """Steps of a source from which a target is written; None for a task of one sequence.

        x int32 `(count, source_steps + target)` has the source, 0 behind its end, START, and the target, 0 behind it. y
        int32 `(count, target)` has the target, END, and -1. `tokens` are ids of the source, `outputs` of the target.
        """
        return None

    @property
    def outputs(self) -> int:
        """Size of the model's output layer."""
        raise NotImplementedError

    @property
    def steps(self) -> int:
        """Time steps of the longest sequence, or of a window of the stream. By default the value of the knob."""
        return int(getattr(self, self.knob))

    @property
    def reach(self) -> int:
        """How many steps back an answer may depend on. The initialisation chrono uses it. By default all steps."""
        return self.steps

    def sample(self, rng: np.random.Generator, count: int) -> Arrays:
        """x and y of `count` samples. They depend on nothing but the options and the generator's state.

        x is float32 `(count, steps, features)` or int32 `(count, steps)` of tokens. y is int32 `(count,)` of classes
        for "categorical", else float32 `(count, outputs)`, of 0, 1 and -1 (not scored) for "binary"; with `per_step` it
        has the axis of steps behind `count`.
        """
        raise NotImplementedError

    def split(self, name: str, seed: int, epoch: int = 0) -> Arrays:
        """x and y of "train", "val" or "test". Each has its own random stream; so has every epoch of online data."""
        key = (DATA_SEEDS, SPLITS.index(name), *([epoch] if epoch else []))
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
        return self.sample(rng, getattr(self, name))

    def longer(self, factor: int) -> "Task":
        """The same task at `factor` times the length or lag, for models that were trained on this task."""
        if not self.lengthens:
            raise BadInput(f"longer: expected a task whose knob is a length or a lag, got {self.knob}")
        return dataclasses.replace(self, **{self.knob: factor * getattr(self, self.knob)})

    def judge(self, y: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        """One row for each answer of a batch. `summary` makes one score from the rows of all batches.

        By default a row is the squared error for "mse", 1 where the likeliest class is right for "categorical", and
        for "binary" the bits that a sequence costs: the sum of -log2 p over what is scored.
        """
        if self.loss == "mse":
            return np.square(np.subtract(y, outputs, dtype=np.float64)).reshape(len(y), -1).mean(axis=1)
        if self.loss == "binary":
            nats = np.logaddexp(0, np.where(y == 1, -1.0, 1.0) * outputs) * (y != NOT_SCORED)
            return nats.reshape(len(y), -1).sum(axis=1) / np.log(2)
        return (outputs.argmax(axis=-1) == y)[y != NOT_SCORED].astype(np.float64)

    def summary(self, judged: np.ndarray) -> float:
        """The score, from the rows that `judge` returned for all batches. By default their mean."""
        return float(judged.mean())

    def score(self, y: np.ndarray, outputs: np.ndarray) -> float:
        """The score of a model's outputs."""
        return self.summary(self.judge(y, outputs))

    @property
    def solved(self) -> float | None:
        """The validation score from which on the task counts as solved; None, the default, if there is none."""
        return None

    def floors(self, split: str = "val") -> dict[str, float]:
        """The scores of models with less memory on a split, by the models' names.

        There are at least two. The first model has no memory, and each further one has more.
        """
        raise NotImplementedError

    def samples(self, draw: Draw) -> dict[str, float]:
        """Measures of the text that a trained model writes, logged beside its score. By default none.

        Args:
            draw: `draw(count, longest)` returns `count` lines that the model has written. A line ends with its newline;
                a line that has no end after `longest` characters is cut there and has no newline.

        A task may define `samples(self, model, seed)` instead.
        """
        return {}

    def about(self) -> str:
        """A description of the data that is shown before training. By default "", since the options say enough."""
        return ""

    def preprocessing(self) -> dict[str, Any]:
        """What a user of the exported model needs to make its input. It is kept in model.json."""
        padding = {} if self.padding is None else {"padding": self.padding}
        if self.tokens is not None:
            return {"input": "int32 (batch, time)", "words": list(self.token_names()), **padding}
        return {"input": f"float32 (batch, time, {self.features})", **padding}

    def token_names(self) -> Sequence[str]:
        """What each token id is called where a sample is shown."""
        return [str(token) for token in range(self.tokens or 0)]

    def show(self, x: np.ndarray, y: np.ndarray) -> str:
        """One sample as text."""
        if self.source_steps:
            source = " ".join(self.token_names()[token] for token in x[: self.source_steps] if token)
            return f"x {source}\ny {self._answer(y[y != NOT_SCORED])}"
        if self.tokens is not None:
            shown = " ".join(self.token_names()[token] for token in x)
        else:
            channels = (" ".join(f"{value:5.2f}" for value in channel) for channel in x.T)
            shown = "\n  ".join(channels)
        return f"x {shown}\ny {self._answer(y)}"

    def _answer(self, y: np.ndarray) -> str:
        if self.loss == "mse":
            return " ".join(f"{value:.4g}" for value in np.ravel(y))
        if self.loss == "binary":  # a line for each output, as for each channel of x
            return "\n  ".join(" ".join("-01"[int(bit) + 1] for bit in row) for row in np.atleast_2d(y.T))
        return " ".join("-" if value == NOT_SCORED else self.answer(int(value)) for value in np.ravel(y))

    def answer(self, label: int) -> str:
        """What a class is called where a sample is shown."""
        return str(label)


def chance_floors(choices: int) -> dict[str, float]:
    """Floors of a task that asks for several symbols, each of them uniform over `choices`.

    Without memory every answer is a guess. With half of the memory every other answer is known and the rest is guessed.
    """
    return {"no_memory": 1 / choices, "half_memory": 1 / 2 + 1 / (2 * choices)}
