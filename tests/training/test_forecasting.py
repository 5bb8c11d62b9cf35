"""`recurrent forecast` on models with random weights, against the same by hand."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from support.searching import Recurrent

from experiments.training.forecasting import forecast, load
from tracking.errors import BadInput, DataError

CONTEXT, HORIZON = 5, 3
SCALES = {"": {"mean": [10.0, 3.0], "deviation": [2.0, 0.5], "naive_error": 1.0}}
VALUES = [round(10 + 2 * float(np.sin(t)), 4) for t in range(12)]


def about(columns: list[str], **more: Any) -> dict[str, Any]:
    shape = {"context": CONTEXT, "horizon": HORIZON, "season": 1, "anchor": "none"}
    return {**shape, "columns": columns, "time": "", "series_by": "", "scales": SCALES, **more}


@pytest.fixture(scope="module")
def models() -> dict[int, keras.Model]:
    """Models that read one column and two."""
    keras.utils.set_random_seed(1)
    made = {}
    for columns in (1, 2):
        layers = keras.Input((None, columns)), keras.layers.SimpleRNN(4), keras.layers.Dense(HORIZON)
        made[columns] = keras.Sequential(layers)
    return made


@pytest.fixture
def exported(models: dict[int, keras.Model], tmp_path: Path) -> Path:
    """An export, and a series beside it."""
    folder = tmp_path / "best"
    folder.mkdir()
    models[1].save(folder / "model.keras")
    scales = {"": {"mean": [10.0], "deviation": [2.0], "naive_error": 1.0}}
    (folder / "model.json").write_text(json.dumps({"task": "forecast", "preprocessing": about(["v"], scales=scales)}))
    write(tmp_path / "a.csv", {"v": VALUES})
    return tmp_path


def write(file: Path, columns: dict[str, list[Any]]) -> Path:
    rows = zip(*columns.values(), strict=True)
    file.write_text("\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows)]) + "\n", "utf-8")
    return file


def by_hand(model: keras.Model, values: list[float], anchor: bool, steps: int) -> list[float]:
    """One horizon after the other, each from the last values, with mean 10 and deviation 2."""
    values = list(values)
    while len(values) < len(VALUES) + steps:
        window = [(value - 10) / 2 for value in values[-CONTEXT:]]
        last = window[-1] if anchor else 0.0
        read = np.array([[[value - last] for value in window]], np.float32)
        values += [float(answer + last) * 2 + 10 for answer in model.predict_on_batch(read)[0]]
    return values[len(VALUES) : len(VALUES) + steps]


@pytest.mark.parametrize("anchor", ["none", "last"])
@pytest.mark.parametrize("steps", [0, 2, 3, 8])
def test_the_next_values(models: dict[int, keras.Model], tmp_path: Path, anchor: str, steps: int) -> None:
    scales = {"": {"mean": [10.0], "deviation": [2.0], "naive_error": 1.0}}
    card = {"preprocessing": about(["v"], scales=scales, anchor=anchor)}
    found = forecast(models[1], card, write(tmp_path / "a.csv", {"v": VALUES}), steps)
    expected = by_hand(models[1], VALUES, anchor == "last", steps or HORIZON)
    assert list(found) == [""] and found[""] == pytest.approx(expected, rel=1e-5)


def test_covariates_and_several_series(models: dict[int, keras.Model], tmp_path: Path) -> None:
    """The shops' rows stand mixed, and the second shop has a scale of its own."""
    other = {"mean": [0.0, 1.0], "deviation": [7.0, 1.0], "naive_error": 1.0}
    card = {"preprocessing": about(["v", "w"], series_by="shop", scales={"b": SCALES[""], "a": other})}
    values = {"b": VALUES, "a": [3 * value for value in VALUES]}
    rows = {"shop": ["b", "a"] * 12, "w": [t % 5 for t in range(24)], "v": np.ravel(list(zip(*values.values())))}  # noqa: B905
    file = write(tmp_path / "a.csv", rows)  # type: ignore[arg-type]
    found = forecast(models[2], card, file)
    for place, (name, (mean, deviation)) in enumerate({"b": (10, 2), "a": (0, 7)}.items()):
        further = {"b": (3, 0.5), "a": (1, 1)}[name]
        v = (np.array(values[name][-CONTEXT:]) - mean) / deviation
        w = (np.array(rows["w"][place::2][-CONTEXT:]) - further[0]) / further[1]
        answers = models[2].predict_on_batch(np.stack([v, w], axis=-1)[None].astype(np.float32))[0]
        assert found[name] == pytest.approx((answers * deviation + mean).tolist(), rel=1e-5)
    with pytest.raises(DataError, match="^horizon: expected at most 3, since the next values of w are not known"):
        forecast(models[2], card, file, 4)
    del card["preprocessing"]["scales"]["a"]
    with pytest.raises(DataError, match="a.csv: expected series out of b, got a$"):
        forecast(models[2], card, file)


