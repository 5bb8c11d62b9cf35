"""A full disk ends the search, not its trials: --resume goes on with them."""

import errno
import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from keras_tuner.engine.trial import Trial
from support.fakes import FakeTuner, forked, make_fake, make_spec
from support.searching import events, run

from experiments.config.folders import SearchFolder, TrialFolder
from experiments.config.spec import Spec
from experiments.engines import WorkersDied
from experiments.launcher.supervise import Supervisor
from experiments.system.files import write_bytes, write_json
from experiments.worker import sharing
from experiments.worker.process import FULL
from tracking.journal import Journal

pytestmark = pytest.mark.usefixtures("before_fork")

LINE = "the disk is full; --resume goes on"
TRIALS, SECOND = 4, 2
LARGE, LIMIT = 2**20, 2**19  # bytes of a file, and what the disk of these tests takes


class WritingTuner(FakeTuner):
    """From its third trial on it writes checkpoints."""

    def run_execution(self, trial: Trial, folder: TrialFolder, execution: int) -> dict[str, Any]:
        found = super().run_execution(trial, folder, execution)
        if folder.number >= SECOND:
            write_bytes(folder.checkpoint, bytes(LARGE))
        return found


def make_writing(search: SearchFolder, spec: Spec, index: int, session: str, memory_limit: int | None) -> FakeTuner:
    fake = make_fake(search, spec, index, session)
    if (search.path / "full").exists():
        resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT))
    return WritingTuner(fake.oracle, fake.hypermodel, 1, index, memory_limit)


def states(folder: Path) -> list[str]:
    oracle = make_fake(SearchFolder(folder), make_spec(trials=TRIALS), 0, "check").oracle
    return [trial.state.name for trial in oracle.study.get_trials()]


def test_a_full_disk_fails_no_trial(tmp_path: Path) -> None:
    search = SearchFolder(tmp_path)
    make_spec(trials=TRIALS).write(search)
    (tmp_path / "full").touch()
    said: list[Any] = []
    record: Any = SimpleNamespace(start=lambda: None, finish=lambda *words: said.append(words))
    with pytest.raises(WorkersDied, match=f"^{LINE}$"):
        Supervisor(search, 1, forked(search, make_writing)).run(lambda session: record, lambda: None)
    assert [(words[0], words[2]) for words in said] == [("FAILED", LINE)]
    assert states(tmp_path) == ["COMPLETE", "COMPLETE", "RUNNING"]
    assert [event["event"] for event in search.trial(SECOND).journal.events()][-1] == "epoch"
    assert sorted(path.name for path in search.trial(SECOND).path.iterdir()) == ["journal.jsonl", "lock"]

    (tmp_path / "full").unlink()
    assert Supervisor(search, 1, forked(search, make_writing)).run(lambda session: None, lambda: None) == "done"
    assert states(tmp_path) == ["COMPLETE"] * TRIALS
    assert not search.trial(SECOND).checkpoint.exists()


def test_a_disk_that_is_full_for_the_launcher_ends_the_search_as_well(tmp_path: Path) -> None:
    search = SearchFolder(tmp_path)
    make_spec(trials=TRIALS).write(search)
    ticks = iter([OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))])

    def tick() -> None:
        for error in ticks:
            raise error

    with pytest.raises(WorkersDied, match=f"^{LINE}$"):
        Supervisor(search, 1, forked(search, make_fake)).run(lambda session: None, tick)


def test_a_disk_that_is_full_when_the_search_begins_ends_its_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = SearchFolder(tmp_path)
    make_spec(trials=TRIALS).write(search)
    monkeypatch.setattr(search.journal, "path", Path("/dev/full"))
    monkeypatch.setattr(search.journal, "repair", lambda: None)
    said: list[Any] = []
    record: Any = SimpleNamespace(start=lambda: None, finish=lambda *words: said.append(words))
    with pytest.raises(WorkersDied, match=f"^{LINE}$"):
        Supervisor(search, 1, forked(search, make_fake)).run(lambda session: record, lambda: None)
    assert [(words[0], words[2]) for words in said] == [("FAILED", LINE)]


def test_a_journal_on_a_full_disk_is_named() -> None:
    with pytest.raises(OSError) as raised:
        Journal(Path("/dev/full")).append("start")
    assert (raised.value.filename, raised.value.errno) == ("/dev/full", errno.ENOSPC)


def test_data_that_do_not_fit_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "LARGE", 1)
    monkeypatch.setattr(sharing, "_file", lambda *_: Path("/dev/full"))
    arrays = np.ones((2**12, 2)), np.ones(2**12)
    with pytest.raises(OSError) as raised:
        sharing.share(SearchFolder(tmp_path), "session", [arrays, arrays])
    assert (raised.value.filename, raised.value.errno) == ("/dev/full", errno.ENOSPC)


FULL_LOG = """
import errno, os, sys
from experiments.worker import process
log = os.open("/dev/full", os.O_WRONLY)
os.dup2(log, 1)
os.dup2(log, 2)
def begin():
    raise OSError(errno.ENOSPC, "full")
os._exit(process.run_trials(begin))
"""


def test_a_worker_whose_log_is_full_too_says_so_by_its_exit_code(tmp_path: Path) -> None:
    assert run(cwd=tmp_path, code=FULL_LOG).returncode == FULL


@pytest.mark.parametrize("write", ["fsync", "replace"])
def test_what_could_not_be_written_is_named_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: str
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, write, full)
    with pytest.raises(OSError) as raised:
        write_json(tmp_path / "spec.json", {"name": "new"})
    assert (raised.value.filename, raised.value.errno) == (str(tmp_path / "spec.json"), errno.ENOSPC)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder that takes four megabytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(disk)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root, and a container that lets it")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_small_disk_from_the_command_line(small_disk: Path, tmp_path: Path) -> None:
    words = (
        *("search", "adding", "-o", "length=5", "-o", "train=32", "-o", "val=16", "-o", "test=16", "--oracle", "grid"),
        *("--cells", "gru", "--depth", "1", "--width", "64", "--learning-rate", "0.01,0.02", "--epochs", "2"),
        *("--workers", "1", "--name", "full", "--tracking-uri", f"sqlite:///{tmp_path}/mlflow.db"),
    )
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(4 * 2**20 - 2**17))  # a checkpoint takes 150 kB
    done = run(*words, cwd=small_disk)
    assert (done.returncode, done.stderr) == (1, f"recurrent search: {LINE}\n")
    assert events(small_disk, "full", "0000")[-1]["event"] == "built"
    ballast.unlink()
    done = run(*words, "--resume", cwd=small_disk)
    assert (done.returncode, done.stderr) == (0, "")
    assert [events(small_disk, "full", trial)[-1]["outcome"] for trial in ("0000", "0001")] == ["completed"] * 2
