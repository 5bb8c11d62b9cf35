"""What goes wrong inside a trial costs that trial alone."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from support.compared import models
from support.searching import Searched, run

RATES = "1e30,0.01,1e-05"  # a grid begins with the last
# That learning rate learns nothing, the second something, the first one blows up.
GRID = (
    *("search", "adding", "-o", "length=10", "-o", "train=256", "-o", "val=64", "-o", "test=64", "--oracle", "grid"),
    *("--cells", "gru", "--depth", "1", "--width", "16", "--learning-rate", RATES, "--epochs", "2"),
    *("--workers", "1", "--name", "grid"),
)


FAILING = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[1] / "support")!r})
import experiments.launcher.launch, troubles
from experiments.cli.main import main

experiments.launcher.launch.make_tuner = troubles.failing_tuner
sys.exit(main(sys.argv[1:]))
"""


@dataclass(frozen=True)
class Trouble:
    """The search `grid` with one trial, the models in the store then, the search with up to 100 trials; and one that
    cannot build its first model."""

    first: Searched
    models: list[tuple[str, str]]
    grid: Searched
    failing: Searched


@pytest.fixture(scope="module")
def trouble(tmp_path_factory: pytest.TempPathFactory) -> Trouble:
    folder, other = (tmp_path_factory.mktemp(name).resolve() for name in ("grid", "failing"))
    words = [*GRID, "--trials", "100"]
    words[words.index("16")], words[words.index(RATES)] = "32,16", "0.01"

    def fails() -> Searched:
        return Searched(other, "grid", run(*words, cwd=other, code=FAILING))

    with ThreadPoolExecutor(1) as pool:  # on the other core
        failing = pool.submit(fails)
        first = Searched(folder, "grid", run(*GRID, "--trials", "1", cwd=folder))
        logged = models(first)
        grid = Searched(folder, "grid", run(*GRID, "--trials", "100", "--resume", cwd=folder))
        return Trouble(first, logged, grid, failing.result())


def test_a_grid_stops_after_exactly_its_space(trouble: Trouble) -> None:
    first, search = trouble.first, trouble.grid
    assert (first.done.returncode, first.done.stderr) == (0, "")
    assert (search.done.returncode, search.done.stderr) == (0, "")
    assert [float(run.data.params["learning_rate"]) for run in search.trials()] == [1e-5, 0.01, 1e30]
    assert search.parent.info.status == "FINISHED"


def test_a_diverging_trial_costs_itself_alone(trouble: Trouble) -> None:
    search = trouble.grid
    good, better, bad = search.trials()
    assert [run.data.tags["recurrent.outcome"] for run in (good, better, bad)] == ["completed", "completed", "failed"]
    assert [run.info.status for run in (good, better, bad)] == ["FINISHED", "FINISHED", "FAILED"]
    assert re.fullmatch(r"diverged in epoch 0: \w+ is (nan|inf)", bad.data.tags["recurrent.reason"])
    assert "best/mse" not in bad.data.metrics
    assert all(np.isfinite(value) for value in bad.data.metrics.values())
    shown = search.results()["trials"][2]
    assert (shown["score"], shown["status"], shown["outcome"]) == (None, "FAILED", "failed")
    assert shown["reason"] == bad.data.tags["recurrent.reason"]
    (line,) = [line for line in search.done.stdout.splitlines() if line.startswith("   3/3")]
    assert "failed: diverged in epoch 0" in line


def test_one_model_is_logged_and_a_better_one_takes_its_place(trouble: Trouble) -> None:
    before, search = trouble.models, trouble.grid
    good, better, _ = search.trials()
    assert better.data.metrics["best/mse"] < good.data.metrics["best/mse"]
    assert [run_id for _, run_id in before] == [good.info.run_id]
    assert [run_id for _, run_id in models(search)] == [better.info.run_id]


def test_learning_rates_are_plain_decimals(trouble: Trouble) -> None:
    assert [run.data.params["learning_rate"] for run in trouble.grid.trials()][:2] == ["0.00001", "0.01"]


def test_an_exception_costs_its_trial_alone(trouble: Trouble) -> None:
    search = trouble.failing
    assert (search.done.returncode, search.done.stderr) == (0, "")
    assert [run.data.params["width"] for run in search.trials()] == ["32", "16"], (
        "the largest first, whatever was typed"
    )
    assert [run.info.status for run in search.trials()] == ["FAILED", "FINISHED"]
    failed = search.trials()[0].data
    assert failed.tags["recurrent.outcome"] == "failed"
    assert "house" in failed.tags["recurrent.reason"] and "\n" not in failed.tags["recurrent.reason"]
    assert "RuntimeError: no such width" in failed.tags["recurrent.error"], "the traceback"
    assert "Traceback" in failed.tags["recurrent.error"]


@pytest.mark.slow
def test_a_search_without_a_completed_trial_fails(tmp_path: Path) -> None:
    words = [*GRID, "--trials", "100"]
    words[words.index(RATES)] = "1e30"
    done = run(*words, cwd=tmp_path)
    assert done.returncode == 1
    assert "no trial has completed" in done.stdout
    done = run("export", "grid", "--to", "best", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "recurrent export: export: expected a search with a completed trial, got 'grid', which has none\n"
    )
    assert not (tmp_path / "best").exists()
