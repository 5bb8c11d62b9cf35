"""A search whose workers reach the folder of the search by messages alone is the search of local workers."""

import platform
import random
from pathlib import Path
from typing import Any

import pytest
from support.fakes import EPOCHS, forked, make_fake, make_spec
from support.threads import SavingTuner, ThreadEngine, make_fake_remote

from experiments.config.folders import SearchFolder, try_acquire
from experiments.config.spec import Spec
from experiments.engines.desk import Desk
from experiments.launcher.crew import Crew
from experiments.launcher.supervise import Supervisor
from experiments.worker.job import Job
from experiments.worker.remote import changes, marks
from tracking.errors import DataError

pytestmark = pytest.mark.usefixtures("before_fork")
TRIALS, GONE = 12, 20


def folder_of(path: Path, **changes: Any) -> SearchFolder:
    search = SearchFolder(path)
    path.mkdir(exist_ok=True)
    make_spec(**{"trials": TRIALS, **changes}).write(search)
    return search


def desk_of(search: SearchFolder, session: str = "s") -> Desk:
    return Desk(search, lambda: make_fake(search, Spec.read(search), 0, session).oracle)


def remotely(search: SearchFolder, workers: int = 1, session: str = "s") -> tuple[Supervisor, ThreadEngine]:
    engine = ThreadEngine(Job(Spec.read(search).to_json(), session, make_fake_remote))
    return Supervisor(search, workers, Crew(engine, desk_of(search, session)), session=session), engine


def told(search: SearchFolder) -> list[list[dict[str, Any]]]:
    """What the journals say, without times, seconds, and what names workers."""
    apart = ("time", "key", "session", "worker", "host", "seconds")
    return [
        [{name: value for name, value in event.items() if name not in apart} for event in trial.journal.events()]
        for trial in search.trials()
    ]


def study_of(search: SearchFolder) -> list[tuple[Any, ...]]:
    trials = make_fake(search, Spec.read(search), 0, "look").oracle.study.get_trials()
    return [(one.number, one.state, one.params, one.value, one.intermediate_values) for one in trials]


def make_saving(search: SearchFolder, spec: Spec, index: int, session: str, memory_limit: int | None) -> SavingTuner:
    fake = make_fake(search, spec, index, session)
    return SavingTuner(fake.oracle, fake.hypermodel, 1, index, memory_limit)


def test_it_is_the_search_of_a_local_worker(tmp_path: Path) -> None:
    here, there = folder_of(tmp_path / "here"), folder_of(tmp_path / "there")
    assert Supervisor(here, 1, forked(here, make_saving)).run(lambda session: None, lambda: None) == "done"
    supervisor, engine = remotely(there)
    assert supervisor.run(lambda session: None, lambda: None) == "done" and engine.closed
    assert told(there) == told(here) and study_of(there) == study_of(here)
    hosts = [[trial.journal.events()[0].get("host") for trial in search.trials()] for search in (here, there)]
    assert hosts == [[None] * len(hosts[0]), [platform.node()] * len(hosts[0])] and hosts[0]
    names = [sorted(path.name for path in search.path.glob("trials/*/*")) for search in (here, there)]
    assert names[0] == names[1]
    models = {path.read_text() for path in there.path.glob("trials/*/model.keras")}
    assert models == {path.read_text() for path in here.path.glob("trials/*/model.keras")} and models


@pytest.mark.parametrize("lost", [True, False], ids=["machines", "processes"])
def test_workers_that_go_at_any_moment_lose_and_double_nothing(tmp_path: Path, lost: bool) -> None:
    search, quiet = folder_of(tmp_path / "a", trials=40), folder_of(tmp_path / "b", trials=40)
    supervisor, engine = remotely(search, workers=4)
    draw, gone = random.Random(0), []
    due = sorted(draw.sample(range(40 * EPOCHS), GONE))  # numbers of answers; each epoch of the 40 trials is one

    def end_one() -> None:
        alive = [worker for worker in engine.started if worker.alive()]
        if alive and len(gone) < GONE and engine.answered >= due[len(gone)]:
            gone.append(draw.choice(alive))
            gone[-1].lose() if lost else gone[-1].die()

    engine.meanwhile = end_one
    assert supervisor.run(lambda session: None, lambda: None) == "done"
    assert len(gone) == GONE
    remotely(quiet)[0].run(lambda session: None, lambda: None)
    for one, other in zip(search.trials(), quiet.trials(), strict=True):
        events, expected = one.journal.events(), other.journal.events()
        if "killed its worker" in events[-1].get("reason", ""):  # chance has met one trial three times
            assert not lost, "a machine that goes is not a trial's fault"
            continue
        epochs = [event["epoch"] for event in events if event["event"] == "epoch"]
        assert epochs == list(range(EPOCHS)), "each once"
        assert [e.get("score") for e in events[-1:]] == [e.get("score") for e in expected[-1:]]
        assert [e["event"] for e in events].count("end") == 1 and events[-1]["outcome"] == expected[-1]["outcome"]
    assert len(study_of(search)) == 40
    if lost:
        assert any(event["event"] == "lost" for trial in search.trials() for event in trial.journal.events())


