"""Scores of classes and of numbers that a user may choose for data of their own.

accuracy             the share of right answers
balanced_accuracy    the mean of that share over the classes; a rare class counts as much as a frequent one
f1                   the mean over the classes of 2 TP / (2 TP + FP + FN), also called macro F1
mse, mae             the mean squared error, the mean absolute error
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from experiments.tasks.base import NOT_SCORED, Task, option
from experiments.tasks.loading import scaling
from experiments.tasks.loading.scaling import Scale
from tracking.errors import BadInput

OF_CLASSES = ("accuracy", "balanced_accuracy", "f1")
OF_NUMBERS = ("mse", "mae")
AUTO = "auto"
ABOUT = "accuracy, balanced_accuracy or f1 of classes; mse or mae of numbers; auto: accuracy or mse"
ALIKE, BALANCED = "none", "balanced"  # of -o class_weight=


@dataclass(frozen=True, kw_only=True)
class Measured(Task):
    """A task whose score is one of these. `choose` is called when it is known whether it asks for classes."""

    metric: str = option(AUTO, ABOUT, choices=(AUTO, *OF_CLASSES, *OF_NUMBERS))  # type: ignore[misc]  # others have one
    class_weight: str = option(ALIKE, "balanced: a rare class counts as much in training", choices=(ALIKE, BALANCED))
    scale: str = option(scaling.AS_THEY_ARE, scaling.ABOUT, choices=scaling.KINDS)
    x_scale: ClassVar[Scale | None] = None
    y_scale: ClassVar[Scale | None] = None

    def choose(self, classes: bool) -> None:
        """Sets the metric, its direction and the loss. Raises BadInput for options that do not fit the answers."""
        known, what = (OF_CLASSES, "classes") if classes else (OF_NUMBERS, "numbers")
        if self.metric not in (AUTO, *known):
            raise BadInput(f"metric: expected one of {', '.join(known)} for {what}, got {self.metric!r}")
        if self.class_weight != ALIKE and not classes:
            raise BadInput(f"class_weight: expected {ALIKE} for numbers, got {self.class_weight!r}")
        chosen = known[0] if self.metric == AUTO else self.metric
        facts = (chosen, "max", "categorical") if classes else (chosen, "min", "mse")
        for name, value in zip(("metric", "direction", "loss"), facts, strict=True):
            object.__setattr__(self, name, value)

    def scale_by(self, x: np.ndarray | None, y: np.ndarray | None) -> None:
        """Sets the scales, by the features and the numbers of the training split, `(…, columns)`. None has no scale."""
        if self.scale == scaling.STANDARD:
            for name, rows in (("x_scale", x), ("y_scale", y)):
                object.__setattr__(self, name, None if rows is None else Scale.of(rows))

    def weigh(self, classes: np.ndarray, count: int) -> None:
        """Sets what each of `count` classes counts in the training loss, by the classes of the training split."""
        if self.class_weight == BALANCED:
            object.__setattr__(self, "class_weights", balanced(classes, count))

    def scaled_x(self, x: np.ndarray) -> np.ndarray:
        """Features as the models read them."""
        return self.x_scale.scaled(x) if self.x_scale else x

    def scaled_y(self, y: np.ndarray) -> np.ndarray:
        """Numbers as the models answer them."""
        return self.y_scale.scaled(y) if self.y_scale else y

    def in_units(self, y: np.ndarray) -> np.ndarray:
        """Numbers that a model answers, in the units of the file. Classes stay as they are."""
        return self.y_scale.in_units(y) if self.y_scale else y

    def preprocessing(self) -> dict[str, Any]:
        scales = (("x", self.x_scale), ("y", self.y_scale))
        return super().preprocessing() | {
            key: value for name, one in scales if one for key, value in one.about(name).items()
        }

    def judge(self, y: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        if self.loss == "mse":
            return self._judge(y, outputs)
        asked = y != NOT_SCORED
        return self._judge(y[asked], outputs.argmax(axis=-1)[asked])

    def _judge(self, y: np.ndarray, answers: np.ndarray) -> np.ndarray:
        return judge(self.metric, self.in_units(y), self.in_units(answers))

    def score_of(self, y: np.ndarray, answers: np.ndarray) -> float:
        """The score of answers: classes `(n,)`, or numbers `(n, values)` in the scale of y."""
        return self.summary(self._judge(y, answers))

    def summary(self, judged: np.ndarray) -> float:
        return summary(self.metric, judged)


def balanced(classes: np.ndarray, count: int) -> np.ndarray:
    """For each of `count` classes a weight with which all classes have the same share; the mean weight is 1."""
    counts = np.bincount(classes, minlength=count)
    return np.asarray(counts.sum() / (count * counts), np.float32)


def judge(metric: str, answers: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """A row for each answer, from which `summary` makes the score.

    Args:
        answers, outputs: what was asked and what was answered. Classes `(n,)`; numbers `(n, …, values)`, NaN where none
            was asked.
    """
    if metric in OF_NUMBERS:
        errors = np.subtract(answers, outputs, dtype=np.float64).reshape(len(answers), -1)
        if np.isnan(errors).any():  # a row for each number that is there
            errors = errors[~np.isnan(errors)][:, None]
        return np.asarray((np.abs(errors) if metric == "mae" else np.square(errors)).mean(axis=1))
    if metric == "accuracy":
        return np.asarray(outputs == answers, np.float64)
    return np.stack([answers, outputs], axis=1)


def summary(metric: str, rows: np.ndarray) -> float:
    """The score of all answers."""
    if metric == "balanced_accuracy":
        answers, outputs = rows.T
        return float(np.mean([(outputs[answers == one] == one).mean() for one in np.unique(answers)]))
    if metric == "f1":
        answers, outputs = rows.T
        return float(np.mean([_f1(answers == one, outputs == one) for one in np.unique(rows)]))
    return float(rows.mean())


def _f1(asked: np.ndarray, answered: np.ndarray) -> float:
    return 2 * np.count_nonzero(asked & answered) / (np.count_nonzero(asked) + np.count_nonzero(answered))


def turned(metric: str, rows: np.ndarray) -> float:
    """By how much the score may change if one answer turns from right to wrong, or from wrong to right."""
    answers, outputs = rows.T
    before, found = summary(metric, rows), 0.0
    for one in np.unique(answers):
        place = int(np.flatnonzero(answers == one)[0])
        others = np.unique(rows[rows != one])
        for other in (one, *others[:1]):
            changed = rows.copy()
            changed[place, 1] = other
            found = max(found, abs(summary(metric, changed) - before))
    return found
