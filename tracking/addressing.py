"""Where the heads of a machine with a memory look while it reads a sequence, as a figure."""

from pathlib import Path
from typing import Any

import numpy as np

from tracking.figures import figure_for

USED = 0.1  # a row of the memory is shown if a head has given it more weight than this
AROUND = 2  # further rows that are shown
HEADS = {"written to": 2, "read from": 1}  # the places of the heads' weights among the states of `NTMCell`


def with_memory(model: Any) -> Any:
    """The layer of a model whose cell has a memory; None if there is none."""
    return next((layer for layer in model.layers if hasattr(getattr(layer, "cell", None), "rows")), None)


def draw(model: Any, x: np.ndarray, file: Path) -> None:
    """Writes the figure: the weights of the rows over time, for the head that writes and the one that reads.

    Args:
        model: a Keras model for which `with_memory` finds a layer.
        x: one sequence, `(time, features)` or `(time,)`.
    """
    layer = with_memory(model)
    before = model.layers[: model.layers.index(layer)]
    read: Any = x[None]
    for one in before:
        read = one(read)
    states, seen = layer.cell.get_initial_state(1), []
    for step in range(x.shape[0]):
        _, states = layer.cell(read[:, step], states)
        seen.append([np.asarray(states[place])[0] for place in HEADS.values()])
    rows, half = layer.cell.rows, layer.cell.rows // 2
    over_time = np.roll(np.array(seen).transpose(1, 2, 0), half, axis=1)  # heads begin at row 0 and go both ways
    used = np.flatnonzero(over_time.max(axis=(0, 2)) > USED)
    first, last = (max(used[0] - AROUND, 0), min(used[-1] + AROUND, rows - 1)) if used.size else (0, rows - 1)
    ends = (-0.5, len(x) - 0.5, rows - half - 0.5, -half - 0.5)
    figure = figure_for(file, "--plot", "addressing", (9, 5))
    for axes, title, weights in zip(figure.subplots(1, 2, sharey=True), HEADS, over_time, strict=True):
        shown = {"cmap": "viridis", "vmin": 0, "vmax": 1, "aspect": "auto", "interpolation": "nearest", "extent": ends}
        picture = axes.imshow(weights, **shown)
        limits = last - half + 0.5, first - half - 0.5
        axes.set(title=title, xlabel="step", ylabel="row of the memory; -1 is the last one", ylim=limits)
    figure.colorbar(picture, ax=figure.axes, label="weight of the row")
    figure.savefig(file)
