"""The task forecast: where series come from, how they are cut and scaled, its score and floors, against definitions."""

import hashlib
import math
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean, pstdev
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from support import downloads as serving
from support.downloads import Server

from experiments.data import chaos, series
from experiments.tasks.base import SPLITS
from experiments.tasks.forecast import Forecast
from experiments.tasks.loading.find import make
from experiments.tasks.loading.places import absolute, has_file, portable
from tracking.errors import BadInput, RecurrentError

server = serving.server  # the fixture

SHA256 = {  # of the values as little-endian float64: results belong to them
    "mackey-glass": "e976af9a761a521e4c58a6091f4b379c27c2c74a9a8da43fb0ba07316088ab26",
    "lorenz": "c0cd3a82f0f26e1ed497bdc812ea88d348845916ba3f808565715af260486329",
    "narma10": "019f5ca206162d20859bfbc78936b0d011b9e1d3c92c9596dafd272c1373a81b",
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(name: str, columns: dict[str, Any], between: str = ",") -> str:
    """Writes a CSV file into the current folder."""
    rows = [between.join(columns), *(between.join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    Path(name).write_text("\n".join(rows) + "\n", "utf-8")
    return name


def waves(count: int, period: int, seed: int) -> list[float]:
    """A rising wave with noise."""
    noise = np.random.default_rng(seed).normal(0, 0.3, count)
    return [round(0.02 * t + math.sin(2 * math.pi * t / period) + noise[t], 6) for t in range(count)]


def refused(**options: Any) -> str:
    with pytest.raises(RecurrentError) as error:
        Forecast(**options).split("train", 0)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_mackey_glass_solves_its_equation(monkeypatch: pytest.MonkeyPatch) -> None:
    """By Heun's method with a twentieth of the step, and a delay of exactly tau."""
    monkeypatch.setattr(chaos, "BEFORE", 0)
    monkeypatch.setattr(chaos, "VALUES", 150)
    fine, tau = 200, 17  # steps of a unit of time
    x = [1.2] * (tau * fine + 1)
    for now in range(149 * fine):
        fed = [0.2 * old / (1 + old**10) for old in x[now : now + 2]]
        first = fed[0] - 0.1 * x[-1]
        second = fed[1] - 0.1 * (x[-1] + first / fine)
        x.append(x[-1] + (first + second) / (2 * fine))
    np.testing.assert_allclose(chaos.mackey_glass.__wrapped__(tau), x[tau * fine :: fine], atol=2e-4)


def test_lorenz_solves_its_equations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chaos, "BEFORE", 0)
    monkeypatch.setattr(chaos, "VALUES", 100)
    times = np.arange(100) * 0.05
    exact = solve_ivp(
        lambda _, s: (10 * (s[1] - s[0]), s[0] * (28 - s[2]) - s[1], s[0] * s[1] - 8 / 3 * s[2]),
        (0, 5),
        (1, 1, 1),
        t_eval=times,
        rtol=1e-10,
        atol=1e-10,
    )
    np.testing.assert_allclose(chaos.lorenz.__wrapped__(), exact.y[0], atol=1e-3)


def test_narma10_is_its_equation() -> None:
    y, u = chaos.narma10().T
    for t in (9, 500, 7_998):
        before = [y[t - back] for back in range(10)]
        assert y[t + 1] == pytest.approx(
            0.3 * y[t] + 0.05 * y[t] * sum(before) + 1.5 * u[t - 9] * u[t] + 0.1, rel=1e-12
        )
    assert 0 <= u.min() < u.max() < 0.5 and 0 < y.min() < y.max() < 1.5
    task = Forecast(source="narma10")
    x, answers = task.split("train", 0)
    assert (task.features, x.shape[1:], answers.shape[1:]) == (2, (20, 2), (1,))
    assert task.floors()["autoregression"] < task.floors()["mean"], "it reads u, too"


@pytest.mark.parametrize("name", SHA256)
def test_every_machine_makes_the_same_values(name: str) -> None:
    values = series.load(name).values[""]
    assert values.shape == (8_000, 2 if name == "narma10" else 1)
    assert hashlib.sha256(values.astype("<f8").tobytes()).hexdigest() == SHA256[name]


@pytest.mark.parametrize("anchor", ["none", "last"])
def test_windows_and_scale_by_hand(here: Path, anchor: str) -> None:
    """All windows of 40 values: which steps they have, and that they say the values again once the scale is undone."""
    values = waves(40, 7, 0)
    task = Forecast(source=written("a.csv", {"v": values}), context=6, horizon=3, season=7, anchor=anchor)
    scale = task.preprocessing()["scales"][""]
    train = values[:28]
    naive = fmean(abs(train[t] - train[t - 7]) for t in range(7, 28))
    assert scale["mean"] == [pytest.approx(fmean(train))] and scale["deviation"] == [pytest.approx(pstdev(train))]
    assert scale["naive_error"] == pytest.approx(naive)
    for name, begin, end in zip(SPLITS, (0, 28, 34), (28, 34, 40), strict=True):
        firsts = [t for t in range(6, 40) if t >= begin and t + 3 <= end]
        x, y = task.split(name, 0)
        assert (x.shape, y.shape) == ((len(firsts), 6, 1), (len(firsts), 3))
        for row, first in enumerate(firsts):
            last = (values[first - 1] - scale["mean"][0]) / scale["deviation"][0] if anchor == "last" else 0
            read, asked = ((part + last) * scale["deviation"][0] + scale["mean"][0] for part in (x[row, :, 0], y[row]))
            np.testing.assert_allclose([*read, *asked], values[first - 6 : first + 3], atol=1e-5)


def test_the_future_changes_neither_scale_nor_training(here: Path) -> None:
    values = waves(100, 7, 1)
    tasks = [
        Forecast(source=written(f"{change}.csv", {"v": [*values[:70], *(v + change for v in values[70:])]}), context=5)
        for change in (0, 1000)
    ]
    assert tasks[0].preprocessing() == tasks[1].preprocessing()
    for one, other in zip(*(task.split("train", 0) for task in tasks), strict=True):
        np.testing.assert_array_equal(one, other)


def test_floors_and_score_from_the_definitions(here: Path) -> None:
    """Each floor in the units of the file, over all validation windows, divided by the naive error of training."""
    values, context, horizon, season = waves(200, 6, 2), 9, 4, 6
    task = Forecast(source=written("a.csv", {"v": values}), context=context, horizon=horizon, season=season)
    train, naive = values[:140], fmean(abs(values[t] - values[t - season]) for t in range(season, 140))
    rows = np.array([[*values[t - context : t], 1] for t in range(context, 140 - horizon + 1)])
    asked = np.array([values[t : t + horizon] for t in range(context, 140 - horizon + 1)])
    weights = np.linalg.pinv(rows) @ asked
    errors: dict[str, list[float]] = {name: [] for name in ("mean", "naive", "seasonal_naive", "autoregression")}
    for t in range(140, 170 - horizon + 1):
        fitted = np.array([*values[t - context : t], 1]) @ weights
        for k in range(horizon):
            right = values[t + k]
            errors["mean"].append(abs(right - fmean(train)))
            errors["naive"].append(abs(right - values[t - 1]))
            errors["seasonal_naive"].append(abs(right - values[t + k - season]))
            errors["autoregression"].append(abs(right - fitted[k]))
    expected = {name: fmean(several) / naive for name, several in errors.items()}
    assert task.floors() == pytest.approx({key: expected[key] for key in task.floors()}, rel=1e-9)
    assert set(task.floors()) >= {"mean", "autoregression"}
    ranked = list(task.floors().values())[:-1]
    assert ranked == sorted(ranked, reverse=True), "a floor that is worse than one with less memory is left out"
    assert task.solved == pytest.approx(0.9 * expected["autoregression"])
    assert list(task.floors("test")) == list(task.floors())


def test_a_season_that_repeats_within_the_horizon(here: Path) -> None:
    """A horizon of two and a half seasons: what repeats exactly is forecast exactly."""
    values = [float(v) for v in [3, 1, 4, 1.5] * 30]
    values[5] += 0.5  # the naive error is not 0
    task = Forecast(source=written("a.csv", {"v": values}), context=8, horizon=10, season=4)
    assert task.floors()["seasonal_naive"] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("options", "floors"),
    [
        ({}, {"mean": 1.256, "seasonal_naive": 0.878, "autoregression": 0.502}),
        ({"tau": 30}, {"mean": 0.579, "autoregression": 0.387}),
    ],
)
def test_the_floors_of_mackey_glass(options: dict[str, int], floors: dict[str, float]) -> None:
    """Those of another integration, which begins elsewhere on the attractor."""
    assert Forecast(**options).floors() == pytest.approx(floors, rel=0.05)


STATSMODELS = {  # computed from the files by another program
    "sunspots": (3_120, {"mean": 1.755, "naive": 0.847, "autoregression": 0.630}),
    "co2": (2_284, {"mean": 20.845, "naive": 2.230, "seasonal_naive": 1.030, "autoregression": 0.334}),
    "elnino": (732, {"mean": 1.760, "seasonal_naive": 1.199, "autoregression": 0.792}),
}


@pytest.mark.parametrize("name", STATSMODELS)
def test_the_series_of_statsmodels(name: str) -> None:
    if not find_spec("statsmodels"):
        pytest.skip("the extra `series` is not installed")
    count, floors = STATSMODELS[name]
    task = Forecast(source=name)
    assert len(task._series.values[""]) == count and task.licence.startswith("public domain")
    assert task.floors() == pytest.approx(floors, rel=2e-3)


def test_a_missing_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series, "find_spec", lambda name: None)
    expected = "source: expected the package statsmodels for co2, got none: pip install 'recurrent-search[series]'"
    assert refused(source="co2") == expected


