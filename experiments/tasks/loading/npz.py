"""A user's own data as a task: `recurrent search data.npz`.

The file is made with `numpy.savez("data.npz", x=x, y=y)`:

    x        floats (n, time, features), or integer tokens (n, time) from 0
    y        integers or strings (n,): a class; (n, time): a class at every step, -1 or "" where none is asked;
             one-hot rows (n, classes) or (n, time, classes): the same;
             floats (n,) or (n, values): numbers to predict; floats (n, time, values): at every step, NaN where none is
    lengths  optional, integers (n,): the real steps of each sequence; the steps behind them are not read
    x_val, y_val, lengths_val, x_test, y_test, lengths_test   optional; without them x is split: see splitting.py
    group    optional, integers or strings (n,): what `-o split_by=group` keeps in one split

Tokens and classes are those of the training split. Any other token becomes one unknown token, and any other class is
scored as wrong.
"""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from experiments.tasks.base import NOT_SCORED, SPLITS, Arrays, option
from experiments.tasks.loading import answers, description, memoryless, metrics, splitting, windowed
from experiments.tasks.loading.arrays import SUFFIXES, Split, below, ids, read
from experiments.tasks.loading.own_file import stamp
from tracking.errors import BadInput, DataError

UNKNOWN, PADDING = "?", "_"  # where a sample is shown; unknown is a token or a class that the training split lacks