WRONG = [
    ({"v": VALUES[:4]}, "expected at least 5 rows, which the model reads, got 4"),
    ({"w": VALUES}, "expected the column 'v', got w"),
    ({"v": [*VALUES[:-1], "nan"]}, "line 13: expected a number in the column v, got 'nan'"),
    ({"v": [*VALUES[:-2], "", 1.0], "w": VALUES}, "line 12: expected a number in the column v, got ''"),
]


@pytest.mark.parametrize(("columns", "message"), WRONG, ids=[message for _, message in WRONG])
def test_files_that_do_not_fit(exported: Path, columns: dict[str, list[Any]], message: str) -> None:
    file = write(exported / "b.csv", columns)
    with pytest.raises(DataError) as error:
        forecast(*load(exported / "best"), file)
    assert str(error.value).replace(",", ":").startswith(f"{file}: {message}".replace(",", ":"))


def test_what_stands_before_the_context_is_not_read(exported: Path) -> None:
    model, card = load(exported / "best")
    file = write(exported / "b.csv", {"v": ["nan", "?", *VALUES]})
    assert forecast(model, card, file) == forecast(model, card, exported / "a.csv")


def test_the_command(exported: Path, recurrent: Recurrent) -> None:
    """Lines, JSON and the figure have the same values; another column is named."""
    model, card = load(exported / "best")
    done = recurrent("forecast", "best", "a.csv", cwd=exported)
    assert (done.returncode, done.stderr) == (0, "")
    expected = forecast(model, card, exported / "a.csv")[""]
    assert [float(line) for line in done.stdout.splitlines()] == pytest.approx(expected, rel=1e-6)
    write(exported / "b.csv", {"day": list(range(12)), "sold": VALUES})
    words = ("forecast", "best", "b.csv", "--column", "sold", "--horizon", "7", "--json", "--plot", "f.png")
    done = recurrent(*words, cwd=exported)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["series"] == "" and found["forecast"][:3] == pytest.approx(expected) and len(found["forecast"]) == 7
    assert (exported / "f.png").read_bytes()[:4] == b"\x89PNG"


def test_mistakes_are_one_line(exported: Path, recurrent: Recurrent) -> None:
    for words, message in (
        (["best", "none.csv"], "none.csv: expected a file .csv that can be read, got No such file or directory"),
        (["best", "a.csv", "--plot", "f.doc"], "--plot: expected a file like forecast.png, .svg or .pdf, got 'f.doc'"),
        (["best", "a.csv", "--horizon", "0"], "argument --horizon: "),
        (["none", "a.csv"], "none: expected the folder of an exported model, got no folder"),
    ):
        done = recurrent("forecast", *words, cwd=exported)
        assert done.returncode == 2 and done.stderr.splitlines()[-1].startswith(f"recurrent forecast: {message}"), done


def test_a_model_that_forecasts_nothing(exported: Path) -> None:
    (exported / "best" / "model.json").write_text(json.dumps({"task": "adding", "preprocessing": {"input": "float32"}}))
    with pytest.raises(BadInput, match="expected a model that forecasts a series, got one of the task 'adding'$"):
        load(exported / "best")