@pytest.fixture
def served(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The server in place of the published files; `body` is what it has."""
    monkeypatch.setenv("RECURRENT_SEARCH_CACHE", str(tmp_path))
    series._m4.cache_clear()
    yield server
    series._m4.cache_clear()


def publish(server: Server, monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    server.body = text.encode()
    sha256 = hashlib.sha256(server.body).hexdigest()
    monkeypatch.setitem(series.DOWNLOADS, name, (server.url, sha256, len(server.body)))
    series._downloaded(name)


def test_etth1_is_downloaded_and_cut_as_published(served: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT"]
    dates = np.datetime64("2016-07-01T00:00:00") + np.arange(14_500) * np.timedelta64(1, "h")
    rows = [
        ",".join([str(date).replace("T", " "), *(f"{hour % (24 + place) / 10}" for place in range(7))])
        for hour, date in enumerate(dates)
    ]
    publish(served, monkeypatch, "ETTh1.csv", "\n".join([",".join(["date", *names]), *rows]) + "\n")
    task = Forecast(source="etth1", covariates="HUFL, LULL")
    assert [len(task.split(name, 0)[0]) for name in SPLITS] == [8_640 - 96 - 23, 2_880 - 23, 2_880 - 23]
    assert task.split("val", 0)[0].shape[1:] == (96, 3) and task.solved is None
    assert task.preprocessing()["columns"] == ["OT", "HUFL", "LULL"] and "BY-ND" in task.licence
    scale = task.preprocessing()["scales"][""]
    assert scale["mean"][0] == pytest.approx(fmean(hour % 30 / 10 for hour in range(8_640)))
    assert len(served.asked) == 1


def test_m4_is_tested_on_the_hours_of_the_competition(served: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two series of different lengths and sizes; a shorter one is filled with empty fields. Both count alike."""
    whole = [[10 * v for v in waves(300, 24, 3)], waves(250, 24, 4)]
    parts = {"train": [row[:-48] for row in whole], "test": [row[-48:] for row in whole]}
    for name, rows in parts.items():
        longest = max(map(len, rows))
        lines = [",".join([f'"V{one}"' for one in range(1, longest + 2)])]
        lines += [
            ",".join([f'"H{number}"', *(f'"{v}"' for v in row), *['""'] * (longest - len(row))])
            for number, row in enumerate(rows, start=1)
        ]
        publish(served, monkeypatch, f"Hourly-{name}.csv", "\n".join(lines) + "\n")
    task = Forecast(source="m4-hourly")
    assert [len(task.split(name, 0)[0]) for name in ("val", "test")] == [2, 2]
    windows = task.windows("test")
    np.testing.assert_allclose(windows.values(windows.y), [row[-48:] for row in whole])
    answers = windows.x[:, [step % 24 - 24 for step in range(48)], 0]
    by_hand = []
    for row in whole:
        naive = fmean(abs(row[t] - row[t - 24]) for t in range(24, len(row) - 96))
        by_hand.append(fmean(abs(row[-48 + k] - row[-48 - 24 + k % 24]) for k in range(48)) / naive)
    assert task.score(windows.y, answers) == pytest.approx(fmean(by_hand))
    about = task.preprocessing()  # a file for `recurrent forecast` has the columns series and value
    assert (set(about["scales"]), about["series_by"], about["columns"]) == ({"H1", "H2"}, "series", ["value"])
    with pytest.raises(BadInput, match="^context, horizon: expected windows that fit into the val part of H1, which"):
        Forecast(source="m4-hourly", horizon=49).split("val", 0)


def test_a_file_with_covariates_and_several_series(here: Path) -> None:
    """The rows of two shops stand mixed; a semicolon is between the columns."""
    one, two = waves(80, 7, 5), [100 * v for v in waves(60, 7, 6)]
    rows = sorted([(t, "Rome", v) for t, v in enumerate(one)] + [(t, "Berlin", v) for t, v in enumerate(two)])
    columns = {"day": [t for t, _, _ in rows], "shop": [s for _, s, _ in rows], "sold": [v for _, _, v in rows]}
    columns["price"] = [2 * t + 1 for t, _, _ in rows]
    options = {"column": "sold", "covariates": "price", "series": "shop", "time": "day", "context": 5, "horizon": 2}
    task = Forecast(source=written("a.csv", columns, ";"), **options)  # type: ignore[arg-type]
    x, y = task.split("train", 0)
    assert x.shape == (56 - 5 - 1 + 42 - 5 - 1, 5, 2) and y.shape == (len(x), 2)
    scales = task.preprocessing()["scales"]
    assert scales["Rome"]["mean"] == [
        pytest.approx(fmean(one[:56])),
        pytest.approx(fmean(2 * t + 1 for t in range(56))),
    ]
    few = Forecast(source="a.csv", train=10, **options)  # type: ignore[arg-type]
    spread = few.split("train", 0)[0]
    assert {row.tobytes() for row in spread} < {row.tobytes() for row in x} and (spread[0] == x[0]).all()
    assert (spread[-1] == x[-1]).all(), "of both series"


WRONG: list[tuple[dict[str, Any], str]] = [
    (
        {"source": "sunspot"},
        "source: expected one of mackey-glass, lorenz, narma10, sunspots, co2, elnino, etth1, m4-hourly",
    ),
    (
        {"source": "none.csv"},
        "source: expected mackey-glass, lorenz, narma10, sunspots, co2, elnino, etth1, m4-hourly, or a file",
    ),
    ({"source": "a.csv"}, "column: expected one of day, v, w, got none"),
    ({"source": "a.csv", "column": "x"}, "a.csv: expected the column 'x', got day, v, w"),
    ({"source": "a.csv", "column": "w"}, "a.csv, line 4: expected a number in the column w, got 'nan'"),
    (
        {"source": "a.csv", "column": "v", "time": "day"},
        "a.csv, line 31: expected a time after 2024-01-29 00:00:00",
    ),
    ({"source": "a.csv", "column": "v", "time": "w"}, "a.csv, line 4: expected a date or a number as the others, got"),
    (
        {"source": "a.csv", "column": "v", "context": 60},
        "context, horizon: expected windows that fit into the train",
    ),
    (
        {"source": "a.csv", "column": "v", "season": 99},
        "season: expected at most 41 steps in the training part",
    ),
    (
        {"source": "a.csv", "column": "v", "train": 99, "context": 5, "horizon": 2},
        "train: expected at most the 36",
    ),
    ({"source": "flat.csv"}, "source: expected values that change over 1 steps in the training part, got none"),
    ({"source": "empty.csv", "column": "v"}, "empty.csv: expected the column 'v', got an empty file"),
    ({"source": "head.csv"}, "head.csv: expected rows below the names of the columns, got none"),
    ({"column": "x"}, "column, covariates, time, series: expected none for mackey-glass, which is no file .csv"),
    ({"source": "lorenz", "tau": 30}, "tau: expected it with source=mackey-glass, got source=lorenz"),
    ({"anchor": "first"}, "anchor: expected one of auto, none, last, got 'first'"),
]


@pytest.mark.parametrize(("options", "message"), WRONG, ids=[str(options) for options, _ in WRONG])
def test_options_and_files_that_cannot_be(here: Path, options: dict[str, Any], message: str) -> None:
    days = [f"2024-01-{day:02}" for day in range(1, 30)] + [f"2024-01-{day:02}" for day in range(1, 32)]
    written("a.csv", {"day": days, "v": waves(60, 7, 0), "w": [1, 2, "nan", *range(57)]})
    written("flat.csv", {"v": [1.0] * 200})
    Path("empty.csv").write_text("")
    Path("head.csv").write_text("v\n")
    assert refused(**options).startswith(message)


def test_a_file_is_found_again_as_a_text_is(here: Path) -> None:
    written("a.csv", {"v": waves(60, 7, 0)})
    assert has_file({"source": "a.csv"}, "source") and not has_file({"source": "co2"}, "source")
    assert absolute("forecast", {"source": "a.csv"})[1]["source"] == str(here / "a.csv")
    assert portable("forecast", {"source": str(here / "a.csv")}, "source")[1] == {"source": "a.csv"}


def test_what_is_usual_is_written_down() -> None:
    """A search keeps the numbers, so that a later version does not change them."""
    made = make("forecast", {"source": "co2"})
    assert (made.horizon, made.context, made.season, made.anchor) == (26, 104, 52, "last")  # type: ignore[attr-defined]


def test_the_measures_beside_the_score(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By hand, in the units of the file, for a model that always answers zero in the units of the scale."""
    values = waves(60, 7, 7)
    task = Forecast(source=written("a.csv", {"v": values}), context=4, horizon=2)

    class Zero:
        def predict(self, x: np.ndarray, **kwargs: Any) -> np.ndarray:
            return np.zeros((len(x), 2), np.float32)

    # Keras is not needed here, and takes seconds to import.
    monkeypatch.setitem(sys.modules, "search_spaces.plain", SimpleNamespace(plain=lambda model: model))
    right = [values[t + k] for t in range(42, 50) for k in range(2)]
    said = fmean(values[:42])
    found = task.samples(Zero(), 0)
    assert found["nrmse"] == pytest.approx(math.sqrt(fmean((v - said) ** 2 for v in right)) / pstdev(right))
    assert found["smape"] == pytest.approx(200 * fmean(abs(v - said) / (abs(v) + abs(said)) for v in right))
