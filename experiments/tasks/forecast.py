"""Forecast: say the next values of a series, all at once, from the values before them.

    x  .1 .3 .5 .4 .2      y  .1 .2 .4      (context=5, horizon=3)

A series is cut in time: 70 % to train, 15 % to validate, 15 % to test. Windows of validation may look back into the
training part, never forward. The training part alone says the scale. Other columns of a file are further channels.
With anchor=last a window is read relative to its last value.

Scored by MASE: the mean |error|, divided by the mean |x[t] - x[t - season]| of the training part. Beside it stand NRMSE
(the root of the mean squared error, divided by the deviation of the answers) and sMAPE. Floors: the mean of the
training part; `naive`, the last value; `seasonal_naive`, the value of a season before; `autoregression`, least squares
on the whole context. Naive and seasonal naive stand there where they are better on validation than what has less
memory: 84 steps ahead on mackey-glass the last value is worse than the mean.

Solved: on a generated series a tenth of the autoregression's MASE or less, on others nine tenths; etth1: report it.
Published, mackey-glass 84 ahead: Jaeger & Haas 2004, doi:10.1126/science.1091277, NRMSE 10^-4.2 with an echo state
network of 1,000 units that goes on from its own values.
Source: Hyndman & Koehler 2006, doi:10.1016/j.ijforecast.2006.03.001 (MASE); Mackey & Glass 1977.
"""

import functools
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, ClassVar

import numpy as np

from experiments.data import baselines
from experiments.data.cuts import ANCHORS, Scales, Windows, count, cut, scales
from experiments.data.series import GENERATED, SOURCES, Series, known, load
from experiments.tasks.base import SPLITS, Arrays, Task, option
from tracking.errors import BadInput

USUAL = "0 for what is usual on the source"
LAG = 17  # the delay at which mackey-glass is mostly forecast


