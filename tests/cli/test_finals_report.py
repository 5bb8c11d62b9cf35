"""The table of finals and its sentences, from what `results` says."""

import io
from typing import Any

from rich.console import Console

from experiments.cli.finals import finals_report


def candidate(trial: str, architecture: str, test: list[float], **changes: Any) -> dict[str, Any]:
    mean = sum(test) / len(test)
    made = {"trial": trial, "architecture": architecture, "cell": "gru", "parameters": 977, "failed": 0, "test": test}
    made |= {"seeds": [0, 1], "validation": [0.01, 0.03], "longer": {"2": [0.2, 0.4]}, "mean": mean, "sd": 0.005}
    made |= {"low": mean - 0.01, "high": mean + 0.01, "worst": max(test), "solved": 0.5, "search_score": 0.015}
    return made | changes


def report(trials: tuple[dict[str, Any], ...] = (), **changes: Any) -> str:
    found = {"seeds": 2, "epochs": 4, "complete": True, "curse": -0.005, "candidates": [], "comparisons": []}
    screen = Console(file=io.StringIO(), width=120, force_terminal=False)
    about = {"metric": "mse", "direction": "min", "floors": {}, "trials": trials}
    finals_report(screen, {**about, "finals": {**found, "lost": [], **changes}})
    return str(screen.file.getvalue())  # type: ignore[attr-defined]


def test_the_table_has_what_there_is() -> None:
    two = [candidate("0003", "gru-16", [0.02, 0.04]), candidate("0001", "lstm-16", [0.1, 0.2], failed=1)]
    shown = report(candidates=two, comparisons=[{"sentence": "gru-16 is better"}])
    assert "Finals: 2 fresh seeds, 4 epochs; chosen on validation, MSE on test\n" in shown
    words = ("worst", "0003", "0001")
    heading, first, second = (next(line for line in shown.splitlines() if word in line) for word in words)
    names = "architecture test ± 95 % sd worst solved x2 validation trial"
    assert heading.split() == names.split()
    assert " ".join(first.split()) == "gru-16 0.03 0.01 0.005 0.04 50% 0.3 0.02 0003"
    assert second.split()[0] == "lstm-16"
    assert "gru-16 is better\n" in shown
    assert "validation MSE of gru-16: 0.02 as the mean of the finals, 0.015 in the search, 0.005 better" in shown
    assert "1 seed(s) of lstm-16 (trial 0001) failed" in shown
    assert "the 95 % intervals hold for nearly normal scores; simulated with 5 seeds" in " ".join(shown.split())


def test_one_seed_has_no_interval_and_no_warning() -> None:
    one = candidate("0003", "gru-16", [0.02], sd=None, low=None, high=None, solved=None, longer={}, validation=[0.01])
    shown = report(candidates=[one], complete=False, curse=None, seeds=5)
    assert "not complete, `recurrent finals` goes on" in shown
    assert "95 %" not in shown and "sd" not in shown and "x2" not in shown


def test_a_better_trial_that_came_later_and_lost_candidates_are_said() -> None:
    trial = {"trial": "0009", "score": 0.001, "spread": None, "parameters": 5, "ms_per_step": None, "values": {}}
    shown = report(trials=(trial,), candidates=[candidate("0003", "gru-16", [0.02, 0.04])], lost=["0005"])
    assert "trial 0009 is better in the search and has no finals" in shown
    assert "no seed of trial 0005 has completed" in shown
