"""The expected best of n trials, against examples by hand, all cases counted, and a simulation."""

import itertools
import statistics
from typing import Any

import numpy as np
import pytest

from tracking.expected import Expected, crossings, curve, draws, expected_best, label


def test_the_example_of_the_docstring() -> None:
    found = expected_best([4, 1, 2], "max", 2)
    assert (found.trials, found.mean, found.sd**2) == (2, pytest.approx(3), pytest.approx(4 / 3))


def test_small_is_better() -> None:
    """Of 1, 2 and 4 the best of two draws is 1 in five cases of nine, 2 in three and 4 in one: 15 / 9."""
    found = expected_best([4, 1, 2], "min", 2)
    assert found.mean == pytest.approx(15 / 9)
    assert found.sd**2 == pytest.approx((1 * 5 + 4 * 3 + 16) / 9 - (15 / 9) ** 2)


@pytest.mark.parametrize("direction", ["min", "max"])
@pytest.mark.parametrize("scores", [[0.3], [0.5, 0.5], [3.0, 1.0, 1.0, 7.5], [-2.0, 0.0, 1e-9, 5.0]])
def test_all_cases_counted(scores: list[float], direction: str) -> None:
    best = min if direction == "min" else max
    for one in curve(scores, direction):
        cases = [best(drawn) for drawn in itertools.product(scores, repeat=one.trials)]
        assert one.mean == pytest.approx(statistics.fmean(cases))
        assert one.sd == pytest.approx(statistics.pstdev(cases), abs=1e-9)


@pytest.mark.parametrize("direction", ["min", "max"])
def test_a_simulation(direction: str) -> None:
    rng = np.random.default_rng(0)
    scores = rng.lognormal(-3, 1.5, 40)
    for trials in (1, 5, 23, 40):
        drawn = rng.choice(scores, (200_000, trials))
        best = drawn.min(axis=1) if direction == "min" else drawn.max(axis=1)
        found = expected_best(scores.tolist(), direction, trials)
        assert found.mean == pytest.approx(best.mean(), abs=5 * best.std() / 200_000**0.5)
        assert found.sd == pytest.approx(best.std(), rel=0.03)


def test_digits_are_kept_beside_large_scores() -> None:
    found = expected_best([1e9 + 1, 1e9 + 2, 1e9 + 4], "max", 2)
    assert found.sd**2 == pytest.approx(4 / 3, rel=1e-5)


def trial(number: int, score: float | None, **more: Any) -> dict[str, Any]:
    base = {"trial": f"{number:04d}", "values": {"cell": "gru"}, "outcome": "completed", "continues": None}
    return {**base, "score": score, "reached": score, **more}


def test_a_pruned_trial_counts_with_its_reached_and_a_continued_one_once() -> None:
    trials = [
        trial(0, 0.1),
        trial(1, None, reached=0.4, outcome="pruned"),
        trial(2, 0.2, continues="0001"),
        trial(3, None, reached=0.9, outcome="pruned", values={"cell": "lstm"}),
        trial(4, None, outcome="failed", reached=0.05),
        trial(5, None, outcome=None, reached=0.05),
        trial(6, None, outcome="pruned", reached=float("nan")),
    ]
    assert draws(trials) == {"gru": [0.1, 0.2], "lstm": [0.9]}


def test_a_continuation_that_failed_leaves_the_pruned_trial() -> None:
    trials = [trial(1, None, reached=0.4, outcome="pruned"), trial(2, None, continues="0001", outcome="failed")]
    assert draws(trials) == {"gru": [0.4]}


def expected(*means: float) -> list[Expected]:
    return [Expected(trials, mean, 0.0) for trials, mean in enumerate(means, start=1)]


def test_crossings() -> None:
    curves = {"simple_rnn": expected(0.3, 0.2, 0.15, 0.14), "gru": expected(0.5, 0.3, 0.15, 0.1, 0.05)}
    curves["lstm"] = expected(0.6, 0.5)
    assert crossings(curves, "min") == ["below 4 trials simple_rnn is the better choice, from 4 on gru"]
    assert crossings(curves, "max") == ["below 4 trials gru is the better choice, from 4 on simple_rnn"]


def test_curves_that_only_touch_do_not_cross() -> None:
    assert crossings({"a": expected(0.3, 0.2, 0.1), "b": expected(0.4, 0.2, 0.15)}, "min") == []


def test_a_lucky_cell_and_a_steady_one() -> None:
    """A cell with one good trial of four loses against a steady one as long as few trials are paid for."""
    curves = {"steady": curve([0.2, 0.2, 0.2, 0.2], "min"), "lucky": curve([0.1, 0.9, 0.9, 0.9], "min")}
    # 0.1 with the probability 1 - (3/4)^n, else 0.9: 0.7, 0.55, 0.4375, 0.353: steady is better with each of the four.
    assert [one.mean for one in curves["lucky"]] == pytest.approx([0.7, 0.55, 0.4375, 0.353125])
    assert crossings(curves, "min") == []
    curves["lucky"] = curve([0.1, 0.25, 0.25, 0.25], "min")  # 0.2125, then 0.184
    assert crossings(curves, "min") == ["below 2 trials steady is the better choice, from 2 on lucky"]


def test_labels() -> None:
    pruned = [trial(0, 0.1), trial(1, None, outcome="pruned", reached=0.2)]
    assert label("random", pruned[:1]) == "trials drawn at random: exact"
    assert label("random", pruned) == "trials drawn at random: exact; 1 pruned counted with their last score"
    assert label("tpe", pruned).startswith("as if drawn at random; 1 pruned")
    again = trial(2, 0.15) | {"continues": pruned[1]["trial"]}
    assert label("tpe", [*pruned, again]) == "as if drawn at random", "its own score counts"
