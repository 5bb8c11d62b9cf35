"""Forecasts of models with less memory, which the score of `forecast` is compared with."""

import numpy as np

from experiments.data.cuts import Windows


def answers(windows: Windows, season: int, weights: np.ndarray) -> dict[str, np.ndarray]:
    """The answers of each model, `(windows, horizon)` or `(windows, 1)`, in the order of the values that they read.

    `mean` reads none, `naive` the last value, `seasonal_naive` one season (where the context has it, and it is more
    than a step), and `autoregression` the whole context.

    Args:
        weights: of the autoregression; see `fitted`.
    """
    x, (context, horizon) = windows.x[..., 0], (windows.x.shape[1], windows.y.shape[1])
    found = {"mean": -windows.last, "naive": x[:, -1:]}
    if 1 < season <= context:
        found["seasonal_naive"] = x[:, [step % season - season for step in range(horizon)]]
    return {**found, "autoregression": _design(windows.x) @ weights}


def fitted(windows: Windows) -> np.ndarray:
    """The weights of an autoregression `(context * columns + 1, horizon)`, by least squares on these windows."""
    return np.linalg.lstsq(_design(windows.x), windows.y, rcond=None)[0]


def _design(x: np.ndarray) -> np.ndarray:
    """What an autoregression reads: each window as a row, and a 1."""
    return np.column_stack([x.reshape(len(x), -1), np.ones(len(x))])
