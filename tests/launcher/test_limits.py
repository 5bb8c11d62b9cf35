"""When a search, or a worker's trial, must end before its time."""

import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest
from rich.console import Console

from experiments.config.estimate import candidate_seconds, epoch_seconds
from experiments.config.spec import Spec
from experiments.launcher import limits as module
from experiments.launcher.engine import Where
from experiments.launcher.launch import Launch
from experiments.launcher.limits import HUNG_SECONDS, Limits, Watch, limits
from experiments.launcher.progress import Progress, TrialState
from experiments.system.resources import process_memory, total_memory
from experiments.tasks.loading.find import make
from tracking import journal as journal_module
from tracking.journal import Journal

MINUTE_SECONDS = 60


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The time that journals see, in milliseconds, which the launcher sees as seconds of its own."""
    time = {"now": 1_700_000_000_000}
    monkeypatch.setattr(module, "monotonic", lambda: time["now"] / 1000 - 1_699_999_000)
    monkeypatch.setattr("tracking.journal.now", lambda: time["now"])
    return time


def wait(clock: dict[str, int], seconds: float, look: Callable[[], str]) -> str:
    """Looks every second for so long; what was said at last."""
    milliseconds = round(1000 * seconds)
    for _ in range(milliseconds // 1000):
        clock["now"] += 1000
        look()
    clock["now"] += milliseconds % 1000
    return look()


def watch(folder: Path, limits: Limits, direction: str = "min", epoch: float = 0.0) -> Watch:
    return Watch(limits, Progress(folder, direction, 10, 10), "session", lambda trial: epoch)


PIDS = (os.getpid(), os.getppid())  # of workers 0 and 1


def start(folder: Path, number: int = 0, worker: int = 0, session: str = "session") -> Journal:
    (folder / f"{number:04d}").mkdir()
    journal = Journal(folder / f"{number:04d}" / "journal.jsonl")
    process = {"session": session, "worker": worker, "key": str(PIDS[worker])}
    journal.append("start", **process, parameters={"architecture": "gru-16"})
    return journal


def epoch(journal: Journal, number: int, execution: int = 0, **more: float) -> None:
    """`seconds` since its execution began, by default since its trial has."""
    spent = {"seconds": (journal_module.now() - journal.events()[0]["time"]) / 1000, **more}
    journal.append("epoch", execution=execution, epoch=number, metrics={"loss": 0.1, "val_mse": 0.2}, **spent)


def end(journal: Journal, score: float) -> None:
    journal.append("end", outcome="completed", score=score)


def offence(one: Watch, worker: int = 0, pid: int | None = None) -> str:
    one.progress.update()
    own = psutil.Process(pid or PIDS[worker])
    fake: Any = SimpleNamespace(index=worker, key=str(own.pid), memory=lambda: process_memory(own))
    return one.offence(fake)[1]


def state(one: Watch) -> TrialState:
    (found,) = one.progress.trials.values()
    return found


def over(one: Watch) -> str:
    one.progress.update()
    return one.over()


def test_the_time_limit(tmp_path: Path, clock: dict[str, int]) -> None:
    one = watch(tmp_path, Limits(time_seconds=45 * 60))
    assert wait(clock, 45 * MINUTE_SECONDS, lambda: over(one)) == ""
    clock["now"] += 1
    assert over(one) == "the time limit of 45 min 0 s is over"


def test_time_that_nobody_looked_at_does_not_count(tmp_path: Path, clock: dict[str, int]) -> None:
    """The machine was suspended, or the launcher was stopped, for a day."""
    one = watch(tmp_path, Limits(time_seconds=45 * 60, trial_time_seconds=60))
    start(tmp_path)
    assert (offence(one), over(one)) == ("", "")
    clock["now"] += 24 * 60 * MINUTE_SECONDS * 1000
    assert (offence(one), over(one)) == ("", "")
    assert wait(clock, 58, lambda: offence(one)) == ""
    assert wait(clock, 2, lambda: offence(one)) != "", "then it goes on to count"


def test_a_clock_that_is_set_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = watch(tmp_path, Limits(time_seconds=45 * 60, trial_time_seconds=60))
    monkeypatch.setattr("tracking.journal.now", lambda: 1_700_000_000_000)
    start(tmp_path)
    assert (offence(one), over(one)) == ("", "")


@pytest.mark.parametrize(("direction", "scores"), [("min", (0.02, 0.01)), ("max", (0.005, 0.01))])
def test_the_target(tmp_path: Path, direction: str, scores: tuple[float, float]) -> None:
    one = watch(tmp_path, Limits(target=0.01), direction)
    assert over(one) == "", "no score yet"
    end(start(tmp_path, 0), scores[0])
    assert over(one) == ""
    end(start(tmp_path, 1), scores[1])
    assert over(one) == "trial 0001 (gru-16) has reached the target of 0.01"


def test_a_worker_without_a_trial_is_hung_after_ten_minutes(tmp_path: Path, clock: dict[str, int]) -> None:
    one = watch(tmp_path, Limits(data_seconds=10.0))
    assert offence(one) == ""
    assert wait(clock, 10 * MINUTE_SECONDS, lambda: offence(one)) == ""
    assert wait(clock, 1, lambda: offence(one)) == "hung: no trial for 10 min 0 s"
    assert offence(one, pid=os.getppid()) == "", "a process that has taken its place"
    assert wait(clock, 10 * MINUTE_SECONDS, lambda: offence(one)) == ""
    end(start(tmp_path), 0.1)
    assert offence(one) == "", "it has begun and ended a trial meanwhile"
    assert wait(clock, 11 * MINUTE_SECONDS, lambda: offence(one)) == "hung: no trial for 10 min 0 s"


def test_a_worker_may_take_twenty_times_as_long_for_the_data_as_the_launcher(
    tmp_path: Path, clock: dict[str, int]
) -> None:
    one = watch(tmp_path, Limits(data_seconds=60.0))
    assert offence(one) == ""
    assert wait(clock, 20 * MINUTE_SECONDS, lambda: offence(one)) == ""
    assert wait(clock, 1, lambda: offence(one)) == "hung: no trial for 20 min 0 s"


def test_a_search_without_trials_left_ends_half_a_minute_later(tmp_path: Path, clock: dict[str, int]) -> None:
    one = Watch(Limits(), Progress(tmp_path, "min", 1, 1), "session")
    journal = start(tmp_path)

    def ended() -> str:
        one.progress.update()
        return str(one.ended())

    assert wait(clock, 10 * MINUTE_SECONDS, ended) == "False"
    end(journal, 0.1)
    assert wait(clock, 30, ended) == "False"
    assert wait(clock, 1, ended) == "True"


def test_a_hung_trial(tmp_path: Path, clock: dict[str, int]) -> None:
    one, journal = watch(tmp_path, Limits(), epoch=1.0), start(tmp_path)
    assert offence(one) == ""
    assert wait(clock, 10 * MINUTE_SECONDS, lambda: offence(one)) == ""
    clock["now"] += 1
    assert offence(one) == "hung: no epoch for 10 min 0 s"
    epoch(journal, 0)
    assert offence(one) == "", "it goes on"
    clock["now"] += MINUTE_SECONDS * 1000
    epoch(journal, 1)  # the epochs took ten minutes and one: twenty times the median is longer
    assert offence(one) == ""
    assert wait(clock, 20 * 5 * MINUTE_SECONDS, lambda: offence(one)) == ""
    assert wait(clock, 20 * MINUTE_SECONDS, lambda: offence(one)).startswith("hung: no epoch for 1 h 50 min")


def test_a_first_epoch_has_twenty_times_what_it_is_estimated_to_take(tmp_path: Path, clock: dict[str, int]) -> None:
    one, journal = watch(tmp_path, Limits(), epoch=60.0), start(tmp_path)
    assert offence(one) == ""
    assert wait(clock, 20 * MINUTE_SECONDS, lambda: offence(one)) == ""
    clock["now"] += 1
    assert offence(one) == "hung: no epoch for 20 min 0 s"
    epoch(journal, 0)
    clock["now"] += MINUTE_SECONDS * 1000
    epoch(journal, 1)
    for number in range(2, 5):
        clock["now"] += 1000
        epoch(journal, number)
    assert offence(one) == ""
    assert wait(clock, 10 * MINUTE_SECONDS, lambda: offence(one)) == ""
    clock["now"] += 1
    assert offence(one) == "hung: no epoch for 10 min 0 s", "what was seen counts"
    end(journal, 0.5)
    start(tmp_path, 1)  # a larger one, which has shown none
    assert offence(one) == ""
    assert wait(clock, 20 * MINUTE_SECONDS, lambda: offence(one)) == ""
    clock["now"] += 1
    assert offence(one) == "hung: no epoch for 20 min 0 s"


def test_a_large_candidate_has_twenty_times_its_own_epochs(tmp_path: Path, clock: dict[str, int]) -> None:
    one, small = watch(tmp_path, Limits(), epoch=1.0), start(tmp_path, 0)
    for number in range(10):
        clock["now"] += 1000
        epoch(small, number)
    end(small, 0.5)
    journal = start(tmp_path, 1)
    clock["now"] += MINUTE_SECONDS * 1000
    epoch(journal, 0)
    assert offence(one) == ""
    assert wait(clock, 20 * MINUTE_SECONDS, lambda: offence(one)) == "", "the others' epochs took a second"
    clock["now"] += 1
    assert offence(one) == "hung: no epoch for 20 min 0 s"


def test_a_trial_without_an_epoch_in_its_time(tmp_path: Path, clock: dict[str, int]) -> None:
    one, journal = watch(tmp_path, Limits(trial_time_seconds=60)), start(tmp_path)
    assert offence(one) == ""
    assert (
        wait(clock, MINUTE_SECONDS + 0.001, lambda: offence(one)) == "no epoch within the trial time limit of 1 min 0 s"
    )
    assert not state(one).late
    epoch(journal, 0)
    assert wait(clock, MINUTE_SECONDS, lambda: offence(one)) == "", "the worker itself ends it after an epoch"


def test_an_epoch_that_alone_takes_too_long(tmp_path: Path, clock: dict[str, int]) -> None:
    one, journal = watch(tmp_path, Limits(trial_time_seconds=60)), start(tmp_path)
    epoch(journal, 0)
    assert offence(one) == ""
    assert wait(clock, MINUTE_SECONDS + 0.001, lambda: offence(one)) == "stopped at the trial time limit of 1 min 0 s"
    assert state(one).late, "its best epoch counts"
    journal.append("stop", execution=0, reason="late")
    assert wait(clock, 2 * MINUTE_SECONDS, lambda: offence(one)) == "", "it comes to its end in peace"
    journal.append("execution", execution=0, score=0.2)
    assert offence(one) == ""
    late = wait(clock, MINUTE_SECONDS + 0.001, lambda: offence(one))
    assert late == "no epoch within the trial time limit of 1 min 0 s", "of the second execution"


def test_the_trial_time_limit_is_of_the_whole_training(tmp_path: Path, clock: dict[str, int]) -> None:
    one, journal = watch(tmp_path, Limits(trial_time_seconds=60)), start(tmp_path)
    clock["now"] += 50_000
    epoch(journal, 0, seconds=50.0)
    assert offence(one) == ""
    assert wait(clock, 10, lambda: offence(one)) == ""
    clock["now"] += 1
    assert offence(one) == "stopped at the trial time limit of 1 min 0 s"
    epoch(journal, 1, seconds=62.0)
    assert wait(clock, 30, lambda: offence(one)) == "", "the worker has seen it, and ends the training itself"
    journal.append("execution", execution=0, score=0.2)
    epoch(journal, 0, seconds=20.0, execution=1)
    epoch(journal, 1, seconds=40.0, execution=1)
    assert offence(one) == ""
    assert wait(clock, 20, lambda: offence(one)) == "" != wait(clock, 1, lambda: offence(one))
    epoch(journal, 2, seconds=59.0, execution=1)
    journal.append("trained", execution=1)
    assert wait(clock, 2 * MINUTE_SECONDS, lambda: offence(one)) == "", (
        "without a further epoch it looks at its horizon"
    )


def test_only_the_workers_own_running_trial(tmp_path: Path, clock: dict[str, int]) -> None:
    one = watch(tmp_path, Limits())
    start(tmp_path, 0, worker=1)
    start(tmp_path, 1, worker=0, session="earlier")
    end(start(tmp_path, 2, worker=0), 0.5)
    both = wait(clock, 10 * MINUTE_SECONDS, lambda: offence(one, 0) + offence(one, 1))
    assert both == ""
    both = wait(clock, 2, lambda: f"{offence(one, 0)}, {offence(one, 1)}")
    assert both == "hung: no trial for 10 min 0 s, hung: no epoch for 10 min 0 s"


def test_a_process_is_not_judged_by_the_trial_at_which_the_one_before_it_died(
    tmp_path: Path, clock: dict[str, int]
) -> None:
    one = watch(tmp_path, Limits(trial_time_seconds=60))
    journal = start(tmp_path)
    assert wait(clock, 50, lambda: offence(one)) == ""
    assert wait(clock, 10 * MINUTE_SECONDS, lambda: offence(one, pid=PIDS[1])) == "", "it imports TensorFlow"
    journal.append("start", session="session", worker=0, key=str(PIDS[1]), parameters={"architecture": "gru-16"})
    assert offence(one, pid=PIDS[1]) == ""
    assert wait(clock, 50, lambda: offence(one, pid=PIDS[1])) == ""
    assert wait(clock, 11, lambda: offence(one, pid=PIDS[1])) != ""


def test_the_time_limit_ends_no_search_that_is_done(tmp_path: Path, clock: dict[str, int]) -> None:
    one = Watch(Limits(time_seconds=60), Progress(tmp_path, "min", 1, 10), "session")
    journal = start(tmp_path)
    assert wait(clock, 50, lambda: over(one)) == ""
    end(journal, 0.5)
    assert wait(clock, MINUTE_SECONDS, lambda: over(one)) == "", "its workers are about to end"


def test_memory(tmp_path: Path) -> None:
    used = process_memory(psutil.Process())
    alone = offence(watch(tmp_path, Limits(memory=used // 2)))
    assert re.fullmatch(r"--memory-limit: expected more than a worker needs by itself \(\S+ GiB\), got \S+ GiB", alone)
    one = offence(watch(tmp_path, Limits(memory=used // 2, shared=1)))
    assert one.startswith("--memory-limit: expected more than a worker needs by itself ("), "there are no fewer"
    few = offence(watch(tmp_path, Limits(memory=used // 2, shared=4)))
    expected = (
        r"--workers: expected fewer, which have more memory than a worker needs by itself \(\S+ GiB\), got 4 x \S+ GiB"
    )
    assert re.fullmatch(expected, few)
    start(tmp_path)
    used = process_memory(psutil.Process())
    assert offence(watch(tmp_path, Limits(memory=2 * used))) == ""
    assert "GiB of memory, limit" in offence(watch(tmp_path, Limits(memory=used // 2)))
    np.save(tmp_path / "data.npy", np.ones(2**24))
    shared = np.load(tmp_path / "data.npy", mmap_mode="c")
    assert shared.sum() == 2**24, "the 128 MiB are read"
    assert process_memory(psutil.Process()) < used + 2**26, "what all workers map is there once"
    more = np.ones(2**24)
    assert process_memory(psutil.Process()) > used + 2**26 and more.any()


def test_a_trial_that_has_shown_no_epoch_is_estimated_by_itself(tmp_path: Path, clock: dict[str, int]) -> None:
    spec = Spec(name="s", task="adding", options={}, cells=["simple_rnn", "lstm"], depth="1:3", width="16:256")
    task = make("adding", {})

    def seconds(trial: TrialState) -> float:
        return candidate_seconds(spec, trial.values, task, 157)

    one = Watch(Limits(), Progress(tmp_path, "min", 10, 10), "session", seconds)
    for number, (cell, depth, width) in enumerate((("simple_rnn", 1, 16), ("simple_rnn+lstm", 3, 256))):
        (tmp_path / f"{number:04d}").mkdir()
        values = {"architecture": "any", "cell": cell, "depth": depth, "width": width}
        process = {"session": "session", "worker": number, "key": str(PIDS[number])}
        Journal(tmp_path / f"{number:04d}" / "journal.jsonl").append("start", **process, parameters=values)
    assert (offence(one, 0), offence(one, 1)) == ("", "")
    both = wait(clock, 11 * MINUTE_SECONDS, lambda: f"{offence(one, 0)}, {offence(one, 1)}")
    assert both == "hung: no epoch for 10 min 0 s, "
    largest = 20 * epoch_seconds(spec, task, 157, max)
    assert largest > 2 * HUNG_SECONDS
    assert wait(clock, largest - 12 * MINUTE_SECONDS, lambda: offence(one, 1)) == ""
    assert wait(clock, 11 * MINUTE_SECONDS, lambda: offence(one, 1)).startswith("hung: no epoch for ")


def test_what_a_trial_waited_for_is_no_epoch(tmp_path: Path, clock: dict[str, int]) -> None:
    """The machine slept for a night in its first epoch, and its search was killed for another one."""
    one, journal = watch(tmp_path, Limits()), start(tmp_path)
    clock["now"] += 8 * 60 * MINUTE_SECONDS * 1000
    epoch(journal, 0, seconds=5.0)
    clock["now"] += 8 * 60 * MINUTE_SECONDS * 1000
    journal.append("start", session="session", worker=0, key=str(PIDS[0]), parameters={"architecture": "gru-16"})
    epoch(journal, 1, seconds=9.0)
    assert offence(one) == "" and state(one).paces == [5.0, 4.0]
    assert wait(clock, 10 * MINUTE_SECONDS + 1, lambda: offence(one)) == "hung: no epoch for 10 min 0 s"


def test_a_training_that_goes_on_after_all_has_its_limit(tmp_path: Path, clock: dict[str, int]) -> None:
    """It was over at a limit that --resume has raised, and its horizon had not been measured."""
    one, journal = watch(tmp_path, Limits(trial_time_seconds=60)), start(tmp_path)
    epoch(journal, 0, seconds=10.0)
    journal.append("trained", execution=0)
    assert offence(one) == ""
    assert wait(clock, 2 * MINUTE_SECONDS, lambda: offence(one)) == ""
    epoch(journal, 1, seconds=20.0)
    assert offence(one) == ""
    assert wait(clock, 41, lambda: offence(one)) == "stopped at the trial time limit of 1 min 0 s"


def test_the_limits_of_a_spec() -> None:
    spec = {"name": "s", "task": "adding", "options": {}, "cells": ["gru"]}
    assert limits(Spec(**spec), 4) == Limits(memory=int(0.8 * total_memory() / 4), shared=4)
    words = {"time_limit": "1h", "target": "0.01", "trial_time_limit": "90", "memory_limit": "2G"}
    assert limits(Spec(**spec, **words), 4, 5.0) == Limits(3600, 0.01, 90, 2**31, 0, 5.0)
    assert limits(Spec(**spec, memory_limit="none"), 4).memory is None


def test_the_launcher_counts_from_its_own_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's file may have taken long to import: a worker, which imports it too, is not hung for that."""
    monkeypatch.chdir(tmp_path)
    seen = []

    def told(spec: Spec, workers: int, data: float) -> Limits:
        seen.append(data)
        raise InterruptedError

    monkeypatch.setattr("experiments.launcher.launch.limits", told)
    options = {"length": "5", "train": "16", "val": "16", "test": "16"}
    spec = Spec(name="s", task="adding", options=options, cells=["gru"])
    age = time.time() - psutil.Process().create_time()
    with pytest.raises(InterruptedError):
        Launch(
            spec, make("adding", options), False, Where(1), f"sqlite:///{tmp_path}/mlflow.db", Console(quiet=True)
        ).run()
    assert seen[0] >= age > 0
