"""What a decoder looks at in a source while it writes a target, as a heat map."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tracking.figures import figure_for

INCHES = 0.25  # of a symbol


def draw(source: Sequence[str], target: Sequence[str], weights: Any, file: Path) -> None:
    """Writes the figure; the end of the file's name says its format.

    Args:
        weights: `(target, source)`; one row sums to 1.

    Raises BadInput for a format that is not known.
    """
    size = 2 + INCHES * len(source), 1.5 + INCHES * len(target)
    figure = figure_for(file, "--plot", "attention", size)
    axes = figure.subplots()
    picture = axes.imshow(weights, cmap="viridis", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(source)), source, parse_math=False)  # "$" is a symbol like others
    axes.set_yticks(range(len(target)), target, parse_math=False)
    axes.tick_params(length=0)
    axes.set(xlabel="source", ylabel="target")
    figure.colorbar(picture, label="weight of the step")
    figure.savefig(file)