def test_a_search_that_was_left_goes_on(tmp_path: Path) -> None:
    search = folder_of(tmp_path / "a", trials=200)
    supervisor, engine = remotely(search, workers=2, session="first")

    def leave() -> None:
        supervisor.interrupted = supervisor.interrupted or len(search.trials()) > 3

    engine.meanwhile = leave
    assert supervisor.run(lambda session: None, lambda: None) == "interrupted"
    assert all(worker.stopped for worker in engine.started)
    assert all(try_acquire(trial.lock) for trial in search.trials()), "the desk has let go of them"
    for trial in search.trials():
        trial.lock.release()
    folder_of(search.path)  # fewer trials
    supervisor, _ = remotely(search, session="second")
    assert supervisor.run(lambda session: None, lambda: None) == "done"
    ends = [trial.journal.events()[-1]["event"] for trial in search.trials()]
    assert ends[:TRIALS] == ["end"] * TRIALS


def test_what_a_stopped_worker_sends_is_not_taken(tmp_path: Path) -> None:
    search = folder_of(tmp_path / "a")
    desk = desk_of(search)
    [found] = desk.answer([("one", {"ask": "trial"})])
    assert found["trial"] == "0000"
    desk.release("one")
    late = {"ask": "commit", "event": "epoch", "fields": {"execution": 0, "epoch": 0, "metrics": {}}, "files": {}}
    with pytest.raises(KeyError):
        desk.answer([("one", late)])
    assert search.trial(0).journal.events() == []
    [again] = desk.answer([("two", {"ask": "trial"})])
    assert again["trial"] == "0000", "another worker goes on with it"
    desk.close()


def test_files_come_before_the_line_that_speaks_of_them(tmp_path: Path) -> None:
    search = folder_of(tmp_path / "a")
    desk = desk_of(search)
    desk.answer([("one", {"ask": "trial"})])
    files = {"execution0-epoch1.npz": b"new", "checkpoint.npz": "execution0-epoch1.npz"}
    line = {"ask": "commit", "event": "epoch", "fields": {"execution": 0, "epoch": 1, "metrics": {"val_mse": 1.0}}}
    [written] = desk.answer([("one", {**line, "files": files})])
    trial = search.trial(0)
    assert trial.journal.events() == [written] and trial.checkpoint.read_bytes() == b"new"
    assert trial.checkpoint.samefile(trial.path / "execution0-epoch1.npz"), "one copy on the disk"
    desk.answer([("one", {**line, "files": {"execution0-epoch1.npz": None}})])
    assert trial.checkpoint.read_bytes() == b"new" and not (trial.path / "execution0-epoch1.npz").exists()
    for name in ("../0001/model.keras", "lock", "journal.jsonl", "a/b"):
        with pytest.raises(DataError, match="expected a file of trial 0000"):
            desk.answer([("one", {**line, "files": {name: b"x"}})])
    desk.close()


def test_only_what_has_changed_is_sent(tmp_path: Path) -> None:
    (tmp_path / "execution0-epoch0.npz").write_bytes(b"zero")
    sent: dict[str, Any] = {}
    assert changes(tmp_path, sent) == {"execution0-epoch0.npz": b"zero"}
    assert changes(tmp_path, sent) == {} and sent == marks(tmp_path)
    (tmp_path / "new-half").write_bytes(b"half")
    (tmp_path / "execution0-epoch1.npz").write_bytes(b"one")
    (tmp_path / "checkpoint.npz").hardlink_to(tmp_path / "execution0-epoch1.npz")
    (tmp_path / "execution0-epoch0.npz").unlink()
    found = changes(tmp_path, sent)
    assert list(found.items()) == [
        ("execution0-epoch1.npz", b"one"),
        ("checkpoint.npz", "execution0-epoch1.npz"),
        ("execution0-epoch0.npz", None),
    ], "the checkpoint after the weights that it speaks of, and what is gone at last"
