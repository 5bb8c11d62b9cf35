"""The simulation of the finals' statistics: intervals hold, equals stay equal, and the warning has its numbers."""

import pytest

from experiments.benchmarks.coverage import DRAWN, coverage, powerful, wrongly_told_apart
from tracking.statistics import COVERAGE

REPETITIONS = 10_000


@pytest.mark.parametrize("seeds", [5, 10])
def test_intervals_of_normal_scores_hold(seeds: int) -> None:
    assert 0.93 < coverage("normal", seeds, REPETITIONS) < 0.97


@pytest.mark.parametrize("seeds", COVERAGE)
def test_the_warning_has_the_simulated_numbers(seeds: int) -> None:
    found = tuple(round(coverage(kind, seeds, REPETITIONS), 2) for kind in ("log-normal", "mix"))
    assert found == pytest.approx(COVERAGE[seeds], abs=0.011)


@pytest.mark.parametrize("kind", DRAWN)
@pytest.mark.parametrize("candidates", [2, 3, 6])
def test_equals_are_seldom_told_apart(kind: str, candidates: int) -> None:
    assert wrongly_told_apart(kind, 5, candidates, 3_000) < 0.06


def test_the_needed_seeds_find_what_they_promise() -> None:
    seeds, found = powerful(REPETITIONS)
    assert seeds == 10 and found == pytest.approx(0.8, abs=0.015)
