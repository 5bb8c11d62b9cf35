"""Scores of a user's own data: against scikit-learn, against numbers by hand, and from the command line's options."""

from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics as reference

from experiments.tasks.loading import metrics
from experiments.tasks.loading.find import make
from experiments.training.scoring import grain
from tracking.errors import BadInput

REFERENCES = {
    "accuracy": reference.accuracy_score,
    "balanced_accuracy": reference.balanced_accuracy_score,
    "f1": lambda answers, outputs: reference.f1_score(answers, outputs, average="macro"),
    "mse": reference.mean_squared_error,
    "mae": reference.mean_absolute_error,
}


@pytest.mark.parametrize("metric", [*metrics.OF_CLASSES, *metrics.OF_NUMBERS])
def test_it_is_what_scikit_learn_computes(metric: str) -> None:
    rng = np.random.default_rng(0)
    answers, outputs = rng.choice(4, (2, 200), p=[0.7, 0.2, 0.08, 0.02])
    if metric in metrics.OF_NUMBERS:
        answers, outputs = rng.normal(size=(2, 200, 3))
    found = metrics.summary(metric, metrics.judge(metric, answers, outputs))
    assert found == pytest.approx(REFERENCES[metric](answers, outputs), rel=1e-12)


def test_a_score_of_parts_is_that_of_the_whole() -> None:
    answers, outputs = np.random.default_rng(0).integers(0, 3, (2, 100))
    for metric in metrics.OF_CLASSES:
        parts = [metrics.judge(metric, answers[part], outputs[part]) for part in (slice(60), slice(60, None))]
        whole = metrics.summary(metric, metrics.judge(metric, answers, outputs))
        assert metrics.summary(metric, np.concatenate(parts)) == whole


def test_one_answer_that_turns() -> None:
    """Three of class 0, one of class 1, all right: the rare one is half of the balanced accuracy."""
    rows = np.array([[0, 0], [0, 0], [0, 0], [1, 1]], float)
    assert metrics.turned("balanced_accuracy", rows) == 0.5
    # The 1 answered as 0: F1 of class 0 is 2 * 3 / (3 + 4), that of class 1 is 0.
    assert metrics.turned("f1", rows) == pytest.approx(1 - 3 / 7)


def test_weights_give_every_class_the_same_share() -> None:
    weights = metrics.balanced(np.array([0, 0, 0, 1]), 2)
    assert weights.tolist() == pytest.approx([4 / 6, 2])
    assert 3 * weights[0] == pytest.approx(weights[1])


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """Classes of which one is rare, and numbers of which one is far off."""
    rng = np.random.default_rng(0)
    x = rng.random((100, 4, 2), np.float32)
    np.savez(tmp_path / "classes.npz", x=x, y=(rng.random(100) < 0.2).astype(int))
    y = rng.random(100)
    y[:10] += 50
    np.savez(tmp_path / "numbers.npz", x=x, y=y)
    return str(tmp_path / "classes.npz"), str(tmp_path / "numbers.npz")


@pytest.mark.parametrize("metric", metrics.OF_CLASSES)
def test_a_task_of_classes(files: tuple[str, str], metric: str) -> None:
    task = make(files[0], {"metric": metric})
    assert (task.metric, task.direction, task.loss) == (metric, "max", "categorical")
    _, y = task.split("val", 0)
    outputs = np.eye(2, dtype=np.float32)[np.zeros(len(y), int)]
    assert task.score(y, outputs) == pytest.approx(REFERENCES[metric](y, np.zeros(len(y), int)))
    assert task.floors()["constant"] == pytest.approx(task.score(y, outputs))
    assert grain(task, y, task.judge(y, outputs)) > 0


def test_a_task_of_numbers(files: tuple[str, str]) -> None:
    task, plainest = make(files[1], {"metric": "mae"}), make(files[1], {})
    assert (task.metric, task.direction, task.loss, plainest.metric) == ("mae", "min", "mse", "mse")
    _, y = task.split("val", 0)
    mean = task.split("train", 0)[1].mean()
    assert task.floors()["constant"] == pytest.approx(float(np.abs(y - mean).mean()))
    assert task.score(y, y + 2) == pytest.approx(2) and grain(task, y, task.judge(y, y)) > 0


def test_without_a_metric_it_is_scored_as_ever(files: tuple[str, str]) -> None:
    assert (make(files[0], {}).metric, make(files[1], {}).metric) == ("accuracy", "mse")
    assert make(files[0], {}).class_weights is None


def test_the_weights_of_a_task(files: tuple[str, str]) -> None:
    task = make(files[0], {"class_weight": "balanced"})
    _, y = task.split("train", 0)
    assert task.class_weights is not None
    assert task.class_weights == pytest.approx(len(y) / (2 * np.bincount(y)))


@pytest.mark.parametrize(
    ("place", "options", "line"),
    [
        (0, {"metric": "mae"}, "metric: expected one of accuracy, balanced_accuracy, f1 for classes, got 'mae'"),
        (1, {"metric": "f1"}, "metric: expected one of mse, mae for numbers, got 'f1'"),
        (1, {"class_weight": "balanced"}, "class_weight: expected none for numbers, got 'balanced'"),
        (
            0,
            {"metric": "auc"},
            "metric: expected one of auto, accuracy, balanced_accuracy, f1, mse, mae, got 'auc'",
        ),
    ],
)
def test_what_does_not_fit(files: tuple[str, str], place: int, options: dict[str, str], line: str) -> None:
    with pytest.raises(BadInput) as raised:
        make(files[place], options)
    assert str(raised.value) == line
