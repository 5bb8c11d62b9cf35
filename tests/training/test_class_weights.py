"""Classes that do not count alike: the training loss is that of the definition, and a rare class is learnt."""

from pathlib import Path

import keras
import keras_tuner
import numpy as np
import pytest

from experiments.tasks.loading.find import make
from experiments.training.training import Training
from search_spaces.recurrent import RecurrentSpace


@pytest.fixture
def file(tmp_path: Path) -> str:
    """One sequence in ten is of class 1. Its numbers are a little larger, so that it pays to answer 0 always."""
    rng = np.random.default_rng(0)
    y = np.arange(2_000) % 10 == 0
    x = rng.normal(size=(2_000, 5, 1)) + 0.6 * y[:, None, None]
    np.savez(tmp_path / "rare.npz", x=x.astype(np.float32), y=y.astype(int))
    return str(tmp_path / "rare.npz")


def training(file: str, batch: int, per_class: str) -> Training:
    task = make(file, {"class_weight": per_class, "metric": "balanced_accuracy"})
    keras.utils.set_random_seed(0)
    space = RecurrentSpace(2, "categorical", features=1, cells=["gru"], depths=[1], widths=[8], learning_rate=[0.02])
    model = space.build(keras_tuner.HyperParameters())
    return Training(model, task, task.split("train", 0), task.split("val", 0), batch, 0, (0, 0))


def test_the_loss_is_the_weighted_mean(file: str) -> None:
    made = training(file, 1_600, "balanced")
    x, y = made.task.split("train", 0)
    logits = np.asarray(made.model(x))
    costs = np.logaddexp.reduce(logits, axis=1) - logits[np.arange(len(y)), y]
    weights = (len(y) / (2 * np.bincount(y)))[y]
    assert made.run_epoch()["loss"] == pytest.approx(float((weights * costs).mean()), rel=1e-5)


def test_a_rare_class_is_learnt(file: str) -> None:
    scores = {}
    for per_class in ("none", "balanced"):
        made = training(file, 32, per_class)
        scores[per_class] = [made.run_epoch()["val_balanced_accuracy"] for _ in range(3)][-1]
    assert scores["balanced"] > scores["none"] + 0.1
