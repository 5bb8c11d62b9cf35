"""The priority sort task against its definition, with a solver that reads x alone."""

import numpy as np
import pytest

from experiments.tasks.priority_sort import PrioritySort

SETTINGS = [{}, {"vectors": 4, "highest": 4, "bits": 3}, {"vectors": 9, "highest": 1}]


def solve(x: list[list[float]], highest: int) -> list[list[float]]:
    vectors = x[: len(x) - highest]
    answers = [bits for *bits, _ in sorted(vectors, key=lambda one: one[-1], reverse=True)[:highest]]
    return [[-1.0] * (len(x[0]) - 1)] * len(vectors) + answers


def test_the_worked_example() -> None:
    """That of the docstring."""
    x = np.array([[1, 0, 1, 0, 0], [1, 1, 0, 0, 0], [0.2, 0.7, -0.4, 0, 0]]).T
    assert solve(x.tolist(), 2) == [[-1, -1]] * 3 + [[0, 1], [1, 1]]


@pytest.mark.parametrize("options", SETTINGS)
def test_the_solver_finds_every_answer(options: dict[str, int]) -> None:
    task = PrioritySort(train=500, **options)
    x, y = task.split("train", 3)
    assert [solve(row, task.highest) for row in x.tolist()] == y.tolist()


def test_priorities_and_bits_are_uniform() -> None:
    x, _ = PrioritySort(train=2_000).split("train", 0)
    assert x.shape == (2_000, 36, 9) and not x[:, 20:].any()
    priorities = x[:, :20, -1]
    assert priorities.min() >= -1 and priorities.max() <= 1
    assert np.abs(np.histogram(priorities, 10, (-1, 1))[0] / 40_000 - 0.1).max() < 0.01
    assert abs(x[:, :20, :8].mean() - 0.5) < 0.01


@pytest.mark.parametrize("vectors", [3, 20])
def test_the_floor_of_a_model_that_knows_all_vectors_and_not_their_order(vectors: int) -> None:
    task = PrioritySort(vectors=vectors, highest=2, val=4_000)
    x, y = task.split("val", 0)
    share = x[:, :vectors, :8].mean(axis=1, keepdims=True, dtype=np.float64)
    with np.errstate(divide="ignore"):
        logits = np.broadcast_to(np.clip(np.log(share) - np.log(1 - share), -100, 100), y.shape)
    assert task.score(y, logits) == pytest.approx(task.floors()["without_order"], abs=0.15)
    assert task.floors()["no_memory"] == 16 == pytest.approx(task.score(y, np.zeros_like(y)))
    half = np.where(np.arange(8) < 4, 100 * (2 * y - 1), 0)
    assert task.score(y, half) == pytest.approx(task.floors()["half_memory"])


def test_options_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="^highest: expected at most vectors=15, got 16$"):
        PrioritySort(vectors=15)
