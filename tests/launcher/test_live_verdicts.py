"""The verdict of a score while a search runs."""

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from experiments.launcher.display import Display
from experiments.launcher.progress import Progress
from tracking.journal import Journal

GREEN, YELLOW = "32m", "33m"


@pytest.mark.parametrize(
    ("score", "said", "colour"),
    [
        (0.0005, "solved", GREEN),
        (0.1, "learning, above no memory", GREEN),
        (0.165, "no better than no memory", YELLOW),
    ],
)
def test_a_score_is_shown_with_its_verdict(tmp_path: Path, score: float, said: str, colour: str) -> None:
    (tmp_path / "0000").mkdir()
    journal = Journal(tmp_path / "0000" / "journal.jsonl")
    console = Console(file=(told := io.StringIO()), width=120, force_terminal=True, color_system="standard")
    progress = Progress(tmp_path, "min", 1, 1)
    display = Display(console, progress, "mse", {"no_memory": 1 / 6}, 0.001, 1, "s", lambda: 61.0)
    journal.append("start", session="s", worker=0, parameters={"architecture": "gru-16"})
    journal.append("end", outcome="completed", score=score, seconds=61.0)
    display.tick()
    line = told.getvalue()
    assert f"\x1b[{colour}MSE {score}" in line and f"\x1b[{colour}  {said}" in line
    screen = Console(file=(drawn := io.StringIO()), width=120)
    screen.print(display.screen())
    assert f"best MSE {score} (gru-16, trial 0000): {said}   floors: " in drawn.getvalue()


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        ({"continues": 3}, {"outcome": "completed", "score": 0.1, "seconds": 1.0}, "continues 0003"),
        (
            {},
            {"outcome": "pruned", "score": None, "reason": "halving, after 3 epochs"},
            "pruned by halving, after 3 epochs: MSE -",
        ),
        ({}, {"outcome": "failed", "score": None, "reason": "diverged in epoch 0"}, "failed: diverged in epoch 0"),
    ],
    ids=["continued", "pruned", "failed"],
)
def test_how_a_trial_ends_is_shown(tmp_path: Path, start: dict[str, Any], end: dict[str, Any], said: str) -> None:
    (tmp_path / "0000").mkdir()
    journal = Journal(tmp_path / "0000" / "journal.jsonl")
    console = Console(file=(told := io.StringIO()), width=120)
    display = Display(console, Progress(tmp_path, "min", 1, 1), "mse", {}, None, 1, "s", lambda: 61.0)
    journal.append("start", session="s", worker=0, parameters={"architecture": "gru-16"}, **start)
    journal.append("end", **end)
    display.tick()
    assert said in told.getvalue()
