"""Batches of arrays in any order."""

import numpy as np
import pytest

from experiments.batches import Batches

X, Y = np.arange(20, dtype=np.float32).reshape(10, 2), np.arange(10, dtype=np.int32)


@pytest.mark.parametrize(("batch", "sizes"), [(3, [3, 3, 3, 1]), (5, [5, 5]), (64, [10])])
def test_every_sample_once_in_the_order_asked_for(batch: int, sizes: list[int]) -> None:
    batches = Batches((X, Y), batch)
    assert (batches.samples, batches.steps) == (10, len(sizes))
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(10)
        found = [(x.numpy(), y.numpy()) for x, y in batches.shuffled(order)]
        assert [len(y) for _, y in found] == sizes
        np.testing.assert_array_equal(np.concatenate([x for x, _ in found]), X[order])
        np.testing.assert_array_equal(np.concatenate([y for _, y in found]), Y[order])


def test_the_arrays_keep_their_types() -> None:
    x, y = next(iter(Batches((X, Y), 3).shuffled(np.arange(10))))
    assert (x.numpy().dtype, y.numpy().dtype) == (X.dtype, Y.dtype)
