"""How workers end, and what their launcher does then."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from keras_tuner.engine.trial import Trial
from support.fakes import FakeTuner, forked, make_fake, make_spec

from experiments.config.folders import SearchFolder, TrialFolder, lock
from experiments.config.spec import Spec
from experiments.engines import WorkersDied
from experiments.engines.local import LocalEngine
from experiments.launcher import limits
from experiments.launcher import supervise as module
from experiments.launcher.crew import Crew
from experiments.launcher.limits import Limits, Watch
from experiments.launcher.progress import Progress, TrialState
from experiments.launcher.signals import signals
from experiments.launcher.supervise import Supervisor
from experiments.worker import tuner

pytestmark = pytest.mark.usefixtures("before_fork")

TRIALS = 4


def making(kind: type[FakeTuner]) -> Callable[..., FakeTuner]:
    """What makes a worker's tuner of that kind."""

    def make(search: SearchFolder, spec: Spec, index: int, session: str, memory_limit: int | None) -> FakeTuner:
        fake = make_fake(search, spec, index, session)
        return kind(fake.oracle, fake.hypermodel, 1, index, memory_limit)

    return make


class LeavingTuner(FakeTuner):
    """Two of its trials end their process as if all were well."""

    def run_execution(self, trial: Trial, folder: TrialFolder, execution: int) -> dict[str, Any]:
        if folder.number == 1:
            sys.exit(0)
        if folder.number == 2:
            os._exit(0)
        return super().run_execution(trial, folder, execution)


def test_a_trial_that_ends_its_process_well_does_not_end_the_search(tmp_path: Path) -> None:
    search = SearchFolder(tmp_path)
    make_spec(trials=TRIALS).write(search)
    assert Supervisor(search, 1, forked(search, making(LeavingTuner))).run(lambda session: None, lambda: None) == "done"
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


def make_sleeping(search: SearchFolder, spec: Spec, index: int, session: str, memory_limit: int | None) -> FakeTuner:
    time.sleep(600)
    raise AssertionError


def test_workers_that_are_too_large_by_themselves_end_the_search(search: SearchFolder, tmp_path: Path) -> None:
    one = Supervisor(search, 1, forked(search, make_sleeping))
    one.watch = Watch(Limits(memory=2**20), Progress(tmp_path / "trials", "min", 1, 1), one.session)
    with pytest.raises(WorkersDied, match="^--memory-limit: expected more than a worker needs by itself"):
        one.run(lambda session: None, patience())
    assert one.why.startswith("--memory-limit")


def test_the_journals_are_read_before_anybody_is_judged(search: SearchFolder) -> None:
    said: list[str] = []

    def offence(worker: Any) -> tuple[None, str]:
        said.append("judged")
        return None, ""

    one = Supervisor(search, 1, forked(search, make_sleeping))
    over = {"over": lambda: "over" if len(said) > 5 else "", "ended": lambda: False}
    watch: Any = SimpleNamespace(limits=Limits(), offence=offence, **over)
    one.watch = watch
    one.run(lambda session: None, lambda: said.append("read"))
    assert said[:4] == ["read", "judged"] * 2


@pytest.mark.parametrize("name", ["SIGHUP", "SIGINT"])
def test_a_signal_that_is_ignored_stays_ignored(search: SearchFolder, name: str) -> None:
    """nohup ignores the closed terminal, and a shell's & in a script Ctrl-C."""
    number = getattr(signal, name)
    one, before = Supervisor(search, 0, Crew(LocalEngine(search))), signal.signal(number, signal.SIG_IGN)
    try:
        with signals(one._hear):
            os.kill(os.getpid(), number)
            time.sleep(0.01)
            assert signal.getsignal(number) is signal.SIG_IGN and not one.interrupted
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.01)
            assert one.interrupted
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize(
    ("error", "interrupted", "status", "why"),
    [
        (SystemExit(1), False, "FAILED", "SystemExit"),  # what rich raises when nobody reads its output any more
        (KeyboardInterrupt(), True, "KILLED", "interrupted"),
        (RuntimeError("bad"), False, "FAILED", "bad"),
    ],
    ids=["output closed", "second Ctrl-C", "error"],
)
def test_the_end_is_written_down_whatever_ends_the_search(
    search: SearchFolder, error: BaseException, interrupted: bool, status: str, why: str
) -> None:
    one, errors = Supervisor(search, 1, forked(search, make_sleeping)), iter([error])

    def tick() -> None:
        for error in errors:
            one.interrupted = interrupted
            raise error

    with pytest.raises(type(error)):
        one.run(lambda session: None, tick)
    end = search.journal.events()[-1]
    assert (end["event"], end["status"], end["why"]) == ("end", status, why)


