"""A folder belongs to one launcher at a time; a new search takes a free one, and leaves nothing if it is refused."""

import fcntl
import multiprocessing
import os
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from experiments.config.folders import SearchFolder
from experiments.config.spec import Spec
from experiments.launcher import claim as module
from experiments.launcher.claim import abandon, check_name, claim
from tracking.errors import SearchStateError

LAUNCHERS, ROUNDS = 8, 50


def spec(**changes: Any) -> Spec:
    return Spec(**{"name": "s", "task": "adding", "options": {}, "cells": ["gru"], "digest": "1", **changes})


def launcher(place: Path, number: int, ready: Barrier, over: Barrier, refuse: bool, won: Any) -> None:
    """Claims the name in every round; the winner of a round holds it until all others have been refused."""
    module.OTHER_LAUNCHER_SECONDS = 0.01
    for round_ in range(ROUNDS):
        folder = SearchFolder(place / f"{round_}")
        ready.wait()
        try:
            _, new = claim(folder, spec(seed=number), False)
        except SearchStateError:
            new = False
        over.wait()
        if new:
            won.put((round_, number, Spec.read(folder).seed))
            if refuse:
                abandon(folder)
            folder.launcher_lock.release()


@pytest.mark.parametrize("refuse", [False, True])
def test_of_eight_launchers_at_one_name_one_wins(tmp_path: Path, refuse: bool) -> None:
    fork = multiprocessing.get_context("fork")
    ready, over, won = fork.Barrier(LAUNCHERS, timeout=60), fork.Barrier(LAUNCHERS, timeout=60), fork.Queue()
    more = (ready, over, refuse, won)
    launchers = [fork.Process(target=launcher, args=(tmp_path, number, *more)) for number in range(LAUNCHERS)]
    for one in launchers:
        one.start()
    found = sorted(won.get(timeout=120) for _ in range(ROUNDS))
    for one in launchers:
        one.join()
    assert [one.exitcode for one in launchers] == [0] * LAUNCHERS and won.empty()
    assert [round_ for round_, _, _ in found] == list(range(ROUNDS))
    assert all(number == seed for _, number, seed in found), "the spec is the winner's"
    assert len(list(tmp_path.iterdir())) == (0 if refuse else ROUNDS)


def keep_claiming(place: Path, until: Any) -> None:
    """Begins a search and is refused, again and again."""
    while not until.is_set():
        folder = SearchFolder(place)
        try:
            claim(folder, spec(), False)
        except SearchStateError:
            continue
        abandon(folder)
        folder.launcher_lock.release()


def test_a_folder_that_is_given_up_can_be_taken_at_any_moment(tmp_path: Path) -> None:
    fork, place = multiprocessing.get_context("fork"), tmp_path / "s"
    until = fork.Event()
    others = [fork.Process(target=keep_claiming, args=(place, until)) for _ in range(3)]
    for one in others:
        one.start()
    mine = 0
    while mine < 30:
        folder = SearchFolder(place)
        try:
            found, new = claim(folder, spec(seed=7), False)
        except SearchStateError:
            continue
        assert new and Spec.read(folder).id == found.id and Spec.read(folder).seed == 7, "nobody takes its files away"
        abandon(folder)
        folder.launcher_lock.release()
        mine += 1
    until.set()
    for one in others:
        one.join()
    assert [one.exitcode for one in others] == [0] * len(others) and not place.exists()


def test_a_lock_whose_file_was_removed_is_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another launcher removes the file after this one has opened it, and a third one takes the name meanwhile."""
    mine, others, opened = SearchFolder(tmp_path / "s"), SearchFolder(tmp_path / "s"), []

    def acquire(self: Any) -> None:
        """What early versions of filelock do. Later ones have a look at the number of links themselves."""
        fd = os.open(self.lock_file, os.O_RDWR | os.O_CREAT)
        opened.append(fd)
        if len(opened) == 1:
            os.unlink(self.lock_file)
            claim(others, spec(seed=1), False)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._context.lock_file_fd = fd
        except OSError:
            os.close(fd)

    monkeypatch.setattr(module, "OTHER_LAUNCHER_SECONDS", 0.05)
    monkeypatch.setattr(FileLock, "_acquire", acquire)
    with pytest.raises(SearchStateError, match="expected a search that is not running, got 's', which is"):
        claim(mine, spec(seed=2), False)
    assert len(opened) > 2 and not mine.launcher_lock.is_locked and others.launcher_lock.is_locked
    assert Spec.read(others).seed == 1
    others.launcher_lock.release()


def test_a_folder_with_locks_and_logs_alone_is_free(tmp_path: Path) -> None:
    folder = SearchFolder(tmp_path / "s")
    for name in ("launcher.lock", "study.lock", "workers/0.lock", "workers/0.log", "new-0a0a0a0a-7-spec.json"):
        (folder.path / name).parent.mkdir(parents=True, exist_ok=True)
        (folder.path / name).touch()
    check_name(folder, False)
    (folder.path / "workers" / "notes.txt").write_text("years of work")
    with pytest.raises(SearchStateError, match="holds no spec.json"):
        claim(folder, spec(), False)
    assert (folder.path / "workers" / "notes.txt").exists() and not folder.launcher_lock.is_locked


def test_a_name_is_taken_once_and_gone_on_with_by_resume_alone(tmp_path: Path) -> None:
    folder = SearchFolder(tmp_path / "s")
    first, new = claim(folder, spec(), False)
    folder.launcher_lock.release()
    assert new and len(first.id) == 32
    with pytest.raises(
        SearchStateError, match="--name: expected a new name, got 's', which .* --resume goes on with it"
    ):
        claim(folder, spec(), False)
    assert claim(folder, spec(trials=40), True) == (spec(trials=40, id=first.id), False)
    folder.launcher_lock.release()
    with pytest.raises(SearchStateError, match="^--resume: expected as when the search began: --seed 0, got 1$"):
        claim(folder, spec(seed=1), True)
    assert not folder.launcher_lock.is_locked


def test_no_link_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """exFAT and many network disks have none."""

    def refuse(*_: Any) -> None:
        raise OSError("Operation not permitted")

    monkeypatch.setattr("os.link", refuse)
    assert claim(SearchFolder(tmp_path / "s"), spec(), False)[1]


def test_a_full_disk_takes_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    folder = SearchFolder(tmp_path / "searches" / "s")
    monkeypatch.setattr(Spec, "write", full)
    with pytest.raises(OSError):
        claim(folder, spec(), False)
    assert not folder.path.exists() and not folder.launcher_lock.is_locked
