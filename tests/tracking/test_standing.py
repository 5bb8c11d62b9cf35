"""The order of all trials of a search, and what is said of each cell, on examples that are worked out by hand."""

import random
from typing import Any

import pytest

from tracking.standing import conclusions, ranked, standing


def trial(number: int, cell: str, score: float | None, reached: float | None = None, **more: Any) -> dict[str, Any]:
    return {
        "trial": f"{number:04d}",
        "values": {"cell": cell},
        "score": score,
        "reached": score if reached is None else reached,
        "spread": None,
        "parameters": 100,
        "ms_per_step": 1.0,
        "outcome": "pruned" if score is None else "completed",
        **more,
    }


def found(*trials: dict[str, Any], direction: str = "min") -> dict[str, Any]:
    return {"trials": list(trials), "direction": direction, "prefer": "none", "floors": {"no_memory": 1.0}}


def names(trials: list[dict[str, Any]]) -> list[int]:
    return [int(one["trial"]) for one in trials]


def test_a_pruned_trial_stands_where_its_last_score_puts_it() -> None:
    """It may be the third of four, and it may come before all of those that have completed."""
    search = found(
        trial(0, "gru", 0.3),
        trial(1, "gru", None, 0.25),
        trial(2, "lstm", 0.2),
        trial(3, "lstm", None, None, outcome="failed"),
        trial(4, "lstm", 0.4),
        trial(5, "lstm", None, 0.1, outcome="failed"),
    )
    assert names(standing(search)) == [5, 2, 1, 0, 4, 3]
    assert names(ranked(search)) == [2, 0, 4]
    assert names(standing({**search, "direction": "max"})) == [4, 0, 1, 2, 5, 3]


def test_those_that_tie_stand_together() -> None:
    """The best score has a spread of 0.1: the second one ties with it and is smaller, the pruned one stands after."""
    search = found(
        trial(0, "gru", 0.30, spread=0.1, parameters=900),
        trial(1, "gru", None, 0.35),
        trial(2, "gru", 0.38, parameters=10),
        trial(3, "gru", 0.41, parameters=1),
    )
    assert names(standing(search)) == [2, 0, 1, 3]
    assert conclusions(search, [])["tied"] == ["0002", "0000"]


@pytest.mark.parametrize("direction", ["min", "max"])
def test_the_completed_ones_keep_their_order(direction: str) -> None:
    draw = random.Random(0)
    for _ in range(100):
        trials = [
            trial(
                number,
                draw.choice("ab"),
                draw.choice([None, *range(6)]),
                draw.choice([None, *range(6)]),
                spread=draw.choice([None, 0.5, 1.5]),
                parameters=draw.randrange(4),
            )
            for number in range(12)
        ]
        for one in trials:
            one["reached"] = one["reached"] if one["score"] is None else one["score"]
        search = found(*trials, direction=direction)
        order = standing(search)
        assert sorted(names(order)) == list(range(12))
        assert [one for one in order if one["score"] is not None] == ranked(search)
        assert [one["reached"] is None for one in order] == sorted(one["reached"] is None for one in order)


def test_what_is_said_of_each_cell() -> None:
    search = found(
        trial(0, "gru", 0.5),
        trial(1, "lstm", 0.2),
        trial(2, "gru", 0.1),
        trial(3, "gru", 0.4),
        trial(4, "gru", None, 0.05),
        trial(5, "lstm", None, None, outcome="failed"),
        trial(6, "rnn", None, 0.7),
        trial(7, "rnn", None, 0.6),
        trial(8, "lstm", None, 0.9, outcome=None),
    )
    keys = ("cell", "tried", "completed", "pruned", "failed", "best", "median")
    rows = [tuple(cell[key] for key in keys) for cell in conclusions(search, ["lstm", "minimal", "gru"])["cells"]]
    assert rows == [
        ("gru", 4, 3, 1, 0, "0002", 0.4),
        ("lstm", 3, 1, 0, 1, "0001", 0.2),
        ("rnn", 2, 0, 2, 0, "0007", None),
        ("minimal", 0, 0, 0, 0, None, None),
    ]


def test_the_preferred_one() -> None:
    search = found(trial(0, "gru", 0.1, parameters=900), trial(1, "gru", 0.11, parameters=9))
    assert conclusions(search, [])["preferred"] == "0000"
    assert conclusions({**search, "prefer": "small:2%"}, [])["preferred"] == "0001"
    assert conclusions({**search, "prefer": "small:1%"}, [])["preferred"] == "0000"
    assert conclusions(found(), [])["preferred"] is None
