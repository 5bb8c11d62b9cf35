"""A search on a CSV file, as users run it: measures in MLflow, the export with and without this project."""

import math
import subprocess
import sys
from pathlib import Path

import pytest
from support.cards import checked_card
from support.searching import Recurrent, Searched, run

SEARCH = (
    *("search", "forecast", "-o", "source=sales.csv", "-o", "column=sold", "-o", "covariates=price", "-o", "time=week"),
    *("-o", "context=12", "-o", "horizon=4", "-o", "season=6", "-o", "anchor=last", "--cells", "gru", "--depth", "1"),
    *("--width", "16", "--learning-rate", "0.01", "--batch", "16", "--trials", "1", "--epochs", "3", "--name", "sales"),
)
SECONDS = 600  # on a busy machine


@pytest.mark.slow
def test_a_search_on_a_file(tmp_path: Path, recurrent: Recurrent) -> None:
    rows = [f"{week},{100 + week + 20 * math.sin(week):.3f},{week % 5}" for week in range(200)]
    (tmp_path / "sales.csv").write_text("\n".join(["week,sold,price", *rows]) + "\n")
    done = run(*SEARCH, cwd=tmp_path, seconds=SECONDS)
    assert (done.returncode, done.stderr) == (0, ""), done
    assert (
        "sales.csv: 200 values of sold, price; 4 ahead from 12, season 6, anchor last; windows: 125 train,"
        in done.stdout
    )
    (trial,) = Searched(tmp_path, "sales", done).trials()
    assert {"samples/nrmse", "samples/smape", "best/mase", "floor/autoregression"} <= set(trial.data.metrics)
    export = run("export", "sales", "--to", "best", "--format", "all", cwd=tmp_path, seconds=SECONDS)
    assert (export.returncode, export.stderr) == (0, "") and export.stdout.endswith("forecast best SERIES.csv\n")
    card = checked_card(tmp_path / "best")
    assert card["preprocessing"]["columns"] == ["sold", "price"] and card["options"]["source"] == "sales.csv"
    done = recurrent("forecast", "best", "sales.csv", cwd=tmp_path)
    values = [float(line) for line in done.stdout.splitlines()]
    assert len(values) == 4
    for form in ("keras", "savedmodel", "onnx", "litert"):
        words = [sys.executable, "-I", "best/predict.py", "sales.csv", "--format", form]
        there = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
        assert there.returncode == 0, there.stderr
        assert [float(line) for line in there.stdout.splitlines()] == pytest.approx(values, rel=2e-6), form
    assert done.stdout == subprocess.run([*words[:-1], "keras"], cwd=tmp_path, capture_output=True, text=True).stdout
    (tmp_path / "moved").mkdir()
    (tmp_path / "sales.csv").rename(tmp_path / "moved" / "s.csv")
    again = run("export", "sales", "--to", "again", "-o", "source=moved/s.csv", cwd=tmp_path, seconds=SECONDS)
    assert (again.returncode, again.stderr) == (0, ""), again
