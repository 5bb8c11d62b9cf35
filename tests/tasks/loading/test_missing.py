"""Numbers at every step of which some are missing: they are neither trained on nor scored."""

from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
import pytest

from experiments.tasks.base import Task
from experiments.tasks.loading.find import make
from experiments.training.scoring import SavedScorer, Scorer, grain
from experiments.training.training import Training
from search_spaces.recurrent import RecurrentSpace
from tracking.errors import DataError

COUNT, STEPS = 40, 5


def saved(folder: Path, **changes: Any) -> str:
    """Each answer is twice the number of its step; a third of the steps has none."""
    rng = np.random.default_rng(0)
    x = rng.random((COUNT, STEPS, 1), np.float32)
    y = 2 * x
    y[rng.random((COUNT, STEPS)) < 1 / 3] = np.nan
    np.savez(folder / "data.npz", **{"x": x, "y": y, **changes})
    return str(folder / "data.npz")


def asked(task: Task, split: str) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of the steps that have an answer, and the answers."""
    x, y = task.split(split, 0)
    return x[~np.isnan(y)], y[~np.isnan(y)]


def test_what_is_asked_is_scored(tmp_path: Path) -> None:
    task = make(saved(tmp_path), {})
    x, y = task.split("val", 0)
    assert task.per_step and np.isnan(y).any() and "% missing" in task.about()
    assert task.score(y, 2 * x + 0.5) == pytest.approx(0.25)
    mean = asked(task, "train")[1].mean()
    assert task.floors()["constant"] == pytest.approx(float(np.square(asked(task, "val")[1] - mean).mean()), rel=1e-5)
    assert task.floors()["last_step"] < 1e-9, "its own step says the answer"
    assert 0 < grain(task, y, task.judge(y, 2 * x)) < 1e-6


def test_what_is_asked_is_trained_on(tmp_path: Path) -> None:
    task = make(saved(tmp_path), {})
    keras.utils.set_random_seed(0)
    space = RecurrentSpace(1, "mse", features=1, per_step=True, cells=["gru"], depths=[1], widths=[4])
    model = space.build(keras_tuner.HyperParameters())
    training = Training(model, task, task.split("train", 0), task.split("val", 0), COUNT, 0, (0, 0))
    x, y = task.split("train", 0)
    errors = np.square(np.asarray(model(x)) - y)
    logs = training.run_epoch()
    assert logs["loss"] == pytest.approx(float(np.nanmean(errors)), rel=1e-5)
    val = task.split("val", 0)
    assert Scorer(task, model, val).score() == pytest.approx(logs["val_mse"])
    assert np.isfinite(logs["val_mse"])
    scored = SavedScorer(task, 0).samples(10**6).scored
    assert (scored == ~np.isnan(val[1][..., 0])).all()


def test_behind_the_end_none_is_asked(tmp_path: Path) -> None:
    lengths = np.arange(COUNT) % STEPS + 1
    y = np.full((COUNT, STEPS, 1), 0.5)
    task = make(saved(tmp_path, y=y, lengths=lengths), {"split_by": "ordered"})
    found = task.split("train", 0)[1]
    assert (np.isfinite(found[..., 0]).sum(axis=1) == lengths[:32]).all() and task.padding is None


@pytest.mark.parametrize(
    ("y", "line"),
    [
        (np.full((COUNT, STEPS, 1), np.nan), "y: expected a number somewhere, got none: all are NaN"),
        (
            np.where(np.arange(2) == 1, np.nan, np.ones((COUNT, STEPS, 2))),
            "y: expected finite numbers of 32 bits, got 200 that are NaN, infinite or too large",
        ),
        (
            np.where(np.arange(COUNT) == 1, np.nan, 0.5),
            "y: expected finite numbers of 32 bits, got 1 that are NaN, infinite or too large",
        ),
        (
            np.full((COUNT, STEPS, 1), np.inf),
            "y: expected finite numbers of 32 bits, got 200 that are NaN, infinite or too large",
        ),
    ],
    ids=["none at all", "half a step", "a whole sequence", "infinite"],
)
def test_what_cannot_be_missing(tmp_path: Path, y: np.ndarray, line: str) -> None:
    with pytest.raises(DataError) as raised:
        make(saved(tmp_path, y=y), {})
    assert str(raised.value) == line
