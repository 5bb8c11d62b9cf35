"""How workers end, and what their launcher does then."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from keras_tuner.engine.trial import Trial
from test_kill import FakeTuner, descendants, kill, make_fake, make_spec, start, wait_for_trials

from experiments import search as module
from experiments import tuner
from experiments.folders import SearchFolder, TrialFolder, lock
from experiments.limits import Limits, Watch
from experiments.progress import Progress, TrialState
from experiments.search import Search, WorkersDied
from experiments.spec import Spec
from tracking.journal import Tail

pytestmark = pytest.mark.usefixtures("before_fork")

TRIALS = 4


class LeavingTuner(FakeTuner):
    """Two of its trials end their process as if all were well."""

    def run_execution(self, trial: Trial, folder: TrialFolder, execution: int) -> dict[str, Any]:
        if folder.number == 1:
            sys.exit(0)
        if folder.number == 2:
            os._exit(0)
        return super().run_execution(trial, folder, execution)


def make_leaving(search: SearchFolder, spec: Spec, index: int, session: str) -> FakeTuner:
    fake = make_fake(search, spec, index, session)
    return LeavingTuner(fake.oracle, fake.hypermodel, 1, index)


def test_a_trial_that_ends_its_process_well_does_not_end_the_search(tmp_path: Path) -> None:
    search = SearchFolder(tmp_path)
    make_spec(trials=TRIALS).write(search)
    assert Search(search, 1, [], make_leaving, "fork").run(lambda session: None, lambda: None) == "done"
    ends = [trial.journal.events()[-1] for trial in search.trials()]
    assert [end["outcome"] for end in ends] == ["completed", "failed", "failed", "completed"]
    assert [ends[number]["reason"] for number in (1, 2)] == ["killed its worker 3 times"] * 2


@pytest.fixture
def search(tmp_path: Path) -> SearchFolder:
    folder = SearchFolder(tmp_path)
    make_spec(trials=TRIALS).write(folder)
    return folder


def patience(ticks: int = 100) -> Callable[[], None]:
    """A tick that does not wait for ever."""
    left = iter(range(ticks))

    def tick() -> None:
        if next(left, None) is None:
            pytest.fail("the search does not end")

    return tick


def make_sleeping(search: SearchFolder, spec: Spec, index: int, session: str) -> FakeTuner:
    time.sleep(600)
    raise AssertionError


def test_workers_that_are_too_large_by_themselves_end_the_search(search: SearchFolder, tmp_path: Path) -> None:
    one = Search(search, 1, [], make_sleeping, "fork")
    one.watch = Watch(Limits(memory=2**20), Progress(tmp_path / "trials", "min", 1, 1), one.session)
    with pytest.raises(WorkersDied, match="^--memory-limit: expected more than a worker needs by itself"):
        one.run(lambda session: None, patience())
    assert one.why.startswith("--memory-limit")


def test_the_journals_are_read_before_anybody_is_judged(search: SearchFolder) -> None:
    said: list[str] = []

    def offence(worker: Any) -> tuple[None, str]:
        said.append("judged")
        return None, ""

    one = Search(search, 1, [], make_sleeping, "fork")
    watch: Any = SimpleNamespace(limits=Limits(), offence=offence, over=lambda: "over" if len(said) > 5 else "")
    one.watch = watch
    one.run(lambda session: None, lambda: said.append("read"))
    assert said[:4] == ["read", "judged"] * 2


class Ended:
    """A worker that can be stopped and renewed."""

    index = 0

    def stop(self) -> None:
        """Nothing runs."""


@pytest.fixture
def enforcing(search: SearchFolder, monkeypatch: pytest.MonkeyPatch) -> tuple[Search, TrialState, list[int]]:
    """A search, the state of its trial 0 with a checkpoint, and the places of workers that were renewed."""
    one, renewed = Search(search, 1, []), []
    workers: Any = [Ended()]
    one.workers = workers
    monkeypatch.setattr(one, "_renew", renewed.append)
    trial = search.trial(0)
    trial.path.mkdir(parents=True)
    trial.journal.append("start")
    trial.checkpoint.touch()
    return one, TrialState(Tail(trial.journal.path), "0000"), renewed


def test_a_freed_trial_that_another_worker_has_claimed_is_left_to_it(
    enforcing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, state, renewed = enforcing
    monkeypatch.setattr(module, "FREED", 0.1)
    with one.folder.trial(0).lock:
        thread = threading.Thread(target=one._enforce, args=(0, state, "hung"), daemon=True)
        thread.start()
        thread.join(10)
        assert not thread.is_alive(), "it waits for ever"
    assert renewed == [0]
    assert [event["event"] for event in one.folder.trial(0).journal.events()] == ["start"]


@pytest.mark.parametrize(("late", "last", "left"), [(False, "end", False), (True, "stop", True)])
def test_a_trial_that_must_end_fails_and_a_late_one_is_stopped(
    enforcing: Any, late: bool, last: str, left: bool
) -> None:
    one, state, renewed = enforcing
    state.late = late
    one._enforce(0, state, "why")
    trial = one.folder.trial(0)
    event = trial.journal.events()[-1]
    assert (event["event"], event["reason"], renewed) == (last, "why", [0])
    assert trial.checkpoint.exists() == left
    with trial.lock.acquire(timeout=0):
        one._end(trial, state, "again")
    assert len(trial.journal.events()) == (3 if late else 2)


def test_an_end_by_the_launcher_is_written_before_anything_is_cleared(
    enforcing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, state, _ = enforcing
    seen: list[str] = []
    monkeypatch.setattr(TrialFolder, "clear", lambda self: seen.append(self.journal.events()[-1]["event"]))
    one._enforce(0, state, "why")
    assert seen == ["end"]


@pytest.fixture
def children() -> Iterator[list[int]]:
    """Processes that are killed at the end, whatever the test says."""
    found: list[int] = []
    yield found
    for pid in found:
        kill(pid)


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_a_stopped_worker_ends_with_its_launcher(tmp_path: Path, children: list[int]) -> None:
    make_spec().write(SearchFolder(tmp_path))
    launcher = start(tmp_path, f"sqlite:///{tmp_path}/mlflow.db")
    children.append(launcher.pid)
    wait_for_trials(launcher, tmp_path)
    workers = descendants(launcher.pid)
    children += workers
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    kill(launcher.pid)
    launcher.join()
    deadline = time.monotonic() + 10
    while not all(map(gone, workers)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(workers) == 2 and all(map(gone, workers))


def test_a_worker_that_does_not_end_is_named(search: SearchFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OLD_WORKERS", 0.1)
    (search.path / "workers").mkdir()
    line = f"^name: expected no worker of an earlier launcher, got process {os.getpid()}, which does not end$"
    with lock(search.path / "workers" / "0.lock"), pytest.raises(ValueError, match=line):
        Search(search, 1, []).run(lambda session: None, lambda: None)


GIGABYTE = 2**30


@pytest.mark.parametrize(
    ("limit", "sizes", "stays"),
    [
        (None, (2, 3, 3.1), 2),
        (100, (2, 3, 3.1), 2),
        (3, (2, 2.4, 2.5, 2.6), 3),  # half way to the limit
        (2, (2.5, 2.5), 0),  # it is over the limit already: always a fresh one
    ],
)
def test_a_worker_that_has_grown_makes_room(
    search: SearchFolder, monkeypatch: pytest.MonkeyPatch, limit: float | None, sizes: tuple[float, ...], stays: int
) -> None:
    one, left = make_fake(search, make_spec(), 0, "A"), iter(sizes)
    info = SimpleNamespace(memory_info=lambda: SimpleNamespace(rss=int(next(left) * GIGABYTE)))
    monkeypatch.setattr(tuner, "psutil", SimpleNamespace(Process=lambda: info))
    one.memory_limit = None if limit is None else int(limit * GIGABYTE)
    for _ in range(stays):
        one._retire()
    with pytest.raises(SystemExit) as ended:
        one._retire()
    assert ended.value.code == tuner.RETIRED


def test_a_search_goes_on_with_a_fresh_worker(search: SearchFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuner, "GROWN", -1)  # every worker has grown after its first trial
    started: list[int] = []
    begin = Search._start
    monkeypatch.setattr(Search, "_start", lambda self, index: started.append(index) or begin(self, index))
    assert Search(search, 1, [], make_fake, "fork").run(lambda session: None, patience()) == "done"
    assert [trial.journal.events()[-1]["outcome"] for trial in search.trials()] == ["completed"] * TRIALS
    assert len(started) == TRIALS + 1


def test_the_launcher_tells_its_workers_the_memory_limit(search: SearchFolder, tmp_path: Path) -> None:
    one = Search(search, 1, [], make_telling, "fork")
    limit = 100 * GIGABYTE
    one.watch = Watch(Limits(memory=limit), Progress(tmp_path / "trials", "min", TRIALS, 1), one.session)
    assert one.run(lambda session: None, patience()) == "done"
    assert (tmp_path / "limit").read_text() == str(limit)


class TellingTuner(FakeTuner):
    def _retire(self) -> None:
        (self.oracle.folder.path / "limit").write_text(str(self.memory_limit))


def make_telling(search: SearchFolder, spec: Spec, index: int, session: str) -> FakeTuner:
    fake = make_fake(search, spec, index, session)
    return TellingTuner(fake.oracle, fake.hypermodel, 1, index)


def test_counting_what_is_written_opens_no_trial(search: SearchFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    assert search.written() == 0
    for number in range(3):
        search.trial(number).path.mkdir(parents=True)
        if number:
            search.trial(number).journal.append("start")
    size = search.trial(1).journal.path.stat().st_size
    monkeypatch.setattr(TrialFolder, "__init__", lambda self, path: pytest.fail("opened"))
    assert search.written() == 2 * size > 0
