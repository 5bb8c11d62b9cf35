"""Cuts series into windows: what a model reads and what it forecasts, scaled by the training part alone.

With a context of 3, a horizon of 2 and the series 0 1 2 … 9, whose validation part begins at 7:

    training    x 0 1 2  y 3 4      x 1 2 3  y 4 5      x 2 3 4  y 5 6
    validation  x 4 5 6  y 7 8      x 5 6 7  y 8 9

The windows of validation and test may look back into the part before them. No window looks forward into the next part.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.data.series import Series
from tracking.deploy.predict import scaled
from tracking.errors import BadInput, DataError

ANCHORS = ("auto", "none", "last")  # what a window is read relative to
PARTS = ("train", "val", "test")
Scales = dict[str, dict[str, Any]]  # by the name of the series: mean and deviation of each column, and naive_error


@dataclass(frozen=True)
class Windows:
    """Windows of one part. In the units of the series the answers are `(y + last) * deviation + mean`.

    Args:
        x: float64 `(windows, context, columns)`.
        y: float64 `(windows, horizon)`.
        last, mean, deviation: float64 `(windows, 1)`.
    """

    x: np.ndarray
    y: np.ndarray
    last: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray

    def values(self, answers: np.ndarray) -> np.ndarray:
        """Answers in the units of the series."""
        return (answers + self.last) * self.deviation + self.mean


def scales(series: Series, season: int) -> tuple[Scales, float]:
    """How the columns of each series are scaled, and the factor that makes errors in scaled units those of MASE.

    A series is less its mean and divided by its own naive error: the mean of |x[t] - x[t - season]| (Hyndman & Koehler
    2006, doi:10.1016/j.ijforecast.2006.03.001). The factor divides all series once more, so that their deviation is 1.
    A covariate is divided by its deviation.
    """
    training = {name: values[: series.cut(len(values))[0]] for name, values in series.values.items()}
    errors = {name: _naive_error(name, values[:, 0], season) for name, values in training.items()}
    spreads = [values[:, 0].var() / errors[name] ** 2 for name, values in training.items()]
    factor = float(np.sqrt(np.mean(spreads)))
    found = {}
    for name, values in training.items():
        deviations = np.where(values.std(axis=0) > 0, values.std(axis=0), 1.0)
        deviations[0] = factor * errors[name]
        found[name] = {"mean": values.mean(axis=0).tolist(), "deviation": deviations.tolist()}
        found[name]["naive_error"] = errors[name]
    return found, factor


def _naive_error(name: str, values: np.ndarray, season: int) -> float:
    of = f" of {name}" if name else ""
    if len(values) <= season:
        raise BadInput(f"season: expected at most {len(values) - 1} steps in the training part{of}, got {season}")
    error = float(np.abs(values[season:] - values[:-season]).mean())
    if not error:
        raise DataError(f"source: expected values that change over {season} steps in the training part{of}, got none")
    return error


def cut(series: Series, part: str, scaling: Scales, context: int, horizon: int, anchor: str, most: int = 0) -> Windows:
    """The windows of a part, or `most` of them, evenly spread over all. Raises BadInput where there are not so many."""
    ends = _all_ends(series, part, context, horizon)
    total = sum(map(len, ends.values()))
    if most > total:
        raise BadInput(f"{part}: expected at most the {total:,} windows of the series, got {most:,}")
    chosen, found, before = np.linspace(0, total - 1, most or total).round().astype(int), [], 0
    for name, values in series.values.items():
        here = chosen[(chosen >= before) & (chosen < before + len(ends[name]))] - before
        before += len(ends[name])
        if len(here):
            whole = np.lib.stride_tricks.sliding_window_view(values, context + horizon, axis=0)
            rows = whole[np.asarray(ends[name])[here] - context - horizon].transpose(0, 2, 1)
            found.append(_scaled(rows, scaling[name], context, anchor))
    return Windows(*(np.concatenate([getattr(one, field) for one in found]) for field in Windows.__dataclass_fields__))


def count(series: Series, part: str, context: int, horizon: int) -> int:
    """How many windows a part has."""
    return sum(map(len, _all_ends(series, part, context, horizon).values()))


def _all_ends(series: Series, part: str, context: int, horizon: int) -> dict[str, range]:
    cuts = {name: series.cut(len(values)) for name, values in series.values.items()}
    return {name: _ends(name, part, ends, context, horizon) for name, ends in cuts.items()}


def _ends(name: str, part: str, cuts: tuple[int, int, int], context: int, horizon: int) -> range:
    """Where the windows of a part end, behind their last step."""
    place = PARTS.index(part)
    begin, end = (0, *cuts)[place : place + 2]
    first = max(begin, context) + horizon
    if first > end:
        of = f" of {name}" if name else ""
        asked = f"the {part} part{of}, which ends at {end} and begins at {begin}"
        raise BadInput(f"context, horizon: expected windows that fit into {asked}, got {context} and {horizon}")
    return range(first, end + 1)


def _scaled(rows: np.ndarray, scale: dict[str, Any], context: int, anchor: str) -> Windows:
    """Windows from rows `(windows, context + horizon, columns)` of one series."""
    x, last = scaled(rows[:, :context], scale, {"anchor": anchor})
    mean, deviation = (np.full((len(rows), 1), scale[name][0]) for name in ("mean", "deviation"))
    return Windows(x, (rows[:, context:, 0] - mean) / deviation - last, last, mean, deviation)