@pytest.mark.parametrize("error", [SystemExit(1), OSError(5, "Input/output error")])
def test_a_reader_that_has_gone_at_the_last_line_changes_nothing(search: SearchFolder, error: BaseException) -> None:
    """The last trial's line is mostly printed when its worker has ended: the record must be told all the same."""
    one = Supervisor(search, 1, forked(search, make_sleeping))
    told: list[str] = []

    def tick() -> None:
        if one.interrupted:
            raise error
        one.interrupted = True

    def finish(status: str, last: Any, stopped: str) -> bool:
        told.append(status)
        return False

    record: Any = SimpleNamespace(start=lambda: None, finish=finish)
    assert one.run(lambda session: record, tick) == "interrupted"
    assert told == ["KILLED"] and one.sent is False
    assert search.journal.events()[-1]["event"] == "end"


class Ended:
    """A worker that can be stopped and renewed."""

    index, key = 0, "1"

    def stop(self) -> None:
        """Nothing runs."""


@pytest.fixture
def enforcing(search: SearchFolder, monkeypatch: pytest.MonkeyPatch) -> tuple[Supervisor, TrialState, list[int]]:
    """A search, the state of its trial 0 with a checkpoint, and the places of workers that were renewed."""
    one, renewed = Supervisor(search, 1, Crew(LocalEngine(search))), []
    workers: Any = [Ended()]
    one.crew.workers = workers
    monkeypatch.setattr(one, "_renew", renewed.append)
    trial = search.trial(0)
    trial.path.mkdir(parents=True)
    trial.journal.append("start")
    trial.checkpoint.touch()
    return one, TrialState("0000"), renewed


