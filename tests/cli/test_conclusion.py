"""What a search says in words below its tables."""

import io

import pytest
from rich.console import Console
from support.found import found, trial

from experiments.cli.commands.results import _next as next_lines
from experiments.cli.conclusion import conclusion, style, verdicts
from experiments.cli.tables import show

GREEN, YELLOW = "32m", "33m"


def screen(width: int = 80, colours: bool = False) -> tuple[Console, io.StringIO]:
    told = io.StringIO()
    system = "standard" if colours else None
    return Console(file=told, width=width, force_terminal=True, color_system=system), told


def test_each_verdict_with_its_architectures() -> None:
    console, told = screen()
    scores = {"gru": 0.0005, "lstm": 0.1, "simple_rnn": 0.165}
    said = {"gru": "solved", "lstm": "learning, above no memory", "simple_rnn": "no better than no memory"}
    trials = [
        trial(f"000{place}", cell, score, verdict=said[cell]) for place, (cell, score) in enumerate(scores.items())
    ]
    show(console, verdicts([trials[0], *trials]))
    assert [" ".join(line.split()) for line in told.getvalue().splitlines()] == [
        "solved gru-32",
        "learning, above no memory lstm-32",
        "no better than no memory simple_rnn-32",
    ]


def test_an_architecture_stands_at_its_best_verdict() -> None:
    console, told = screen()
    trials = [trial("0000", "gru", 0.0005, verdict="solved"), trial("0001", "lstm", 0.0006, verdict="solved")]
    worse = [trial(f"000{place}", cell, 0.1, verdict="learning") for place, cell in ((2, "lstm"), (3, "gru"))]
    show(console, verdicts([*trials, *worse]))
    assert " ".join(told.getvalue().split()) == "solved gru-32, lstm-32"


def test_many_architectures_are_counted() -> None:
    console, told = screen()
    show(console, verdicts([trial("0000", "gru", 0.0005, width=number, verdict="solved") for number in range(7)]))
    assert told.getvalue().split("  ")[1].strip() == "gru-0, gru-1, gru-2, gru-3 and 3 more"


def test_no_better_than_a_floor_is_yellow() -> None:
    console, told = screen(colours=True)
    show(console, verdicts([trial("0000", "gru", 0.165, verdict="no better than no memory")]))
    assert f"\x1b[{YELLOW}no better than no memory" in told.getvalue() and f"\x1b[{GREEN}" not in told.getvalue()
    assert (style("solved"), style("learning, above half memory"), style(None)) == ("green", "green", "green")


def test_trials_without_a_verdict_are_left_out() -> None:
    console, told = screen()
    show(console, verdicts([trial("0000", "gru", 0.1)]))
    assert told.getvalue() == ""


@pytest.mark.parametrize("width", [80, 120])
def test_the_answer_fits_the_terminal(width: int) -> None:
    console, told = screen(width)
    conclusion(console, found(trial("0000", "gru", 0.01), trial("0001", "lstm", 0.02)))
    lines = told.getvalue().splitlines()
    assert lines[0] == "" and lines[1].startswith("Best is gru-32") and max(map(len, lines)) <= width


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("solved", "the best model, verified, as files"),
        ("no better than no memory", "the best model, though no better than no memory, verified, as files"),
        (None, "the best model, verified, as files"),
    ],
)
def test_what_is_next_announces_no_success(said: str | None, text: str) -> None:
    lines = next_lines("t", "sqlite:///mlflow.db", trial("0000", "gru", 0.165, verdict=said)).splitlines()
    assert lines[-1].endswith(f"   {text}")
    assert "why it has no score" in next_lines("t", "sqlite:///mlflow.db", None)
