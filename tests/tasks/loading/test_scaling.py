"""A scale of a user's numbers: models read and answer in it, and scores, floors and answers stay in units."""

import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.tasks.loading.find import make
from experiments.tasks.loading.scaling import Scale
from experiments.training.scoring import grain
from tracking.deploy import predict

COUNT = 60


def saved(folder: Path, **changes: Any) -> str:
    """Kelvin and pascal; the answers are joule."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(COUNT, 4, 2)) * (5, 300) + (290, 101_000)
    y = x[:, -1, :1] * 1_000 + rng.normal(size=(COUNT, 1))
    np.savez(folder / "data.npz", **{"x": x.astype(np.float32), "y": y, **changes})
    return str(folder / "data.npz")


def test_a_scale_by_hand() -> None:
    scale = Scale.of(np.array([[1.0, 7.0], [3.0, 7.0], [np.nan, np.nan]]))
    assert (scale.mean.tolist(), scale.deviation.tolist()) == ([2, 7], [1, 1]), "a constant column is not divided"
    assert scale.scaled(np.array([[4.0, 8.0]])).tolist() == [[2, 1]]
    assert scale.in_units(scale.scaled(np.array([[4.0, 8.0]]))).tolist() == [[4, 8]]


def test_models_read_and_answer_in_the_scale_of_the_training_split(tmp_path: Path) -> None:
    scaled, plainest = make(saved(tmp_path), {"scale": "standard"}), make(saved(tmp_path), {})
    x, y = scaled.split("train", 0)
    assert x.dtype == y.dtype == np.float32
    assert x.reshape(-1, 2).mean(axis=0) == pytest.approx([0, 0], abs=1e-3)
    assert x.reshape(-1, 2).std(axis=0) == pytest.approx([1, 1], rel=1e-3)
    assert (float(y.mean()), float(y.std())) == (pytest.approx(0, abs=1e-3), pytest.approx(1, rel=1e-3))
    (_, val), (_, units) = scaled.split("val", 0), plainest.split("val", 0)
    assert scaled.score(val, np.zeros_like(val)) == pytest.approx(
        plainest.score(units, np.full_like(units, plainest.split("train", 0)[1].mean())), rel=1e-4
    )
    assert scaled.floors() == pytest.approx(plainest.floors(), rel=1e-2)
    assert grain(scaled, val, scaled.judge(val, 0 * val)) > grain(plainest, val, plainest.judge(val, 0 * val))


def test_classes_and_tokens_have_no_scale(tmp_path: Path) -> None:
    labels = make(saved(tmp_path, y=np.arange(COUNT) % 2), {"scale": "standard"}).preprocessing()
    assert "x_mean" in labels and "y_mean" not in labels
    tokens = make(saved(tmp_path, x=np.arange(4 * COUNT).reshape(COUNT, 4) % 5), {"scale": "standard"}).preprocessing()
    assert "x_mean" not in tokens and "y_mean" in tokens


def test_padding_is_below_all_numbers_of_the_scale(tmp_path: Path) -> None:
    task = make(saved(tmp_path, lengths=np.arange(COUNT) % 4 + 1), {"scale": "standard", "split_by": "ordered"})
    x, _ = task.split("train", 0)
    real = np.arange(4) < (np.arange(48) % 4 + 1)[:, None]
    assert (x[~real] == task.padding).all() and x[real].min() > task.padding


def test_an_export_reads_and_answers_in_units(tmp_path: Path) -> None:
    task = make(saved(tmp_path), {"scale": "standard"})
    about = json.loads(json.dumps(task.preprocessing()))
    card = {"preprocessing": about, "answer": "numbers", "shapes": {"input": {"shape": [None, None, 2]}}}
    tools = runpy.run_path(predict.__file__)
    with np.load(tmp_path / "data.npz") as file:
        given, wanted = file["x"], file["y"]
    order = np.random.default_rng(0).permutation(COUNT)[48:54]
    x, y = task.split("val", 0)
    for place, row, answer in zip(order, x, y, strict=True):
        assert tools["sequence"](given[place].tolist(), card) == pytest.approx(row, abs=1e-4)
        assert tools["answers"](answer, card) == pytest.approx(wanted[place].tolist(), rel=1e-5)