def test_a_freed_trial_that_another_worker_has_claimed_is_left_to_it(
    enforcing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, state, renewed = enforcing
    monkeypatch.setattr(module, "FREED_SECONDS", 0.1)
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


def test_a_worker_that_does_not_end_is_named(search: SearchFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OLD_WORKERS_SECONDS", 0.1)
    (search.path / "workers").mkdir()
    line = f"^name: expected no worker of an earlier launcher, got process {os.getpid()}, which does not end$"
    with lock(search.path / "workers" / "0.lock"), pytest.raises(ValueError, match=line):
        Supervisor(search, 1, Crew(LocalEngine(search))).run(lambda session: None, lambda: None)


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
    memory_limit = None if limit is None else int(limit * GIGABYTE)
    one, left = make_fake(search, make_spec(), 0, "A", memory_limit), iter(sizes)
    info = SimpleNamespace(memory_info=lambda: SimpleNamespace(rss=int(next(left) * GIGABYTE)))
    monkeypatch.setattr(tuner, "psutil", SimpleNamespace(Process=lambda: info))
    for _ in range(stays):
        one._retire_if_grown()
    with pytest.raises(SystemExit) as ended:
        one._retire_if_grown()
    assert ended.value.code == tuner.RETIRED


def test_a_search_goes_on_with_a_fresh_worker(search: SearchFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuner, "MAX_GROWTH", -1)  # every worker has grown after its first trial
    started: list[int] = []
    begin = Supervisor._start
    monkeypatch.setattr(Supervisor, "_start", lambda self, index: started.append(index) or begin(self, index))
    assert Supervisor(search, 1, forked(search, make_fake)).run(lambda session: None, patience()) == "done"
    assert [trial.journal.events()[-1]["outcome"] for trial in search.trials()] == ["completed"] * TRIALS
    assert len(started) == TRIALS + 1


def test_the_launcher_tells_its_workers_the_memory_limit(search: SearchFolder, tmp_path: Path) -> None:
    one = Supervisor(search, 1, forked(search, making(TellingTuner)))
    limit = 100 * GIGABYTE
    one.watch = Watch(Limits(memory=limit), Progress(tmp_path / "trials", "min", TRIALS, 1), one.session)
    assert one.run(lambda session: None, patience()) == "done"
    assert (tmp_path / "limit").read_text() == str(limit)


class TellingTuner(FakeTuner):
    def _retire_if_grown(self) -> None:
        (self.oracle.folder.path / "limit").write_text(str(self.memory_limit))


class DyingTuner(FakeTuner):
    """Worker 1 dies before it asks for a trial."""

    def search(self, *words: Any, **more: Any) -> None:
        if self.worker == 1:
            os._exit(1)
        super().search(*words, **more)


def test_a_worker_that_cannot_start_is_left_out(search: SearchFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """For example, its GPU is broken."""
    make_spec(trials=300).write(search)
    started, said = [], []
    begin = Supervisor._start
    monkeypatch.setattr(Supervisor, "_start", lambda self, index: started.append(index) or begin(self, index))
    one = Supervisor(search, 2, forked(search, making(DyingTuner)))
    one.warn = said.append
    assert one.run(lambda session: None, patience(1_000)) == "done"
    assert [trial.journal.events()[-1]["event"] for trial in search.trials()] == ["end"] * 300
    (line,) = said
    assert started.count(0) == 1 and started.count(1) == module.USELESS_DEATHS + 1
    assert line.startswith("worker 1 ends before it can run a trial") and line.endswith("workers/1.log says why")


class HangingTuner(FakeTuner):
    """Worker 1 hangs before it asks for a trial. For example, its GPU is broken."""

    def search(self, *words: Any, **more: Any) -> None:
        if self.worker == 1:
            time.sleep(600)
        super().search(*words, **more)


def test_a_worker_that_hangs_does_not_keep_a_search_that_is_done(
    search: SearchFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LAST_SECONDS", 0.5)
    one, progress = (
        Supervisor(search, 2, forked(search, making(HangingTuner))),
        Progress(search.path / "trials", "min", TRIALS, 1),
    )
    one.watch = Watch(Limits(), progress, one.session)
    ticking = patience()
    assert one.run(lambda session: None, lambda: (ticking(), progress.update())) == "done"  # type: ignore[func-returns-value]
    assert [trial.journal.events()[-1]["event"] for trial in search.trials()] == ["end"] * TRIALS


def test_a_worker_that_hangs_without_a_trial_is_left_out(search: SearchFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    make_spec(trials=300).write(search)
    monkeypatch.setattr(module, "USELESS_DEATHS", 1)
    one, progress = (
        Supervisor(search, 2, forked(search, making(HangingTuner))),
        Progress(search.path / "trials", "min", 300, 1),
    )
    one.watch = Watch(Limits(hung_seconds=1.0), progress, one.session)
    said: list[str] = []
    one.warn, ticking = said.append, patience(1_000)
    assert one.run(lambda session: None, lambda: (ticking(), progress.update())) == "done"  # type: ignore[func-returns-value]
    (line,) = said
    assert line.startswith("worker 1 was ended (hung: no trial for 1 s) before it can run a trial, and is left out; ")


def test_a_search_whose_workers_all_hang_has_failed(search: SearchFolder, tmp_path: Path) -> None:
    one = Supervisor(search, 1, forked(search, make_sleeping))
    one.watch = Watch(Limits(hung_seconds=0.5), Progress(tmp_path / "trials", "min", 1, 1), one.session)
    with pytest.raises(WorkersDied, match="^hung: no trial for 0 s"):
        one.run(lambda session: None, patience())


@pytest.mark.parametrize("count", [1, 2])
def test_a_search_that_nobody_can_go_on_with_has_failed(search: SearchFolder, count: int) -> None:
    """Some of its trials have ended: the others are not done for that."""
    search.trial(0).path.mkdir(parents=True)
    search.trial(0).journal.append("start", key="1", session="earlier")
    search.trial(0).journal.append("end", outcome="failed", score=None)
    with pytest.raises(WorkersDied, match="^workers end before they can run a trial"):
        Supervisor(search, count, forked(search, make_dead)).run(lambda session: None, patience())


def make_dead(search: SearchFolder, spec: Spec, index: int, session: str, memory_limit: int | None) -> FakeTuner:
    raise RuntimeError("no such GPU")


def test_who_has_begun_what(search: SearchFolder) -> None:
    assert not search.all_ended() and not search.begun_by("7", "A")
    for number in range(2):
        search.trial(number).path.mkdir(parents=True)
        search.trial(number).journal.append("start", key="7", session="A")
    assert search.begun_by("7", "A") and not search.begun_by("8", "A") and not search.begun_by("7", "B")
    search.trial(0).journal.append("end", outcome="failed")
    assert not search.all_ended()
    search.trial(1).journal.append("end", outcome="failed")
    assert search.all_ended()