@dataclass(frozen=True, kw_only=True)
class OwnData(metrics.Measured):
    """Classes are scored by accuracy, numbers by the mean squared error, or as `-o metric=` says.

    The floor `constant` always answers the most frequent class, or the mean, of the training split. `last_step` sees
    only the last step of a sequence, or the step of the answer if every step has one; see memoryless.py.
    """

    splits: ClassVar[dict[str, Split]]  # of the file; one of all samples if it does not say what is for what
    groups: ClassVar[np.ndarray | None]
    lost: ClassVar[dict[str, str]]  # what 32 bits take from the arrays of the file, in lines
    file: ClassVar[str]
    knob: ClassVar[str] = "train"
    finite_data: ClassVar[str] = "a file has only so many samples"

    train: int = option(0, "training samples that are used, from the first; 0 for all", 0)
    val: int = option(0, "the same for validation", 0)
    test: int = option(0, "the same for the test, read by finals and export alone", 0)
    kind: str = option("auto", answers.ABOUT, choices=answers.KINDS)
    split_by: str = option(splitting.RANDOM, splitting.ABOUT, choices=splitting.KINDS)
    gap: int = option(0, "samples that are left out in front of val and of test, with split_by=ordered", 0)
    window: int = option(0, windowed.ABOUT, 0)
    stride: int = option(1, "steps from the end of a window to that of the next", 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        found, groups = windowed.cut(self.splits, self.groups, self.window, self.stride, self.split_by, self.kind)
        shared = windowed.overlap(self.window, self.stride, self.split_by)
        object.__setattr__(self, "splits", splitting.made(found, groups, self.split_by, self.gap, shared))
        for name, (x, _, _) in self.splits.items():
            if getattr(self, name) > len(x):
                raise DataError(f"{name}: expected at most the {len(x)} samples of the file, got {getattr(self, name)}")
        if self.reading == 1 and self.kind != "auto":
            raise BadInput(f"kind: expected auto for a search of an earlier version, got {self.kind!r}")
        classes = self._answers.classes
        self.choose(classes)
        object.__setattr__(self, "per_step", self._answers.per_step)
        if self.reading > 1 and classes:
            self._check_classes()
        x, y, _ = self._used("train")
        self.scale_by(x[self._real("train")] if self.features else None, None if classes else y)
        if classes:
            self.weigh(self._class_ids(self._asked("train")), self.outputs)

    def _check_classes(self) -> None:
        for name in SPLITS:
            used = f"in the {len(self._used(name)[0])} {name} samples that are used"
            if not self._asked(name).size:
                raise DataError(f"y{SUFFIXES[name]}: expected a class somewhere {used}, got none: all are -1")
            if name == "train" and self.outputs < 2:
                raise DataError(f"y: expected at least two classes {used}, got one: {self.answer(0)}")

    @functools.cached_property
    def _answers(self) -> answers.Answers:
        return answers.read_as_before(self.splits) if self.reading == 1 else answers.read(self.splits, self.kind)

    def _used(self, name: str) -> Split:
        """The samples of a split that are used: x of the file, y of the answers, and the lengths."""
        (x, _, lengths), used = self.splits[name], slice(getattr(self, name) or None)
        return x[used], self._answers.y[name][used], None if lengths is None else lengths[used]

    def _real(self, name: str) -> np.ndarray:
        """True for the steps `(n, time)` in front of the ends of their sequences."""
        x, _, lengths = self._used(name)
        return np.ones(x.shape[:2], bool) if lengths is None else np.arange(x.shape[1]) < lengths[:, None]

    def _asked(self, name: str) -> np.ndarray:
        """The places in `labels` of the classes that a split asks for."""
        _, y, _ = self._used(name)
        return y[(y != NOT_SCORED) & self._real(name)] if self.per_step else y

    @functools.cached_property
    def _classes(self) -> np.ndarray:
        """The classes that the training split has, as places in `labels`. The place here is the class's id."""
        return np.arange(len(self._answers.labels)) if self.reading == 1 else np.unique(self._asked("train"))

    @functools.cached_property
    def _tokens(self) -> np.ndarray:
        """The tokens that the training split has. With reading 1 these are all up to the largest of any split."""
        if self.reading == 1:
            return np.arange(1 + max(int(x.max()) for x, _, _ in self.splits.values()))
        return np.unique(self._used("train")[0][self._real("train")])

    @property
    def _unknown(self) -> int:
        """The id of the tokens that the training split lacks. It is the last one."""
        return int(self._tokens[-1]) + 1 + (self.padding is not None)

    @property
    def features(self) -> int | None:
        x, _, _ = self.splits["train"]
        return x.shape[2] if x.ndim == 3 else None

    @property
    def tokens(self) -> int | None:
        return None if self.features else self._unknown + (self.reading > 1)

    @property
    def outputs(self) -> int:
        return len(self._classes) if self.loss == "categorical" else int(self._answers.y["train"].shape[-1])

    @property
    def steps(self) -> int:
        return int(self.splits["train"][0].shape[1])

    @property
    def padding(self) -> float | None:
        """0 for tokens, which are all raised by one; for features a number below all numbers of the file.

        No step of any split has it. None without lengths, and with an answer at every step: y is -1 behind the end.
        """
        if self.splits["train"][2] is None or self.per_step:
            return None
        if self.features is None:
            return 0
        return below(min(float(self.scaled_x(x).min()) for x, _, _ in self.splits.values()))

    def split(self, name: str, seed: int, epoch: int = 0) -> Arrays:
        x, y, lengths = self._used(name)
        x, y = self.scaled_x(x), self.scaled_y(y)
        if self.features is None:
            x = self._token_ids(x)
        if self.loss == "categorical":
            y = self._class_ids(y)
        if lengths is not None:
            real = self._real(name)
            if self.per_step and self.loss == "categorical":
                y = np.where(real, y, np.int32(NOT_SCORED))
            elif not self.per_step:
                x = np.where(real if self.features is None else real[:, :, None], x, x.dtype.type(self.padding or 0))
        return x, y

    def _token_ids(self, x: np.ndarray) -> np.ndarray:
        """Tokens keep their numbers, raised by one where there is padding."""
        return ids(x, self._tokens, self._tokens + (self.padding is not None), self._unknown)

    def _class_ids(self, y: np.ndarray) -> np.ndarray:
        """The classes of the training split are 0, 1, …; any other class is a number that no output has."""
        known = ids(np.maximum(y, 0), self._classes, np.arange(self.outputs), self.outputs)
        return np.where(y == NOT_SCORED, np.int32(NOT_SCORED), known)

    def floors(self, split: str = "val") -> dict[str, float]:
        (x, y), (x_scored, y_scored) = self.split("train", 0), self.split(split, 0)
        last, scored = (self._last(array, name) for array, name in ((x, "train"), (x_scored, split)))
        if self.per_step:  # the step of the answer takes the place of the last step
            last, scored = (array.reshape(-1, *array.shape[2:]) for array in (x, x_scored))
            y, y_scored = (array.reshape(-1, *array.shape[2:]) for array in (y, y_scored))
        numbers = self.loss == "mse"
        asked, given = (~np.isnan(part[:, 0]) if numbers else part >= 0 for part in (y, y_scored))
        last, y, scored, y_scored = last[asked], y[asked], scored[given], y_scored[given]
        found = (memoryless.numbers if numbers else memoryless.classes)(last, y, scored)
        return {name: self.score_of(y_scored, guess) for name, guess in found.items()}

    def _last(self, x: np.ndarray, name: str) -> np.ndarray:
        """The last real step of each sequence `(n,)`, of features `(n, features)`."""
        lengths = self.splits[name][2]
        return x[:, -1] if lengths is None else x[np.arange(len(x)), lengths[: len(x)] - 1]

    def preprocessing(self) -> dict[str, Any]:
        more = {"unknown": self._unknown} if self.tokens and self.reading > 1 else {}
        more |= {"classes": self._answers.labels[self._classes].tolist()} if self.loss == "categorical" else {}
        return {**super().preprocessing(), **more, **({"window": self.window} if self.window else {})}

    def token_names(self) -> list[str]:
        names = [UNKNOWN] * (self.tokens or 0)
        for token, place in zip(self._tokens.tolist(), self._token_ids(self._tokens).tolist(), strict=True):
            names[place] = str(token)
        return [PADDING, *names[1:]] if self.padding is not None else names

    def answer(self, label: int) -> str:
        return str(self._answers.labels[self._classes[label]]) if label < self.outputs else UNKNOWN

    def about(self) -> str:
        """How the file was read, in one line."""
        goal = "classification" if self.loss == "categorical" else "regression"
        shorter, tokens = self.splits["train"][2] is not None, 0 if self.features else len(self._tokens)
        x = description.describe_x(self.steps, shorter, self.features, tokens)
        sizes = ", ".join(f"{len(self._used(name)[0])} {name}" for name in SPLITS) + splitting.shown(self.split_by)
        repeated = description.repeated({name: self.split(name, 0)[0] for name in SPLITS})
        missing = ", ".join(filter(None, map(self._missing, SPLITS[1:]))) if self.reading > 1 else ""
        notes = {"not in train": missing, "in train, too": repeated}
        parts = [f"{self.file}: {goal}", f"x: {x}", f"y: {self._about_answers()}", f"samples: {sizes}"]
        parts += [f"{what}: {note}" for what, note in notes.items() if note]
        return "; ".join([*parts, *filter(None, [self.doubt])])

    @property
    def doubt(self) -> str:
        """A line about data that are most likely not meant as they were read; "" if there is no doubt."""
        lost = next((line for name, line in self.lost.items() if name[0] == "x" or self.loss == "mse"), "")
        return lost or (answers.numbers_as_strings(self.splits["train"][1]) if self.kind == "auto" else "")

    def _about_answers(self) -> str:
        if self.loss == "mse":
            missing = description.share_missing(float(np.isnan(self._answers.y["train"]).mean()))
            return description.numbers(self.outputs, self.steps, self.per_step) + missing
        counts = np.bincount(self._class_ids(self._asked("train")), minlength=self.outputs)
        names = [self.answer(label) for label in range(self.outputs)]
        return description.classes(names, counts, self._answers.one_hot, self.per_step)

    def _missing(self, name: str) -> str:
        """How much a split has of what the training split lacks."""
        x, y = self.split(name, 0)
        tokens = int((x[self._real(name)] == self._unknown).sum()) if self.tokens else 0
        return description.missing(name, tokens, int((y == self.outputs).sum()) * self._answers.classes)


def task(name: str) -> type[OwnData]:
    """The task class of the file with this path. Raises DataError, in one line, for a missing or wrong file."""
    return _task(*stamp(name))


@functools.lru_cache(maxsize=2)
def _task(path: Path, modified: int, size: int) -> type[OwnData]:
    """`modified` (ns) and `size` (bytes) are part of the cache's key only."""
    lost: dict[str, str] = {}
    parts, groups = read(path, lost)
    about = {"splits": parts, "groups": groups, "lost": lost, "file": path.name, "__doc__": OwnData.__doc__}
    return type("OwnData", (OwnData,), about)
