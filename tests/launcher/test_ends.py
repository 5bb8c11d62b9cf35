"""How a search has ended stands in its folder before MLflow is told, whatever becomes of that."""

from pathlib import Path
from typing import Any

import pytest

from experiments.config.folders import SearchFolder
from experiments.engines import WorkersDied
from experiments.launcher.crew import Crew
from experiments.launcher.progress import Progress, all_done
from experiments.launcher.supervise import Supervisor
from tracking.journal import Journal


class Worker:
    """One that has done all there was to do, or that has failed."""

    index, key = 0, "1"

    def __init__(self, well: bool) -> None:
        self.well = well

    def done(self) -> bool:
        return self.well

    def failed(self) -> bool:
        return not self.well

    def refused(self) -> bool:
        return False

    def retired(self) -> bool:
        return False

    def full(self) -> bool:
        return False

    def lost(self) -> bool:
        return False

    def waiting(self) -> bool:
        return False

    def memory(self) -> int:
        return 0

    def alive(self) -> bool:
        return False

    def go(self) -> None:
        pass

    def stop(self) -> None:
        pass


class Engine:
    """Starts workers that have ended at once."""

    def __init__(self, well: bool) -> None:
        self.well = well

    def start(self, index: int, session: str, memory_limit: int | None) -> Worker:
        return Worker(self.well)

    def places(self) -> int:
        return 1

    def poll(self, seconds: float) -> list[Any]:
        return []

    def answer(self, worker: Any, value: Any) -> None:
        raise AssertionError("nobody has asked")

    def close(self) -> None:
        pass


class Record:
    """Remembers what it is told at the end, and what the search's journal said by then."""

    def __init__(self, folder: SearchFolder) -> None:
        self.folder = folder
        self.told: Any = None
        self.meanwhile: Any = lambda: None

    def start(self) -> None:
        pass

    def finish(self, status: str, last: Any, stopped: str) -> bool:
        self.told = (status, stopped)
        self.written = self.folder.journal.events()[-1]
        self.meanwhile()
        return False


@pytest.fixture
def folder(tmp_path: Path) -> SearchFolder:
    found = SearchFolder(tmp_path / "searches" / "s")
    found.path.mkdir(parents=True)
    return found


def run(folder: SearchFolder, well: bool, interrupted: bool = False) -> Record:
    search, record = Supervisor(folder, 1, Crew(Engine(well))), Record(folder)
    search.interrupted = interrupted
    try:
        search.run(lambda session: record, lambda: None)  # type: ignore[arg-type, return-value]
    except WorkersDied:
        assert not well
    return record


def check(record: Record, status: str, why: str) -> None:
    assert record.told[0] == status and why in record.told[1]
    last = record.written
    assert (last["event"], last["status"], last["why"]) == ("end", *record.told)


def test_all_is_done(folder: SearchFolder) -> None:
    check(run(folder, well=True), "FINISHED", "done")


def test_interrupted(folder: SearchFolder) -> None:
    check(run(folder, well=False, interrupted=True), "KILLED", "interrupted")


def test_a_search_whose_workers_die_has_failed(folder: SearchFolder) -> None:
    check(run(folder, well=False), "FAILED", "workers end before they can run a trial")


def test_an_interruption_while_the_rest_is_sent_changes_nothing(folder: SearchFolder) -> None:
    search, record = Supervisor(folder, 1, Crew(Engine(True))), Record(folder)
    record.meanwhile = lambda: setattr(search, "interrupted", True)
    assert search.run(lambda session: record, lambda: None) == "done"  # type: ignore[arg-type, return-value]
    assert record.told == ("FINISHED", "done")


def test_a_later_launcher_begins_anew(folder: SearchFolder) -> None:
    run(folder, well=False)
    run(folder, well=True)
    assert [event["event"] for event in folder.journal.events()] == ["start", "end", "start", "end"]


def test_only_trials_that_have_ended_are_counted(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number:04d}").mkdir()
        journal = Journal(tmp_path / f"{number:04d}" / "journal.jsonl")
        journal.append("start", session="s", worker=0, parameters={"architecture": "gru-16"})
        if number < 2:
            journal.append("end", outcome="completed", score=0.1)
    assert all_done(Progress(tmp_path, "min", 3, 1), 3) == "the space has no more than 2 models"
