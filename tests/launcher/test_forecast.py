"""How long a search still takes: the estimate at the start, corrected by the trials so far."""

import dataclasses
from pathlib import Path

import pytest

from experiments.config import estimate
from experiments.config.spec import Spec
from experiments.launcher import forecast
from experiments.launcher.forecast import Forecast
from experiments.launcher.progress import Progress
from experiments.tasks.loading import find
from tracking.journal import Journal

SPEC = Spec(
    name="s", task="adding", options={}, cells=["gru"], depth="1", width="16,64", trials=8, epochs=4, pruner="none"
)
MILLISECONDS = 0.001  # in these the journals have their times
SLOWER = 3.0  # the machine of these tests is so many times as slow as estimated


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time. TensorFlow needs none to be imported."""
    now = [0.0]
    monkeypatch.setattr(estimate, "START_SECONDS", 0.0)
    monkeypatch.setattr(forecast.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(forecast.time, "time", lambda: now[0])  # of the journals
    monkeypatch.setattr(estimate, "usable_cores", lambda: 1)
    return now


def begin(trials: Path, number: int, width: int) -> Journal:
    folder = trials / f"{number:04d}"
    folder.mkdir(parents=True, exist_ok=True)
    journal = Journal(folder / "journal.jsonl")
    values = {"architecture": f"gru-{width}", "cell": "gru", "depth": 1, "width": width}
    journal.append("start", session="s", worker=0, parameters=values)
    return journal


def epoch(journal: Journal, number: int) -> None:
    journal.append("epoch", execution=0, epoch=number, metrics={"loss": 1.0, "val_mse": 0.5}, seconds=1.0)


def complete(journal: Journal) -> None:
    for number in range(SPEC.epochs):
        epoch(journal, number)
    journal.append("end", outcome="completed", score=0.1, seconds=1.0)


def epoch_seconds(width: int) -> float:
    values = {"cell": "gru", "depth": 1, "width": width}
    return estimate.candidate_seconds(SPEC, values, find.make("adding", {}), 50)


def test_a_slow_machine_is_noticed(tmp_path: Path, clock: list[float]) -> None:
    task = find.make("adding", {})
    progress = Progress(tmp_path, "min", regular=SPEC.trials, epochs=SPEC.epochs)
    ours = Forecast(SPEC, task, 50, 1, progress, estimate.space_size(SPEC))
    cost = {width: estimate.fixed_seconds(1) + SPEC.epochs * epoch_seconds(width) for width in (16, 64)}
    total = SPEC.trials * sum(cost.values()) / 2
    assert ours.seconds_left() == pytest.approx(total), "nothing is known yet"
    for number, width in enumerate((16, 64)):
        journal = begin(tmp_path, number, width)
        clock[0] += SLOWER * cost[width]
        complete(journal)
    ours.take(progress.update())
    assert ours.seconds_left() == pytest.approx(SLOWER * 0.75 * total, rel=0.1)


def test_a_single_long_trial_is_forecast_from_its_epochs(tmp_path: Path, clock: list[float]) -> None:
    spec = dataclasses.replace(SPEC, width="64", trials=1, epochs=100)
    task = find.make("adding", {})
    progress = Progress(tmp_path, "min", regular=1, epochs=100)
    ours = Forecast(spec, task, 50, 1, progress, estimate.space_size(spec))
    total = ours.seconds_left()
    journal = begin(tmp_path, 0, 64)
    for number in range(25):
        epoch(journal, number)
    clock[0] = total / 8
    assert ours.seconds_left() == pytest.approx(7 / 8 * total), "no epoch is over"
    clock[0] = SLOWER * total / 4
    progress.update()
    assert ours.seconds_left() == pytest.approx(SLOWER * 0.75 * total, rel=0.3)


def test_a_running_epoch_counts_as_far_as_it_should_be(tmp_path: Path, clock: list[float]) -> None:
    """With four epochs it makes a difference of a sixth whether a running epoch counts."""
    spec = dataclasses.replace(SPEC, width="64", trials=1)
    progress = Progress(tmp_path, "min", regular=1, epochs=4)
    ours = Forecast(spec, find.make("adding", {}), 50, 1, progress, estimate.space_size(spec))
    fixed, whole = estimate.fixed_seconds(1), epoch_seconds(64)
    total = fixed + 4 * whole
    journal = begin(tmp_path, 0, 64)
    clock[0] = fixed + whole
    epoch(journal, 0)
    progress.update()
    assert ours.seconds_left() == pytest.approx(3 * whole, rel=MILLISECONDS)
    clock[0] = fixed + 1.5 * whole
    assert ours.seconds_left() == pytest.approx(total - clock[0], rel=0.01)
    clock[0] = fixed + 11 * whole  # the second epoch takes ten times as long as the first one
    assert ours.seconds_left() > 2 * 2 * whole, "two epochs, each more than twice as long"


def test_an_interrupted_trial_that_waits_does_not_count_as_running(tmp_path: Path, clock: list[float]) -> None:
    spec = dataclasses.replace(SPEC, width="64", trials=2)
    fixed, whole = estimate.fixed_seconds(1), epoch_seconds(64)
    for number in range(2):
        begin(tmp_path, number, 64)
    clock[0] = 1000.0  # the search goes on with the first of them
    progress = Progress(tmp_path, "min", regular=2, epochs=4)
    ours = Forecast(spec, find.make("adding", {}), 50, 1, progress, estimate.space_size(spec))
    journal = begin(tmp_path, 0, 64)
    clock[0] += fixed + whole
    epoch(journal, 0)
    progress.update()
    assert ours.seconds_left() == pytest.approx(fixed + 7 * whole, rel=MILLISECONDS)


def test_a_trial_that_has_passed_the_pruner_s_look_is_likely_to_go_on(tmp_path: Path, clock: list[float]) -> None:
    """It was forecast as before it began, so that nothing was left of it long before its end."""
    spec = dataclasses.replace(SPEC, width="64", trials=1, epochs=20, pruner="halving")
    progress = Progress(tmp_path, "min", regular=1, epochs=20)
    ours = Forecast(spec, find.make("adding", {}), 50, 1, progress, estimate.space_size(spec))
    journal, whole = begin(tmp_path, 0, 64), epoch_seconds(64)
    for number in range(12):  # the pruner looks after 3 and after 9 epochs
        clock[0] = estimate.fixed_seconds(1) + (number + 1) * whole
        epoch(journal, number)
    progress.update()
    assert ours.seconds_left() == pytest.approx(8 * whole, rel=MILLISECONDS)


def test_small_models_that_come_last_are_known(tmp_path: Path, clock: list[float]) -> None:
    """A grid trains the largest models first."""
    spec = dataclasses.replace(SPEC, trials=2, learning_rate="0.01", oracle="grid")
    task = find.make("adding", {})
    progress = Progress(tmp_path, "min", regular=2, epochs=4)
    ours = Forecast(spec, task, 50, 1, progress, estimate.space_size(spec))
    journal = begin(tmp_path, 0, 64)
    clock[0] = estimate.fixed_seconds(1) + 4 * epoch_seconds(64)
    complete(journal)
    ours.take(progress.update())
    small = estimate.fixed_seconds(1) + 4 * epoch_seconds(16)
    assert ours.seconds_left() == pytest.approx(small, rel=MILLISECONDS)
