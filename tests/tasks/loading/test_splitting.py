"""How a user's samples are split: at random, in their order with a gap, and by groups."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.tasks.loading.find import make
from tracking.errors import BadInput, DataError

COUNT = 40


def saved(folder: Path, **more: Any) -> str:
    """Sequences whose first number is the place of the sample."""
    x = np.zeros((COUNT, 3, 1), np.float32)
    x[:, 0, 0] = np.arange(COUNT)
    np.savez(folder / "data.npz", x=x, y=np.arange(COUNT) % 2, **more)
    return str(folder / "data.npz")


def places(task: Any) -> dict[str, list[int]]:
    return {name: task.split(name, 0)[0][:, 0, 0].astype(int).tolist() for name in ("train", "val", "test")}


def test_in_their_order(tmp_path: Path) -> None:
    task = make(saved(tmp_path), {"split_by": "ordered"})
    assert places(task) == {"train": [*range(32)], "val": [32, 33, 34, 35], "test": [36, 37, 38, 39]}
    assert "samples: 32 train, 4 val, 4 test, in their order" in task.about()


def test_a_gap_is_left_out(tmp_path: Path) -> None:
    task = make(saved(tmp_path), {"split_by": "ordered", "gap": "2"})
    assert places(task) == {"train": [*range(30)], "val": [32, 33], "test": [36, 37, 38, 39]}


def test_no_group_is_in_two_splits(tmp_path: Path) -> None:
    groups = np.array(["a", "b", "c", "d", "e", "f", "g", "h"])[np.arange(COUNT) // 5]
    found = places(make(saved(tmp_path, group=groups), {"split_by": "group"}))
    of_split = {name: {groups[place] for place in own} for name, own in found.items()}
    assert sorted(sum(found.values(), [])) == [*range(COUNT)]
    assert not of_split["train"] & of_split["val"] and not of_split["val"] & of_split["test"]
    assert not of_split["train"] & of_split["test"]
    assert all(of_split.values()) and len(found["train"]) >= 25


@pytest.mark.parametrize("sizes", [[30, 5, 5], [5, 30, 5], [1, 1, 38], [36, 1, 1, 1, 1]], ids=str)
def test_every_split_has_a_group_however_large_one_is(tmp_path: Path, sizes: list[int]) -> None:
    groups = np.repeat(np.arange(len(sizes)), sizes)
    assert all(places(make(saved(tmp_path, group=groups), {"split_by": "group"})).values())


def test_by_default_they_are_drawn(tmp_path: Path) -> None:
    """The group is not read, and the order is that of a search of an earlier version."""
    order = np.random.default_rng(0).permutation(COUNT)
    expected = {"train": order[:32].tolist(), "val": order[32:36].tolist(), "test": order[36:].tolist()}
    assert places(make(saved(tmp_path, group=np.zeros(COUNT, int)), {})) == expected


@pytest.mark.parametrize(
    ("arrays", "options", "line"),
    [
        ({}, {"split_by": "group"}, "split_by: expected a file with an array 'group' for group, got one without"),
        ({}, {"gap": "1"}, "gap: expected 0 without split_by=ordered, got 1"),
        (
            {},
            {"split_by": "ordered", "gap": "4"},
            "gap: expected at most 3, which leaves samples in every split, got 4",
        ),
        ({"group": np.arange(COUNT) % 2}, {"split_by": "group"}, "group: expected at least 3 different values, got 2"),
        (
            {"group": np.zeros(3)},
            {},
            f"group: expected one value for each of the {COUNT} samples of x, got float64 (3,)",
        ),
        (
            {},
            {"split_by": "order"},
            "split_by: expected one of random, ordered, group, got 'order'; did you mean 'ordered'?",
        ),
    ],
)
def test_what_does_not_fit(tmp_path: Path, arrays: dict[str, Any], options: dict[str, str], line: str) -> None:
    with pytest.raises((BadInput, DataError)) as raised:
        make(saved(tmp_path, **arrays), options)
    assert str(raised.value) == line


def test_a_file_with_its_own_splits_is_not_cut(tmp_path: Path) -> None:
    x, y = np.zeros((10, 3, 1), np.float32), np.arange(10) % 2
    np.savez(tmp_path / "own.npz", x=x, y=y, x_val=x, y_val=y, x_test=x, y_test=y)
    for options, name in (({"split_by": "ordered"}, "split_by"), ({"gap": "1"}, "gap")):
        with pytest.raises(BadInput, match=f"^{name}: expected .* for a file that has its own splits, got "):
            make(str(tmp_path / "own.npz"), options)