@dataclass(frozen=True, kw_only=True)
class Forecast(Task):
    """x float32 `(count, context, columns)`, y float32 `(count, horizon)`; both in the units of the scale."""

    metric: ClassVar[str] = "mase"
    knob: ClassVar[str] = "horizon"
    loss: ClassVar[str] = "mse"
    finite_data: ClassVar[str] = "a series has only so many values"
    default_trials: ClassVar[int] = 12
    default_epochs: ClassVar[int] = 15

    source: str = option("mackey-glass", f"{', '.join(SOURCES)}, or a file .csv", corpus=True)
    horizon: int = option(0, f"values that are forecast; {USUAL}", 0)
    context: int = option(0, f"values that are read; {USUAL}", 0)
    season: int = option(0, f"steps of a period, for the score and a floor; {USUAL}, 1 for a file", 0)
    anchor: str = option("auto", "last: relative to the last value; none; auto: last on co2", choices=ANCHORS)
    tau: int = option(LAG, "the delay of mackey-glass, for example 17 or 30", 1)
    column: str = option("", "of a file: what is forecast; not needed for an only column")
    covariates: str = option("", "of a file: further columns that are read, with commas between")
    time: str = option("", "of a file: the column by which its rows are ordered, to check it")
    series: str = option("", "of a file: the column that says of which series a row is")
    train: int = option(0, "training windows that are used, evenly spread; 0 for all", 0)
    val: int = option(0, "the same for validation", 0)
    test: int = option(0, "the same for the test, read by finals and export alone", 0)

    def __post_init__(self) -> None:
        super().__post_init__()
        usual = known(self.source)
        for name in ("horizon", "context", "season"):
            object.__setattr__(self, name, getattr(self, name) or getattr(usual, name))
        if self.anchor == "auto":
            object.__setattr__(self, "anchor", "last" if usual.trend else "none")
        if self.tau != LAG and self.source != "mackey-glass":
            raise BadInput(f"tau: expected it with source=mackey-glass, got source={self.source}")

    @functools.cached_property
    def _series(self) -> Series:
        return load(self.source, (self.column, *self._covariates), self.time, self.series, self.tau)

    @functools.cached_property
    def _scales(self) -> tuple[Scales, float]:
        return scales(self._series, self.season)

    @property
    def _covariates(self) -> list[str]:
        return [name.strip() for name in self.covariates.split(",") if name.strip()]

    @property
    def licence(self) -> str:
        return known(self.source).licence

    @property
    def features(self) -> int:
        return 1 + len(self._covariates) + len(known(self.source).covariates)

    @property
    def outputs(self) -> int:
        return self.horizon

    @property
    def steps(self) -> int:
        return self.context

    def windows(self, name: str) -> Windows:
        """The windows of a split, before they are rounded to 32 bits."""
        most = getattr(self, SPLITS[SPLITS.index(name)])
        return cut(self._series, name, self._scales[0], self.context, self.horizon, self.anchor, most)

    def split(self, name: str, seed: int, epoch: int = 0) -> Arrays:
        found = self.windows(name)
        return found.x.astype(np.float32), found.y.astype(np.float32)

    def judge(self, y: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        return self._scales[1] * np.abs(np.subtract(y, outputs, dtype=np.float64)).mean(axis=1)

    @property
    def solved(self) -> float | None:
        if self.source == "etth1":
            return None
        return (0.1 if self.source in GENERATED else 0.9) * self.floors()["autoregression"]

    def floors(self, split: str = "val") -> dict[str, float]:
        scores, asked = self._all_floors("val"), self._all_floors(split)
        ranks = list(scores.values())
        worse = [name for place, name in enumerate(scores) if ranks[place] >= min(ranks[:place], default=np.inf)]
        return {name: asked[name] for name in scores if name not in worse or name == "autoregression"}

    def _all_floors(self, split: str) -> dict[str, float]:
        windows = self.windows(split)
        found = baselines.answers(windows, self.season, self._weights)
        return {name: self.score(windows.y, answers) for name, answers in found.items()}

    @functools.cached_property
    def _weights(self) -> np.ndarray:
        return baselines.fitted(self.windows("train"))

    def samples(self, model: Any, seed: int) -> dict[str, float]:  # type: ignore[override]
        """NRMSE and sMAPE (in percent) of the model on the validation split."""
        from search_spaces.plain import plain

        windows = self.windows("val")
        answers = np.asarray(plain(model).predict(windows.x.astype(np.float32), batch_size=256, verbose=0), np.float64)
        spread, (right, said) = (windows.y + windows.last).std(), map(windows.values, (windows.y, answers))
        sizes = np.abs(right) + np.abs(said)
        shares = np.divide(np.abs(right - said), sizes, out=np.zeros_like(sizes), where=sizes > 0)
        return {"nrmse": np.sqrt(np.mean((windows.y - answers) ** 2)) / spread, "smape": 200 * shares.mean()}

    def about(self) -> str:
        sizes = [len(values) for values in self._series.values.values()]
        many = f"{len(sizes):,} series of {min(sizes):,} to {max(sizes):,}" if len(sizes) > 1 else f"{sizes[0]:,}"
        counts = {name: count(self._series, name, self.context, self.horizon) for name in SPLITS}
        windows = ", ".join(f"{getattr(self, name) or most:,} {name}" for name, most in counts.items())
        shape = f"{self.horizon} ahead from {self.context}, season {self.season}, anchor {self.anchor}"
        of = ", ".join(self._series.columns)
        return f"{PurePath(self.source).name}: {many} values of {of}; {shape}; windows: {windows}"

    def preprocessing(self) -> dict[str, Any]:
        shape = {"context": self.context, "horizon": self.horizon, "season": self.season, "anchor": self.anchor}
        columns = {"columns": list(self._series.columns), "time": self.time, "series_by": self._series.by}
        return {**super().preprocessing(), **shape, **columns, "scales": self._scales[0]}
