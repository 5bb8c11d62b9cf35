"""What is shown at the end, where there is little room."""

import io
from typing import Any

import pytest
from rich.console import Console

from experiments.cli.tables import leaderboard
from tracking.text import format_amount


def trial(number: int, architecture: str, score: float | None, outcome: str = "completed") -> dict[str, Any]:
    return {
        "trial": f"{number:04d}",
        "architecture": architecture,
        "values": {"cell": architecture.split("-")[0], "learning_rate": 0.0012345},
        "score": score,
        "spread": 0.01234,
        "parameters": 1_812_345,
        "seconds": 125.0,
        "flops_per_token": 8_768.0,
        "ms_per_step": 12.345,
        "outcome": outcome,
        "reason": "diverged in epoch 0: loss is nan" if outcome == "failed" else None,
    }


def shown(trials: list[dict[str, Any]], width: int = 80) -> str:
    found = {"search": "s", "task": "adding", "metric": "mse", "direction": "min", "floors": {"no_memory": 1 / 6}}
    console = Console(file=io.StringIO(), width=width)
    leaderboard(console, {**found, "trials": trials}, [one for one in trials if one["score"] is not None])
    text = console.file.getvalue()  # type: ignore[attr-defined]
    return str(text)


def test_numbers_are_whole_where_an_architecture_is_long() -> None:
    text = shown([trial(0, "simple_rnn-128+lstm-128+simple_rnn-128+gru-128", 0.23456)])
    for whole in ("0.2346", "0.012", "1,812,345", "0.001234", "2 min 5 s", "0000"):
        assert whole in text
    assert "…" not in text


def test_costs_are_shown_where_there_is_room() -> None:
    one = [trial(0, "gru-16", 0.1)]
    headings, row = shown(one, width=100).splitlines()[-2:]
    assert "parameters" in headings and "flops/token  ms/step" in headings
    assert "8.77k" in row and "12.3 " in row
    assert "flops" not in shown(one, width=99) and "ms/step" not in shown(one, width=99)


def test_spreads_are_shown_where_one_trial_has_one() -> None:
    one, other = trial(0, "gru-16", 0.1), trial(1, "gru-32", 0.2)
    other["spread"] = None
    assert "± sd" in shown([one, other]) and "0.012" in shown([one, other])
    assert "± sd" not in shown([other])


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), (64, "64"), (999.6, "1k"), (8_768, "8.77k"), (2.6e6, "2.6M"), (0.0123, "0.0123")]
)
def test_amounts(value: float | None, text: str) -> None:
    assert format_amount(value) == text


def test_pruned_and_failed_trials_are_told_of() -> None:
    text = shown([trial(0, "gru-16", 0.1), trial(1, "gru-32", None, "pruned"), trial(2, "gru-48", None, "failed")])
    assert "1 of 3 trials were pruned" in text
    assert "trial 0002 gru-48 failed: diverged in epoch 0: loss is nan" in text


def test_a_search_without_a_score() -> None:
    assert "no trial has completed" in shown([trial(0, "gru-16", None, "failed")])
