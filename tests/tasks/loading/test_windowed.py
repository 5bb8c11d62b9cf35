"""Windows that are cut from long sequences with an answer at every step."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.tasks.loading.find import make
from experiments.training.scoring import SavedScorer
from tracking.deploy import predict
from tracking.errors import BadInput, DataError

STEPS = 100


def saved(folder: Path, **more: Any) -> str:
    """One sequence whose numbers are the places of the steps; its class changes every second step."""
    arrays = {"x": np.arange(STEPS, dtype=np.float32)[None, :, None], "y": np.arange(STEPS)[None] // 2 % 2, **more}
    np.savez(folder / "data.npz", **arrays)
    return str(folder / "data.npz")


def read(task: Any, name: str) -> list[list[int]]:
    return task.split(name, 0)[0][..., 0].astype(int).tolist()


def test_windows_by_hand(tmp_path: Path) -> None:
    task = make(saved(tmp_path), {"window": "3", "stride": "2", "split_by": "ordered"})
    x, y = task.split("train", 0)
    assert read(task, "train")[:3] == [[0, 1, 2], [2, 3, 4], [4, 5, 6]]
    assert y[:3].tolist() == [1, 0, 1], "of the steps 2, 4 and 6"
    assert not task.per_step and task.steps == 3 and x.shape[1:] == (3, 1)
    assert "classification; x: 3 steps of 1 feature" in task.about() and "in their order" in task.about()


@pytest.mark.parametrize(("window", "stride"), [(5, 1), (5, 3), (6, 3), (4, 9)])
def test_no_step_is_in_two_splits(tmp_path: Path, window: int, stride: int) -> None:
    task = make(saved(tmp_path), {"window": str(window), "stride": str(stride), "split_by": "ordered"})
    steps = [{step for row in read(task, name) for step in row} for name in ("train", "val", "test")]
    assert not steps[0] & steps[1] and not steps[1] & steps[2] and all(steps)
    assert min(steps[1]) - max(steps[0]) <= max(window, stride), "no more is left out than needed"


def test_what_is_not_asked_and_what_is_not_real(tmp_path: Path) -> None:
    y = np.tile(np.array(["a", "", "b", "a"]), (3, 5))
    x = np.zeros((3, 20, 2), np.float32)
    path = saved(tmp_path, x=x, y=y, lengths=np.array([20, 6, 20]))
    task = make(path, {"window": "3", "split_by": "group"})
    sizes = {name: len(task.split(name, 0)[0]) for name in ("train", "val", "test")}
    assert sorted(sizes.values()) == [3, 14, 14], "ends 2 3 4 of six steps; of twenty 2 to 19 without four"
    assert task.padding is None and task.outputs == 2


def test_numbers_and_their_names_by_group(tmp_path: Path) -> None:
    """Regression with missing numbers: windows that end at NaN are left out. Groups are those of the file."""
    x, y = np.random.default_rng(0).normal(size=(2, 6, 20, 2))
    y[:, 10:12] = np.nan
    group = np.array([0, 0, 1, 1, 2, 2])
    task = make(saved(tmp_path, x=x, y=y, group=group), {"window": "8", "split_by": "group"})
    assert task.loss == "mse" and [len(task.split(name, 0)[1]) for name in ("train", "val", "test")] == [22] * 3
    tokens = saved(tmp_path, x=np.arange(60)[None] % 7, y=np.arange(60.0)[None])
    numbers = make(tokens, {"window": "4", "split_by": "ordered"})
    assert numbers.split("train", 0)[1][:2].ravel().tolist() == [3, 4] and numbers.tokens == 8
    assert SavedScorer(numbers, 0).samples(10**6).scored.all()


@pytest.mark.parametrize(
    ("y", "kind", "count"),
    [
        (np.where(np.arange(STEPS) % 2, -1, 4), "numbers", 98),  # -1 is a number
        (np.where(np.arange(STEPS) % 2, -1, np.arange(STEPS) // 2 % 2), "classes", 49),  # and is not asked
        (np.where(np.arange(STEPS) % 2, -1.0, np.arange(STEPS) // 2 % 2)[:, None], "classes", 49),
        (np.eye(2, dtype=int)[np.arange(STEPS) // 2 % 2] * (np.arange(STEPS) % 2)[:, None], "one-hot", 49),
        (np.where(np.arange(STEPS) % 2, "", np.array(["a", "b"])[np.arange(STEPS) // 2 % 2]), "auto", 49),
    ],
    ids=["numbers", "classes", "whole floats", "one-hot", "labels"],
)
def test_what_is_asked_depends_on_the_kind(tmp_path: Path, y: np.ndarray, kind: str, count: int) -> None:
    arrays = {f"{name}{split}": value for split in ("", "_val", "_test")
              for name, value in (("x", np.zeros((1, STEPS, 1), np.float32)), ("y", y[None]))}  # fmt: skip
    task = make(saved(tmp_path, **arrays), {"window": "3", "kind": kind})
    assert [len(task.split(name, 0)[0]) for name in ("train", "val", "test")] == [count] * 3
    assert task.outputs == (1 if kind == "numbers" else 2)


def test_a_file_with_its_own_splits(tmp_path: Path) -> None:
    """They may be of another length."""
    x, y = np.zeros((1, 9, 1), np.float32), np.zeros((1, 9), int)
    more = {"x_val": x, "y_val": y, "x_test": x, "y_test": y}
    task = make(saved(tmp_path, **more), {"window": "3"})
    assert [len(task.split(name, 0)[0]) for name in ("train", "val", "test")] == [98, 7, 7]


def test_an_export_reads_windows(tmp_path: Path) -> None:
    task = make(saved(tmp_path), {"window": "3", "split_by": "ordered"})
    card = {"preprocessing": task.preprocessing(), "shapes": {"input": {"shape": [None, None, 1]}}}
    assert predict.sequence([[1], [2], [3]], card).shape == (3, 1)
    with pytest.raises(predict.Unfit, match=r"^sequence: expected a window of 3 steps, got 4; cut a longer sequence$"):
        predict.sequence([[1], [2], [3], [4]], card)


@pytest.mark.parametrize(
    ("arrays", "options", "line"),
    [
        ({}, {"stride": "2"}, "stride: expected 1 without window, got 2"),
        ({}, {"window": "3"}, "split_by: expected ordered or group with window, since windows overlap, got 'random'"),
        (
            {"y": np.zeros(1, int)},
            {"window": "3", "split_by": "ordered"},
            "y: expected an answer at every step (1, 100), which window cuts, got int64 (1,)",
        ),
        (
            {"lengths": np.array([5])},
            {"window": "6", "split_by": "ordered"},
            "window: expected at most the 5 steps of the longest sequence of x, got 6",
        ),
        (
            {},
            {"window": "95", "split_by": "ordered"},
            "x: expected at least 10 samples to split 80/10/10, got 6",
        ),
        (
            {},
            {"window": "40", "split_by": "ordered"},
            "window: expected at most 5 windows that share a step with the next split, got 39: take a shorter window"
            " or a larger stride",
        ),
        (
            {},
            {"window": "3", "split_by": "group"},
            "split_by: expected ordered for fewer than 3 sequences without an array 'group', got 'group'",
        ),
        (
            {"y": np.full((1, STEPS), -1)},
            {"window": "3", "split_by": "ordered"},
            "y: expected an answer at the last step of some window, got none",
        ),
        (
            {"y": np.eye(STEPS, dtype=int)[:1]},
            {"window": "3", "split_by": "ordered", "kind": "one-hot"},
            "y: expected an answer at every step (1, 100), which window cuts, got int64 (1, 100)",
        ),
        ({}, {}, "x: expected at least 10 samples to split 80/10/10, got 1"),
    ],
)
def test_what_does_not_fit_gets_one_line(tmp_path: Path, arrays: Any, options: Any, line: str) -> None:
    with pytest.raises((BadInput, DataError)) as error:
        make(saved(tmp_path, **arrays), options)
    assert str(error.value) == line
