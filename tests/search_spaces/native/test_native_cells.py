"""The kernels of the cells against NumPy in double precision: results, gradients, masks, both directions, any size."""

from itertools import product

import numpy as np
import pytest
from support.native_reference import CELLS, Case, floats

from search_spaces.native import ready, sequence

NAMES = list(CELLS)
# Widths and batches that no tile divides, one that all divide, and single rows and columns.
SIZES = [(7, 5), (20, 37), (33, 1), (32, 64), (1, 3)]
CASES = list(product(NAMES, SIZES))
PRECISION = 1e-5  # of the largest value


@pytest.mark.parametrize(("name", "size"), CASES)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
def test_it_is_what_the_equations_say(name: str, size: tuple[int, int], masked: bool, backwards: bool) -> None:
    case = Case(name, *size, masked=masked)
    outputs, ends = case.reference(backwards)
    for found, expected in zip(case.run(backwards)["results"], [outputs, *ends], strict=True):
        assert found == pytest.approx(expected, abs=PRECISION * np.abs(expected).max())


@pytest.mark.parametrize(("name", "size"), CASES)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
def test_gradients_are_finite_differences(name: str, size: tuple[int, int], masked: bool, backwards: bool) -> None:
    """Each gradient in three random directions."""
    case, rng = Case(name, *size, masked=masked, steps=4), np.random.default_rng(1)
    parts = [case.x, *case.weights, *case.first]
    for place, gradient in enumerate(case.run(backwards)["gradients"]):
        assert gradient.shape == parts[place].shape
        for _ in range(3):
            way = rng.normal(size=gradient.shape)
            near = [
                [part + sign * 1e-7 * way if index == place else part for index, part in enumerate(parts)]
                for sign in (1, -1)
            ]
            up, down = (case.loss(one, backwards) for one in near)
            largest = float(np.sqrt((np.square(gradient, dtype=np.float64) * way**2).sum())) + 1e-6
            assert float((gradient * way).sum()) == pytest.approx((up - down) / 2e-7, abs=2e-5 * largest + 1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_two_runs_give_the_same_bits(name: str) -> None:
    first, second = (Case(name, 33, 21, masked=True).run() for _ in range(2))
    for kind in ("results", "gradients"):
        assert all(np.array_equal(*pair) for pair in zip(first[kind], second[kind], strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_nan_stays_in_its_row(name: str) -> None:
    case = Case(name, 20, 9)
    clean, case.x[4, 2, 1] = case.run(), np.nan
    found = case.run()
    others = [row for row in range(9) if row != 4]
    for one, other in zip(found["results"], clean["results"], strict=True):
        assert np.isnan(one[4]).any() and np.array_equal(one[others], other[others])
    assert np.isfinite(found["results"][0][4, :2]).all(), "before the step of NaN all is well"
    of_x, *_ = found["gradients"]
    assert np.array_equal(of_x[others], clean["gradients"][0][others])
    assert np.isnan(found["gradients"][1]).any(), "a gradient of the weights is a sum over all rows"


@pytest.mark.parametrize("name", NAMES)
def test_without_the_gradient_of_x_the_others_are_the_same(name: str) -> None:
    case = Case(name, 12, 6)
    (of_x, *rest), (none, *same) = (case.run(of_x=wanted)["gradients"] for wanted in (True, False))
    assert of_x.shape == case.x.shape and none.size == 0
    assert all(np.array_equal(*pair) for pair in zip(rest, same, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_without_outputs_only_the_last_states_are_returned(name: str) -> None:
    case = Case(name, 12, 6)
    cell, x, mask, weights = case.arguments()
    first = [floats(part) for part in case.first]
    outputs, record = sequence.forward(cell, x, mask, weights, first, False, False)
    assert outputs.shape == (0, 5, 12)
    assert all(np.array_equal(*pair) for pair in zip(record[-len(first) :], case.run()["results"][1:], strict=True))


@pytest.mark.parametrize(("m", "n", "k"), [(1, 1, 1), (3, 70, 5), (13, 49, 64), (64, 64, 64), (37, 129, 2), (9, 24, 0)])
@pytest.mark.parametrize("add", [False, True])
def test_a_product_of_any_size(m: int, n: int, k: int, add: bool) -> None:
    ready.load()
    from search_spaces.native.product import product  # it compiles when it is imported

    rng = np.random.default_rng(0)
    c, a, w, b, v = (
        rng.normal(size=size).astype(np.float32) for size in ((m, n), (3, m, k), (3, k, n), (8, m), (8, n))
    )
    expected = add * c.astype(np.float64) + (a.astype(np.float64) @ w).sum(0) + b.T.astype(np.float64) @ v
    product(c, add, a, w, b.T, v)
    assert c == pytest.approx(expected, abs=PRECISION * np.abs(expected).max())


def test_large_inputs_saturate_and_small_ones_are_exact() -> None:
    case = Case("tanh", 8, 4, steps=1)
    case.x *= 1e6
    assert np.abs(case.run()["results"][0]).max() == pytest.approx(1.0, abs=1e-6)
