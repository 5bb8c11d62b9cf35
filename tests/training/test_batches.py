"""Batches of arrays in any order."""

import numpy as np
import pytest

from experiments.training.batches import Batches, Windows
from experiments.training.windows import streams, windows

X, Y = np.arange(20, dtype=np.float32).reshape(10, 2), np.arange(10, dtype=np.int32)


@pytest.mark.parametrize(("batch", "sizes"), [(3, [3, 3, 3, 1]), (5, [5, 5]), (64, [10])])
def test_every_sample_once_in_the_order_asked_for(batch: int, sizes: list[int]) -> None:
    batches = Batches((X, Y), batch)
    assert (batches.samples, batches.steps_per_epoch) == (10, len(sizes))
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(10)
        found = [(x.numpy(), y.numpy()) for x, y in batches.shuffled(order)]
        assert [len(y) for _, y in found] == sizes
        np.testing.assert_array_equal(np.concatenate([x for x, _ in found]), X[order])
        np.testing.assert_array_equal(np.concatenate([y for _, y in found]), Y[order])


def test_the_arrays_keep_their_types() -> None:
    x, y = next(iter(Batches((X, Y), 3).shuffled(np.arange(10))))
    assert (x.numpy().dtype, y.numpy().dtype) == (X.dtype, Y.dtype)


def test_an_answer_has_the_weight_of_its_class() -> None:
    weights, y = np.array([0.5, 2.0], np.float32), np.array([[0, 1], [1, -1], [0, 0]], np.int32)
    _, found, counts = next(iter(Batches((X[:3], y), 3, weights).shuffled(np.array([2, 0, 1]))))
    np.testing.assert_array_equal(found, y[[2, 0, 1]])
    np.testing.assert_array_equal(counts, [[0.5, 0.5], [0.5, 2.0], [2.0, 0.5]])  # at -1 the loss counts nothing


@pytest.mark.parametrize(("steps", "count", "window"), [(60, 3, 4), (61, 3, 4), (70, 3, 4), (12, 3, 4), (40, 1, 7)])
def test_windows_follow_their_streams(steps: int, count: int, window: int) -> None:
    split = streams((np.arange(steps, dtype=np.int32), np.arange(1, steps + 1, dtype=np.int32)), count)
    found = Windows(split, window)
    batches = [(x.numpy(), y.numpy()) for x, y in found.dataset]
    assert len(batches) == found.steps_per_epoch == steps // count // window
    assert [x.shape for x, _ in batches] == [(count, window)] * found.steps_per_epoch
    np.testing.assert_array_equal(np.concatenate([x for x, _ in batches]), windows(split[0], window))
    np.testing.assert_array_equal(np.concatenate([y for _, y in batches]), windows(split[1], window))
