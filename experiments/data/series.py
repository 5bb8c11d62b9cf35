"""Where the series of `forecast` come from: generated, in the package statsmodels, a verified download, or a CSV file.

    load("co2").values  {"": float64 (2284, 1)}     load("sales.csv", columns=("sold", "price"), by="shop").values
                                                    {"Berlin": float64 (time, 2), "Rome": float64 (time, 2)}

The first column is forecast, the others are covariates. A series is cut in time, 70/15/15, unless its source has cuts
that others have published results on. No downloaded series is part of this project, nor a file that derives from one.
"""

import csv
import functools
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from experiments.data import chaos
from tracking.deploy.predict import Unfit, header, read_series  # an export reads the same files by itself
from tracking.errors import BadInput, DataError
from tracking.text import did_you_mean

GENERATED = ("mackey-glass", "lorenz", "narma10")
EXTRA = "series"  # of pyproject.toml
ETT = "https://raw.githubusercontent.com/zhouhaoyi/ETDataset/1d16c8f4f943005d613b5bc962e9eeb06058cf07/ETT-small"
M4 = "https://raw.githubusercontent.com/Mcompetitions/M4-methods/6c1067e5a57161249b17289a565178dc7a3fb3ca/Dataset"
DOWNLOADS = {  # url, sha256 and bytes of each file
    "ETTh1.csv": (f"{ETT}/ETTh1.csv", "f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066", 2_589_657),
    "Hourly-train.csv": (
        f"{M4}/Train/Hourly-train.csv",
        "ea59b7783573c49077a835ab6465c7d66f1474783360f310988a9a737fbca62f",
        2_347_115,
    ),
    "Hourly-test.csv": (
        f"{M4}/Test/Hourly-test.csv",
        "71a57fccb15e534d973626ada4fb87febf789e9317715b7cc6dd3b5f90db6f42",
        132_820,
    ),
}
ETTH1_HOURS = (12 * 30 * 24, 16 * 30 * 24, 20 * 30 * 24)  # the ends of the published splits, in months of 30 days
M4_HOURS = 48  # that are forecast in the competition


@dataclass(frozen=True)
class Source:
    """A source that is known by its name.

    Args:
        context, horizon, season: what is usual on it: steps that are read, that are forecast, and of one period.
        licence: of the data.
        column: what is forecast.
        trend: its level goes on to change, so that a model reads each window relative to its last value.
        covariates: further columns that are read.
    """

    context: int
    horizon: int
    season: int
    licence: str
    column: str
    trend: bool = False
    covariates: tuple[str, ...] = ()


MADE = "none is needed, since the data are generated"
SOURCES = {
    "mackey-glass": Source(100, 84, 51, MADE, "x"),
    "lorenz": Source(50, 20, 15, MADE, "x"),
    "narma10": Source(20, 1, 1, MADE, "y", covariates=("u",)),
    "sunspots": Source(132, 12, 132, "public domain: SIDC, Royal Observatory of Belgium", "sunspots"),
    "co2": Source(104, 26, 52, "public domain: Keeling and Whorf, Scripps", "co2", trend=True),
    "elnino": Source(48, 12, 12, "public domain: NOAA", "temperature"),
    "etth1": Source(96, 24, 24, "CC BY-ND 4.0: Zhou et al. 2021; a changed copy may not be handed on", "OT"),
    "m4-hourly": Source(96, 48, 24, "not stated: the M4 competition", "value"),
}
FILE = Source(48, 12, 1, "", "")


@dataclass(frozen=True)
class Series:
    """Series by their names, float64 `(time, columns)`; "" is the name of an only one.

    Args:
        columns: their names; the first one is forecast.
        cut: from the length of a series to the ends of its training, validation and test part.
        by: the column of a file that says of which series a row is; "" for one series.
    """

    values: dict[str, np.ndarray]
    columns: tuple[str, ...]
    cut: Callable[[int], tuple[int, int, int]]
    by: str = ""


def known(name: str) -> Source:
    """What is known of a source. Raises BadInput for a name that is neither known nor that of a CSV file."""
    if name.lower().endswith(".csv"):
        return FILE
    if name not in SOURCES:
        expected = f"source: expected one of {', '.join(SOURCES)}, or a file .csv"
        raise BadInput(f"{expected}, got {name!r}{did_you_mean(name, SOURCES)}")
    return SOURCES[name]


def in_time(length: int) -> tuple[int, int, int]:
    return length * 70 // 100, length * 85 // 100, length


