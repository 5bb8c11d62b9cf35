"""What the figure of `recurrent horizon`, and its table, say of unusual models."""

import re
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from tracking.horizon import LOST, _finish_axes, draw
from tracking.text import format_half_life

LAGS = range(100)


def trial(slope: float) -> dict[str, Any]:
    """A model whose gain changes by `slope` in log10 a step, at first and trained."""
    steps = 100.0 if slope >= 0 else min(100.0, 0.30103 / -slope)
    horizon = {f"{moment}half_life{over}": steps for moment in ("", "init_") for over in ("", "_50")}
    horizon |= {f"{moment}rate{over}": slope * 2.302585 for moment in ("", "init_") for over in ("", "_50")}
    curves = {moment: [(lag, slope * lag) for lag in LAGS] for moment in ("init_", "")}
    return {"architecture": "gru-8", "horizon": {**horizon, "task_lag": 60}, "curves": curves}


@pytest.mark.parametrize(("slope", "words"), [(-0.1, "3.01"), (0.0, "none"), (0.1, "none")])
def test_a_gradient_that_does_not_shrink_has_no_half_life(slope: float, words: str) -> None:
    horizon = trial(slope)["horizon"]
    assert format_half_life(horizon, "", "_50") == format_half_life(horizon, "init_", "") == words


@pytest.mark.parametrize("slope", [-1.0, -0.1, -0.001, 0.0, 0.1])
def test_the_line_of_one_percent_is_in_the_figure(slope: float, tmp_path: Path) -> None:
    axes = Figure().subplots()
    _finish_axes(axes, [trial(slope)])
    bottom, top = axes.get_ylim()
    assert bottom < LOST < top and top > slope * 99
    draw([trial(slope)], "t", tmp_path / "t.svg")
    assert ("half-life none" in drawn(tmp_path / "t.svg")) == (slope >= 0)


def drawn(file: Path) -> str:
    """The words of a figure: matplotlib writes each as a comment before its outlines."""
    return " ".join(re.findall("<!-- (.*?) -->", file.read_text("utf-8")))
