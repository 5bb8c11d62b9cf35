"""Forecasts of an exported model: the next values of the series in a CSV file, in the units of the file.

`tracking/deploy/predict.py` reads the file and undoes the scale, so an export says the same by itself.
"""

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.training.sampling import read_card, read_model
from tracking.deploy.predict import Unfit, forecasts, read_series, reading
from tracking.errors import BadInput, DataError
from tracking.figures import figure_for

if TYPE_CHECKING:
    import keras

SHOWN = 3  # horizons of the past in a figure, at least


def load(folder: Path) -> tuple["keras.Model", dict[str, Any]]:
    """The model that `recurrent export` wrote to `folder`, and its card.

    Raises BadInput for a missing or broken file, and for a model that forecasts nothing.
    """
    card = read_card(folder)
    preprocessing = card.get("preprocessing")
    if not isinstance(preprocessing, dict) or "scales" not in preprocessing:
        raise BadInput(f"{folder}: expected a model that forecasts a series, got one of the task {card.get('task')!r}")
    return read_model(folder), card


def forecast(
    model: "keras.Model", card: dict[str, Any], file: Path, horizon: int = 0, column: str = ""
) -> dict[str, list[float]]:
    """The next values of each series in the file by its name, "" for an only one; see `predict.forecasts`.

    Raises DataError, in one line, for a file that cannot be read and for what the model cannot forecast.
    """
    try:
        return forecasts(reading(model), card, str(file), horizon, column)
    except (OSError, UnicodeError, csv.Error, Unfit) as error:
        raise DataError(_line(error, file)) from None


def _line(error: Exception, file: Path) -> str:
    if isinstance(error, OSError):
        return f"{file}: expected a file .csv that can be read, got {error.strerror or error}"
    return str(error)


def draw(found: dict[str, list[float]], card: dict[str, Any], file: Path, column: str, to: Path) -> None:
    """Writes a figure of each series: the values that were read, and the next ones. The end of `to` says its format.

    Raises BadInput for a format that is not known.
    """
    about = card["preprocessing"]
    columns = [column or about["columns"][0]]
    past = read_series(str(file), {**about, "columns": columns}, max(about["context"], SHOWN * about["horizon"]))
    figure = figure_for(to, "--plot", "forecast", (9, 3 * len(found)))
    for axes, (name, values) in zip(np.ravel(figure.subplots(len(found), squeeze=False)), found.items(), strict=True):
        before = past[name][:, 0]
        axes.plot(np.arange(1 - len(before), 1), before, color="C0", label="read")
        axes.plot(np.arange(len(values) + 1), [before[-1], *values], color="C1", label="forecast")
        axes.set(title=name or columns[0], xlabel="steps from the last value of the file")
        axes.legend(frameon=False)
    figure.savefig(to)
