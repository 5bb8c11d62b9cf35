"""`--budget`: a time that is filled with trials."""

import io
import math
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from support.searching import run

from experiments.cli.listing import _planned, _texts
from experiments.config import estimate
from experiments.config.folders import SearchFolder
from experiments.config.spec import UNLIMITED, Spec
from experiments.errors import BadInput
from experiments.launcher.announcement import announcement
from experiments.launcher.display import Display
from experiments.launcher.forecast import Forecast
from experiments.launcher.limits import limits
from experiments.launcher.progress import Progress
from experiments.launcher.settings import search_spec
from experiments.tasks.loading import find
from tracking.journal import Journal

SMALL = ("-o", "length=5", "-o", "train=64", "-o", "val=16", "--cells", "gru", "--depth", "1", "--width", "4")
STEPS = 100  # of an epoch
WORKERS = 2
DESCRIBED: dict[str, Any] = {"floors": {}, "solved": None}  # of the task


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def spec_of(resume: bool = False, **given: Any) -> Spec:
    return search_spec("adding", {}, "s", resume, **given)[0]


def test_a_budget_is_a_time_limit_without_a_number_of_trials() -> None:
    spec = spec_of(budget="30m")
    assert (spec.trials, spec.time_limit, spec.epochs, spec.budget) == (UNLIMITED, "30m", Spec.epochs, "30m")
    assert estimate.planned_trials(spec, None) == UNLIMITED
    assert (limits(spec, 1).time_seconds, limits(spec, 1).time_name) == (1800, "budget")
    assert spec_of(budget="none") == spec_of() and spec_of().budget == "" == spec_of(time_limit="30m").budget


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"trials": 5}, "--trials: expected none with --budget, which fills its time with trials, got 5"),
        ({"time_limit": "1h"}, "--time-limit: expected none with --budget, which is one, got '1h'"),
        ({"budget": "soon"}, "--budget: expected a duration like 90s, 45m or 1h30m, or none; got 'soon'"),
    ],
)
def test_what_does_not_go_with_a_budget(given: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput) as error:
        spec_of(**{"budget": "30m", **given})
    assert str(error.value).startswith(message)


def test_a_search_that_goes_on() -> None:
    """With the same budget, another one, or with trials that are counted again."""
    folder = SearchFolder(Path("searches/s"))
    folder.path.mkdir(parents=True)
    spec_of(budget="30m").write(folder)
    same, longer, counted = spec_of(True), spec_of(True, budget="1h"), spec_of(True, trials=40)
    assert (same.budget, longer.budget, longer.trials) == ("30m", "1h", UNLIMITED)
    assert (counted.trials, counted.time_limit, counted.budget) == (40, "none", "")
    assert spec_of(True, trials=40, time_limit="5m").time_limit == "5m"
    spec_of(trials=5, time_limit="45m").write(folder)
    filled = spec_of(True, budget="10m")
    assert (filled.trials, filled.time_limit) == (UNLIMITED, "10m")


def announced(spec: Spec, models: int | None = None) -> str:
    task = find.make("adding", {})
    planned = estimate.planned_trials(spec, models)
    lines = announcement(spec, task, Path("task"), DESCRIBED, models, planned, WORKERS, STEPS)
    return next(str(line) for line in lines if " execution(s) x " in str(line))


def test_it_is_announced_how_many_trials_are_likely_to_fit() -> None:
    task = find.make("adding", {})
    spec = spec_of(budget="30m", seed=3)
    line = announced(spec)
    low, high = (int(word.replace(",", "")) for word in line.partition("about ")[2].split(",")[0].split(" to "))
    assert line.startswith("as many trials as fit into 30 min 0 s, about ")
    assert line.endswith(f" x 1 execution(s) x {spec.epochs} epochs, 2 worker(s), oracle tpe, seed 3")

    def seconds(trials: int) -> float:
        return estimate.search_seconds(spec, task, STEPS, WORKERS, trials)

    for trials, time in ((low, 1800 / 1.6), (high, 1800 * 1.6)):
        assert seconds(trials) <= time < seconds(trials + 1)
    assert 1 <= low < high and high == estimate.trials_within(spec, task, STEPS, WORKERS, 2880, UNLIMITED)
    assert estimate.trials_within(spec, task, STEPS, WORKERS, 0.0, UNLIMITED) == 1
    assert "about 2 to 2," in announced(spec, models=2), "the space has no more"


def test_the_time_that_is_left_is_at_most_the_limit(here: Path) -> None:
    task = find.make("adding", {})
    for spec in (spec_of(budget="30m"), spec_of(trials=10_000, time_limit="30m")):
        progress = Progress(here, "min", regular=estimate.planned_trials(spec, None), epochs=spec.epochs)
        assert 1790 < Forecast(spec, task, STEPS, WORKERS, progress, None).seconds_left() <= 1800
    spec = spec_of(trials=1)
    progress = Progress(here, "min", regular=1, epochs=spec.epochs)
    assert math.isfinite(Forecast(spec, task, STEPS, WORKERS, progress, None).seconds_left())


def test_trials_are_counted_without_a_number_in_all(here: Path) -> None:
    (here / "0000").mkdir()
    journal = Journal(here / "0000" / "journal.jsonl")
    journal.append("start", session="s", worker=0, parameters={"architecture": "gru-16"})
    told = io.StringIO()
    progress = Progress(here, "min", regular=UNLIMITED, epochs=1)
    display = Display(Console(file=told, width=100), progress, "mse", {}, None, 1, "s", lambda: 61.0)
    journal.append("end", outcome="completed", score=0.25, seconds=1.0)
    display.tick()
    assert told.getvalue().split()[:3] == ["1", "0000", "gru-16"]
    screen = Console(file=(drawn := io.StringIO()), width=100)
    screen.print(display.screen())
    assert drawn.getvalue().split("\n")[0].split()[:2] == ["1", "trials"]


def test_the_list_of_searches_has_no_number_for_it() -> None:
    assert _planned(spec_of(budget="30m").to_json(), 3) is None
    assert _planned(spec_of().to_json(), 3) == Spec.trials and _planned({}, 3) == 3
    one = {"search": "s", "task": "adding", "metric": "mse", "best": None, "status": "RUNNING", "done": 3}
    more = {"planned": None, "begun": "2026-01-01T00:00", "bytes": None, "resumable": False, "verdict": None}
    assert "3 trials" in _texts(one | more)


@pytest.mark.slow
def test_a_budget_is_filled_with_trials(here: Path) -> None:
    words = ("search", "adding", *SMALL, "--epochs", "1", "--workers", "1", "--name", "s")
    done = run(*words, "--budget", "40s", cwd=here)
    assert (done.returncode, done.stderr) == (0, "")
    assert "as many trials as fit into 40 s, about " in done.stdout
    assert "the search has ended: the budget of 40 s is over" in done.stdout
    begun = len(list(here.glob("searches/s/trials/*")))
    assert begun > 1, "it has time for more than one"
    done = run(*words, "--resume", "--trials", str(begun + 1), cwd=here)
    assert f"the search has ended: all {begun + 1} trials are done" in done.stdout, done
