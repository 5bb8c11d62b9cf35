"""Figures for files of every format that Matplotlib writes."""

from pathlib import Path

import pytest

from tracking.errors import BadInput
from tracking.figures import figure_for


@pytest.mark.parametrize("name", ["a.png", "a.PNG", "a.svg", "a.pdf"])
def test_a_figure_is_saved(tmp_path: Path, name: str) -> None:
    figure_for(tmp_path / name, "--plot", "a", (2, 1)).savefig(tmp_path / name)
    assert (tmp_path / name).stat().st_size > 500


@pytest.mark.parametrize("name", ["a", "a.txt", ".png"])
def test_another_format_gets_one_line(name: str) -> None:
    line = rf"^--plot: expected a file like attention\.png, \.svg or \.pdf, got '{name}'$"
    with pytest.raises(BadInput, match=line):
        figure_for(Path(name), "--plot", "attention", (2, 1))
