"""A user's own data as a task: `recurrent search data.npz`.

The file is made with `numpy.savez("data.npz", x=x, y=y)`:

    x        floats (n, time, features), or integer tokens (n, time) from 0
    y        integers (n,): a class from 0; integers (n, time): a class at every step, -1 where none is asked;
             floats (n,) or (n, values): numbers to predict; floats (n, time, values): at every step
    lengths  optional, integers (n,): the real steps of each sequence; the steps behind them are not read
    x_val, y_val, lengths_val, x_test, y_test, lengths_test   optional; without them x is split 80/10/10 at random
"""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from experiments.tasks.base import NOT_SCORED, Arrays, Task, option
from experiments.tasks.loading import memoryless
from experiments.tasks.loading.arrays import Split, read
from tracking.errors import DataError

SHOWN_CLASSES = 10


@dataclass(frozen=True, kw_only=True)
class OwnData(Task):
    """Classes are scored by accuracy, numbers by the mean squared error.

    There are two floors. `constant` always answers the most frequent class, or the mean, of the training split.
    `last_step` sees only the last step of a sequence, or the step of the answer if every step has one. For a token it
    answers what came with it in training: the most frequent class, or the mean. For features it answers the class whose
    mean is nearest, or the least squares fit.
    """

    splits: ClassVar[dict[str, Split]]
    file: ClassVar[str]
    knob: ClassVar[str] = "train"
    finite_data: ClassVar[str] = "a file has only so many samples"

    train: int = option(0, "training samples that are used, from the first; 0 for all", 0)
    val: int = option(0, "the same for validation", 0)
    test: int = option(0, "the same for the test, read by export alone", 0)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, (x, _, _) in self.splits.items():
            if getattr(self, name) > len(x):
                raise DataError(f"{name}: expected at most the {len(x)} samples of the file, got {getattr(self, name)}")

    @property
    def _x(self) -> np.ndarray:
        return self.splits["train"][0]

    @property
    def features(self) -> int | None:
        return self._x.shape[2] if self._x.ndim == 3 else None

    @property
    def tokens(self) -> int | None:
        if self._x.ndim == 3:
            return None
        return 1 + max(int(x.max()) for x, _, _ in self.splits.values()) + (self.padding is not None)

    @property
    def outputs(self) -> int:
        if self.loss == "mse":
            return int(self.splits["train"][1].shape[-1])
        return 1 + max(int(y.max()) for _, y, _ in self.splits.values())

    @property
    def steps(self) -> int:
        return int(self._x.shape[1])

    @property
    def padding(self) -> float | None:
        """0 for tokens, which are all raised by one; for features a number below all numbers of the file.

        None without lengths. None also with an answer at every step, since y is -1 behind the end.
        """
        if self.splits["train"][2] is None or self.per_step:
            return None
        if self._x.ndim == 2:
            return 0
        lowest = np.float32(min(float(x.min()) for x, _, _ in self.splits.values()))
        return float(min(np.float32(np.floor(lowest) - 1), np.nextafter(lowest, np.float32(-np.inf))))

    def split(self, name: str, seed: int, epoch: int = 0) -> Arrays:
        x, y, lengths = self.splits[name]
        if lengths is not None:
            real = np.arange(x.shape[1]) < lengths[:, None]
            if self.per_step:
                y = np.where(real, y, np.int32(NOT_SCORED))
            elif x.ndim == 2:
                x = np.where(real, x + np.int32(1), np.int32(0))
            else:
                x = np.where(real[:, :, None], x, np.float32(self.padding or 0))
        used = slice(getattr(self, name) or None)
        return x[used], y[used]

    def floors(self, split: str = "val") -> dict[str, float]:
        (x, y), (x_scored, y_scored) = self.split("train", 0), self.split(split, 0)
        last, scored = (self._last(array, name) for array, name in ((x, "train"), (x_scored, split)))
        if self.per_step:  # the step of the answer takes the place of the last step
            last, scored = (array.reshape(-1, *array.shape[2:]) for array in (x, x_scored))
            y, y_scored = (array.reshape(-1, *array.shape[2:]) for array in (y, y_scored))
        if self.loss == "mse":
            fitted = (memoryless.means if self.tokens else memoryless.fit)(last, y.astype(np.float64), scored)
            errors = y_scored - y.mean(axis=0, dtype=np.float64), y_scored - fitted
            return {"constant": float(np.mean(errors[0] ** 2)), "last_step": float(np.mean(errors[1] ** 2))}
        last, y, scored, y_scored = last[y >= 0], y[y >= 0], scored[y_scored >= 0], y_scored[y_scored >= 0]
        frequent = int(np.bincount(y).argmax())
        guess = memoryless.by_token(last, y, scored, frequent) if self.tokens else memoryless.nearest(last, y, scored)
        return {"constant": float(np.mean(y_scored == frequent)), "last_step": float(np.mean(y_scored == guess))}

    def _last(self, x: np.ndarray, name: str) -> np.ndarray:
        """The last real step of each sequence `(n,)`, of features `(n, features)`."""
        lengths = self.splits[name][2]
        ends = np.full(len(x), x.shape[1]) if lengths is None else lengths[: len(x)]
        return np.asarray(x[np.arange(len(x)), ends - 1])

    def token_names(self) -> list[str]:
        padding = ["_"] if self.padding is not None else []
        return padding + [str(token) for token in range((self.tokens or 0) - len(padding))]

    def about(self) -> str:
        x, y, lengths = self.splits["train"]
        goal = "classification" if self.loss == "categorical" else "regression"
        sizes = ", ".join(f"{len(self.split(name, 0)[0])} {name}" for name in self.splits)
        shown = f"{self.file}: {goal}{' at every step' if self.per_step else ''}; x {x.dtype} {x.shape[1:]},"
        shown += f" y {y.dtype} {y.shape[1:]}{', lengths' if lengths is not None else ''}; samples: {sizes}"
        if self.loss == "mse":
            return shown
        counts = np.bincount(y[y >= 0], minlength=self.outputs)
        shares = ", ".join(f"{label}: {share:.0%}" for label, share in enumerate(counts[:SHOWN_CLASSES] / counts.sum()))
        return f"{shown}; {self.outputs} classes ({shares}{', …' if self.outputs > SHOWN_CLASSES else ''})"


def task(name: str) -> type[OwnData]:
    """The task class of the file with this path. Raises DataError, in one line, for a missing or wrong file."""
    path = Path(name).expanduser().absolute()
    try:
        status = path.stat()
    except OSError:
        raise DataError(f"task: expected a file, got {name!r}, which does not exist") from None
    return _task(path, status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=2)
def _task(path: Path, modified: int, size: int) -> type[OwnData]:
    """`modified` (ns) and `size` (bytes) are part of the cache's key only."""
    splits = read(path)
    y = splits["train"][1]
    classes = y.dtype.kind == "i"
    attributes: dict[str, Any] = {
        "splits": splits,
        "file": path.name,
        "metric": "accuracy" if classes else "mse",
        "direction": "max" if classes else "min",
        "loss": "categorical" if classes else "mse",
        "per_step": y.ndim == (2 if classes else 3),
        "__doc__": OwnData.__doc__,
    }
    return type("OwnData", (OwnData,), attributes)
