"""Intervals, paired tests and numbers of seeds, against SciPy's own tests, worked examples and brute force."""

import numpy as np
import pytest
from scipy import stats

from tracking import statistics
from tracking.statistics import compare, estimate, p_value, power, seeds_needed, warning


def test_the_worked_example_of_an_interval() -> None:
    found = estimate([1.0, 2.0, 3.0])
    assert (found.mean, found.sd) == (2.0, 1.0)
    assert found.low == pytest.approx(2 - 2.4841, abs=1e-4) and found.high == pytest.approx(2 + 2.4841, abs=1e-4)


@pytest.mark.parametrize("count", [2, 5, 30])
def test_interval_and_p_value_are_those_of_scipy(count: int) -> None:
    values, others = np.random.default_rng(count).normal(3, 2, (2, count)).tolist()
    found, theirs = estimate(values), stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), rel=1e-9)
    differences = [one - other for one, other in zip(values, others, strict=True)]
    assert p_value(differences) == pytest.approx(stats.ttest_rel(values, others).pvalue, rel=1e-9)


def test_one_seed_says_nothing() -> None:
    assert estimate([0.5]) == statistics.Estimate(0.5, None, None, None)
    (found,) = compare([[0.5]], 1)
    assert (found.says, found.p, found.low, found.needed) == ("cannot tell", 1.0, None, None)


@pytest.mark.parametrize(("differences", "p"), [([0.0] * 5, 1.0), ([0.1] * 5, 1 / 16), ([0.1] * 6, 1 / 32)])
def test_differences_without_a_spread_have_the_sign_test(differences: list[float], p: float) -> None:
    assert p_value(differences) == p
    if p < 1:
        assert p_value(differences) == pytest.approx(stats.binomtest(len(differences), len(differences)).pvalue)


def test_holm_is_that_of_a_worked_example() -> None:
    """Raw p 0.01, 0.04 and 0.03 of three tests: 3 x 0.01, then 2 x 0.03, then the larger of 0.06 and 1 x 0.04."""
    found = compare([scaled(0.01), scaled(0.04), scaled(0.03)], 3)
    assert [one.p for one in found] == pytest.approx([0.03, 0.06, 0.06])
    assert [one.says for one in found] == ["better", "cannot tell", "cannot tell"]


def scaled(p: float, count: int = 6) -> list[float]:
    """Differences whose paired t test has this p."""
    shape = np.linspace(-1, 1, count)
    mean = stats.t.isf(p / 2, count - 1) * shape.std(ddof=1) / np.sqrt(count)
    return list((shape + mean).tolist())


@pytest.mark.parametrize("tests", [2, 3, 6])
def test_an_interval_leaves_out_zero_where_the_difference_is_certain(tests: int) -> None:
    rng = np.random.default_rng(tests)
    seen = set()
    for _ in range(500):
        for one in compare(rng.normal([[0.0], [1.2]], 1.0, (2, 6)).tolist(), tests):
            assert one.low is not None and one.high is not None
            assert (one.says != "cannot tell") == (not one.low <= 0 <= one.high)
            seen.add(one.says)
    assert {"better", "cannot tell"} <= seen


def test_a_difference_below_zero_is_worse() -> None:
    (found,) = compare([[-1.0, -1.1, -0.9, -1.05]], 1)
    assert found.says == "worse" and found.needed is None


@pytest.mark.parametrize(("effect", "pairs"), [(0.5, 34), (0.8, 15), (0.2, 199)])
def test_the_seeds_that_are_needed_are_those_of_the_tables_of_cohen(effect: float, pairs: int) -> None:
    assert seeds_needed(effect, 1.0) == pairs


def test_the_seeds_that_are_needed_find_a_difference_as_often_as_promised() -> None:
    """By brute force, with SciPy's own test."""
    pairs = seeds_needed(0.7, 1.0)
    assert pairs is not None
    drawn = np.random.default_rng(0).normal(0.7, 1.0, (20_000, pairs))
    found = float((stats.ttest_1samp(drawn, 0, axis=1).pvalue < 0.05).mean())
    assert found == pytest.approx(power(0.7, 1.0, pairs), abs=0.01) and 0.79 < found < 0.83


def test_a_tiny_difference_needs_no_sensible_number_of_seeds() -> None:
    assert seeds_needed(1e-4, 1.0) is None and seeds_needed(0.0, 1.0) is None and seeds_needed(1.0, 0.0) is None
    (found,) = compare([[0.1, -0.1, 0.2, -0.18, 0.05]], 1)
    assert found.says == "cannot tell" and found.needed is not None and found.needed > 5


def test_the_warning_says_the_simulated_numbers() -> None:
    assert "with 5 seeds, they hold 82%" in warning(7) and "66% where four" in warning(3)
    assert "with 10 seeds" in warning(12)
