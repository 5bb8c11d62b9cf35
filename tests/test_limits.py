"""When a search, or a worker's trial, must end before its time."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from experiments import limits as module
from experiments.limits import Limits, Watch, limits
from experiments.progress import Progress
from experiments.spec import Spec
from tracking.journal import Journal

MINUTE = 60_000  # milliseconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The time that everybody sees, in milliseconds."""
    time = {"now": 1_700_000_000_000}
    monkeypatch.setattr(module, "now", lambda: time["now"])
    monkeypatch.setattr("tracking.journal.now", lambda: time["now"])
    return time


def watch(folder: Path, limits: Limits, direction: str = "min") -> Watch:
    return Watch(limits, Progress(folder, direction, 10, 10), "session")


def start(folder: Path, number: int = 0, worker: int = 0, session: str = "session") -> Journal:
    (folder / f"{number:04d}").mkdir()
    journal = Journal(folder / f"{number:04d}" / "journal.jsonl")
    journal.append("start", session=session, worker=worker, parameters={"architecture": "gru-16"})
    return journal


def epoch(journal: Journal, number: int) -> None:
    journal.append("epoch", execution=0, epoch=number, metrics={"loss": 0.1, "val_mse": 0.2})


def end(journal: Journal, score: float) -> None:
    journal.append("end", outcome="completed", score=score)


def offence(one: Watch, worker: int = 0, pid: int | None = None) -> str:
    one.progress.update()
    process = SimpleNamespace(pid=pid or psutil.Process().pid)
    fake: Any = SimpleNamespace(index=worker, process=process)
    return one.offence(fake)[1]


def over(one: Watch) -> str:
    one.progress.update()
    return one.over()


def test_the_time_limit(tmp_path: Path, clock: dict[str, int]) -> None:
    one = watch(tmp_path, Limits(time=45 * 60))
    clock["now"] += 45 * MINUTE
    assert over(one) == ""
    clock["now"] += 1
    assert over(one) == "the time limit of 45 min 0 s is over"


@pytest.mark.parametrize(("direction", "scores"), [("min", (0.02, 0.01)), ("max", (0.005, 0.01))])
def test_the_target(tmp_path: Path, direction: str, scores: tuple[float, float]) -> None:
    one = watch(tmp_path, Limits(target=0.01), direction)
    assert over(one) == "", "no score yet"
    end(start(tmp_path, 0), scores[0])
    assert over(one) == ""
    end(start(tmp_path, 1), scores[1])
    assert over(one) == "trial 0001 (gru-16) has reached the target of 0.01"


def test_a_hung_trial(tmp_path: Path, clock: dict[str, int]) -> None:
    one, journal = watch(tmp_path, Limits()), start(tmp_path)
    clock["now"] += 10 * MINUTE
    assert offence(one) == ""
    clock["now"] += 1
    assert offence(one) == "hung: no epoch for 10 min 0 s"
    epoch(journal, 0)
    assert offence(one) == "", "it goes on"
    clock["now"] += MINUTE
    epoch(journal, 1)  # the epochs took ten minutes and one: twenty times the median is longer
    clock["now"] += 20 * 5 * MINUTE
    assert offence(one) == ""
    clock["now"] += 20 * MINUTE
    assert offence(one).startswith("hung: no epoch for 1 h 50 min")


def test_a_trial_without_an_epoch_in_its_time(tmp_path: Path, clock: dict[str, int]) -> None:
    one, journal = watch(tmp_path, Limits(trial_time=60)), start(tmp_path)
    clock["now"] += MINUTE + 1
    assert offence(one) == "no epoch within the trial time limit of 1 min 0 s"
    epoch(journal, 0)
    clock["now"] += 2 * MINUTE
    assert offence(one) == "", "the worker itself ends it after an epoch"


def test_only_the_workers_own_running_trial(tmp_path: Path, clock: dict[str, int]) -> None:
    one = watch(tmp_path, Limits())
    start(tmp_path, 0, worker=1)
    start(tmp_path, 1, worker=0, session="earlier")
    end(start(tmp_path, 2, worker=0), 0.5)
    clock["now"] += 11 * MINUTE
    assert offence(one, 0) == ""
    assert offence(one, 1).startswith("hung")


def test_memory(tmp_path: Path) -> None:
    start(tmp_path)
    used = psutil.Process().memory_info().rss
    assert offence(watch(tmp_path, Limits(memory=2 * used))) == ""
    assert "GiB of memory, limit" in offence(watch(tmp_path, Limits(memory=used // 2)))
    assert offence(watch(tmp_path, Limits(memory=1)), pid=2**22 - 1) == "", "it has just ended"


def test_the_limits_of_a_spec() -> None:
    spec = {"name": "s", "task": "adding", "options": {}, "cells": ["gru"]}
    assert limits(Spec(**spec), 4) == Limits(memory=int(0.8 * psutil.virtual_memory().total / 4))
    words = {"time_limit": "1h", "target": "0.01", "trial_time_limit": "90", "memory_limit": "2G"}
    assert limits(Spec(**spec, **words), 4) == Limits(3600, 0.01, 90, 2**31)
    assert limits(Spec(**spec, memory_limit="none"), 4).memory is None