def load(name: str, columns: tuple[str, ...] = ("",), time: str = "", by: str = "", tau: int = 17) -> Series:
    """The series of a source.

    Args:
        columns: of a file or of etth1: what is forecast, "" for what is usual or the only one left, and the covariates.
        time: the column of a file by which its rows are ordered; "" for a file in order.
        by: the column of a file that says of which series a row is; "" for one series.
        tau: the delay of mackey-glass.

    Raises DataError in one line: for a missing package, a failed download and a file that cannot be read.
    """
    if known(name) is FILE:
        return _file(name, columns, time, by)
    if (any(columns) and name != "etth1") or time or by:
        raise BadInput(f"column, covariates, time, series: expected none for {name}, which is no file .csv")
    columns = (columns[0] or SOURCES[name].column, *columns[1:], *SOURCES[name].covariates)
    readers: dict[str, Callable[[], dict[str, np.ndarray]]] = {
        "mackey-glass": lambda: {"": chaos.mackey_glass(tau)},
        "lorenz": lambda: {"": chaos.lorenz()},
        "narma10": lambda: {"": chaos.narma10()},
        "etth1": lambda: read(_downloaded("ETTh1.csv"), columns, "date", ""),
        "m4-hourly": _m4,
    }
    found = readers.get(name, lambda: {"": _packaged(name)})()
    cuts = {"etth1": lambda length: ETTH1_HOURS, "m4-hourly": _m4_cut}
    values = {one: np.reshape(series, (len(series), -1)) for one, series in found.items()}
    return Series(values, columns, cuts.get(name, in_time), "series" if len(values) > 1 else "")


def _file(name: str, columns: tuple[str, ...], time: str, by: str) -> Series:
    path = Path(name).expanduser()
    if not path.is_file():
        raise DataError(f"source: expected {', '.join(SOURCES)}, or a file .csv, got {name!r}, which does not exist")
    if not columns[0]:
        columns = (_only(path, {*columns, time, by}), *columns[1:])
    return Series(read(path, columns, time, by), columns, in_time, by)


def _only(path: Path, others: set[str]) -> str:
    """The only column of a file beside some others."""
    left = [column for column in header(str(path))[0] if column not in others]
    if len(left) != 1:
        raise BadInput(f"column: expected one of {', '.join(left) or 'the columns of the file'}, got none")
    return left[0]


def read(path: Path, columns: tuple[str, ...], time: str, by: str) -> dict[str, np.ndarray]:
    """The series in a CSV file; see `tracking.deploy.predict.read_series`. Raises DataError for one that is no such."""
    try:
        return read_series(str(path), {"columns": list(columns), "time": time, "series_by": by})
    except (OSError, UnicodeError, csv.Error, Unfit) as error:
        raise DataError(str(error)) from None


def _packaged(name: str) -> np.ndarray:
    """A series in a file of statsmodels, `(time,)`. The package is not imported, which would take seconds."""
    found = find_spec("statsmodels")
    if found is None or not found.origin:
        expected = f"source: expected the package statsmodels for {name}, got none"
        raise DataError(f"{expected}: pip install 'recurrent-search[{EXTRA}]'")
    folder = Path(found.origin).parent / "datasets"
    try:
        return {"sunspots": _sunspots, "co2": _co2, "elnino": _elnino}[name](folder)
    except (OSError, ValueError, IndexError) as error:
        raise DataError(f"source: expected {name} in {folder} as in statsmodels 0.15, got {error}") from None


def _sunspots(folder: Path) -> np.ndarray:
    """Monthly means of whole years, 1749 to 2008. A line has a year and its months."""
    lines = (folder / "sunspots" / "src" / "sunspots_monthly.dat").read_text("latin-1").splitlines()
    rows = [line.split()[1:] for line in lines if line[:4].isdigit()]
    return np.array([row for row in rows if len(row) == 12], np.float64).ravel()


def _co2(folder: Path) -> np.ndarray:
    """Weekly means. Missing ones lie on the line between their neighbours."""
    rows = _rows(folder / "co2" / "co2.csv")
    values = np.array([float(row[1] or "nan") for row in rows[1:]])
    there = np.flatnonzero(np.isfinite(values))
    return np.interp(np.arange(len(values)), there, values[there])


def _elnino(folder: Path) -> np.ndarray:
    """Monthly temperatures of the surface of the sea. A line has a year and its months."""
    return np.array([row[1:] for row in _rows(folder / "elnino" / "elnino.csv")[1:]], np.float64).ravel()


def _rows(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return [row for row in csv.reader(file) if row]


def _downloaded(name: str) -> Path:
    from experiments.data.downloads import fetch  # urllib and filelock take 0.1 s

    url, sha256, size = DOWNLOADS[name]
    return fetch(url, sha256, name, size)


@functools.cache
def _m4() -> dict[str, np.ndarray]:
    """The series of the competition, H1 to H414, each with the hours that are forecast at its end."""
    files = (_downloaded(f"Hourly-{part}.csv") for part in ("train", "test"))
    train, test = ({row[0]: row[1:] for row in _rows(file)[1:]} for file in files)
    joined = {name: [text for text in (*values, *test[name]) if text] for name, values in train.items()}
    return {name: np.array(values, np.float64) for name, values in joined.items()}


def _m4_cut(length: int) -> tuple[int, int, int]:
    """The test part is that of the competition. The validation part is as long and stands before it."""
    return length - 2 * M4_HOURS, length - M4_HOURS, length
