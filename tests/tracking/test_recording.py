"""Which trials are the best ones so far, and what is left of a trial without its curves."""

import random
from typing import Any

import pytest
from support.desk import built, end, epoch, executed, start

from tracking.errors import BadInput
from tracking.ranking import Candidate, by_score
from tracking.recording import Best, first, most_curves, summary


@pytest.mark.parametrize(("text", "most"), [("all", None), ("best:1", 1), ("best:1000", 1000)])
def test_what_may_be_typed(text: str, most: int | None) -> None:
    assert most_curves(text) == most


@pytest.mark.parametrize(
    "text", ["", "best", "best:", "best:0", "best:-1", "best:x", "best:1.5", "worst:3", "ALL", "none"]
)
def test_what_may_not_be_typed(text: str) -> None:
    with pytest.raises(BadInput) as error:
        most_curves(text)
    assert str(error.value) == f"--record: expected all or best:N, got {text!r}"


def drawn(seed: int) -> list[Candidate]:
    rng, cells = random.Random(seed), ("gru", "lstm", "simple_rnn")
    sizes = [rng.choice((100, 200)) for _ in range(60)]
    # Few different scores, so that many are equal.
    return [Candidate(n, rng.randint(0, 15) / 4, None, size, None, rng.choice(cells)) for n, size in enumerate(sizes)]


@pytest.mark.parametrize("direction", ["min", "max"])
@pytest.mark.parametrize("most", [1, 3, 20, 100])
def test_the_best_so_far_are_those_of_a_sorted_list(direction: str, most: int) -> None:
    for seed in range(5):
        best, seen = Best(direction, most), []
        for one in drawn(seed):
            best.add(one)
            seen.append(one)
            order = sorted(seen, key=lambda one: by_score(one, direction))
            of_cells = {one.cell: one for one in reversed(order)}
            expected = {*order[:most], *of_cells.values()}
            assert {one for one in seen if one in best} == expected
        assert set(first(seen, direction, most)) == expected, "without spreads nothing else comes first"


def test_a_tie_within_the_spread_comes_first() -> None:
    """Trial 1 has a worse score than trial 0, within the spread of that, and is smaller."""
    some = [Candidate(0, 0.30, 0.02, 9_000, None, "gru"), Candidate(1, 0.31, None, 500, None, "gru")]
    best = Best("min", 1)
    for one in some:
        best.add(one)
    assert [one.number for one in some if one in best] == [0]
    assert [one.number for one in first(some, "min", 1)] == [1]


def test_a_summary_has_the_last_epoch_of_each_execution_and_no_lag() -> None:
    curve = {"lags": [0, 1], "log10_gain": [0.0, -0.1]}
    sees: dict[str, Any] = {"lag": 49, "trained": {"summary": {"rate": -0.1}, "curve": curve}}
    one, two = [epoch(0, 0.5, 1), epoch(1, 0.4, 2)], [epoch(0, 0.3, 4, 1), epoch(1, 0.2, 5, 1)]
    ends = end(0.3, 7) | {"horizon": sees}
    found = summary([start(), built(), *one, executed(0.4, 3), *two, executed(0.2, 6, 1), ends])
    assert found[:-1] == [start(), built(), one[1], executed(0.4, 3), two[1], executed(0.2, 6, 1)]
    assert found[-1]["horizon"]["trained"] == {"summary": {"rate": -0.1}, "curve": {"lags": [], "log10_gain": []}}
    assert found[-1]["horizon"]["lag"] == 49
    assert curve["lags"] == [0, 1], "the events themselves stay as they are"
