"""Gives the folder of a search to one launcher at a time, and a free folder to a new search."""

import dataclasses
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

from filelock import Timeout

from experiments.config.folders import SEARCHES, SearchFolder, is_running, try_acquire
from experiments.config.spec import Spec
from tracking.errors import SearchStateError

OTHER_LAUNCHER_SECONDS = 3.0  # a launcher that holds the lock for longer is alive, not about to end
FREE = re.compile(r".+\.(lock|log)|new-.+")  # files that a launcher leaves if it is killed before it has a spec


def check_name(folder: SearchFolder, resume: bool) -> None:
    """Raises SearchStateError if the name cannot be taken. It is called before the data are read."""
    place = folder.path
    over = next(parent for parent in (place, *place.absolute().parents) if parent.exists())
    if not over.is_dir():
        raise SearchStateError(f"--name: expected {place} to be a new folder, got {over}, which is a file")
    if folder.spec.exists():
        if not resume:
            _refuse_name(folder)
    elif any(not FREE.fullmatch(path.name) for path in place.rglob("*") if not path.is_dir()):
        raise SearchStateError(f"--name: expected a new name, got {place.name!r}, but {place} holds no spec.json")


def claim(folder: SearchFolder, spec: Spec, resume: bool, corpus: str = "") -> tuple[Spec, bool]:
    """Takes the launcher's lock of a search, and writes the spec of a new one.

    Args:
        corpus: see `Spec.typed`.

    Returns the spec with its id, and whether the search is new. Raises SearchStateError if another launcher has the
    search, if a new search's name is taken, or if `spec` differs from that of the search to go on with.
    """
    _take(folder)
    try:
        check_name(folder, resume)
        if folder.spec.exists():
            return _same(Spec.read(folder), spec, corpus), False
        return _begin(folder, spec), True
    except BaseException:
        folder.launcher_lock.release()
        raise


def _begin(folder: SearchFolder, spec: Spec) -> Spec:
    spec = dataclasses.replace(spec, id=uuid.uuid4().hex)
    try:
        spec.write(folder)
    except OSError:  # the disk is full: the name becomes free again
        abandon(folder)
        raise
    return spec


def _take(folder: SearchFolder) -> None:
    """Makes the folder and acquires the launcher's lock. Raises SearchStateError if another launcher keeps the lock.

    Two launchers must never run one search. The system releases the lock when its holder dies, also by kill -9.

    A launcher that is refused removes its new folder. It may do so after this one has found the folder and before this
    one has the lock. Then both steps are repeated.
    """
    while True:
        folder.path.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            if _acquire(folder, OTHER_LAUNCHER_SECONDS):
                return
            if folder.path.exists():
                raise SearchStateError(is_running("--name", folder.path.name))


def _acquire(folder: SearchFolder, seconds: float = 0) -> bool:
    """True if this process has the launcher's lock within `seconds`. Raises FileNotFoundError if the folder is gone."""
    lock, path = folder.launcher_lock, folder.path / "launcher.lock"
    while try_acquire(lock, seconds):
        # A launcher that is refused may remove the file after this one has opened it and before it is locked. Then this
        # process has locked a file that nobody else sees, and the next launcher makes and locks a new one.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(lock._context.lock_file_fd), os.stat(path)):  # type: ignore[arg-type]
                return True
        lock.release()
    return False


@contextmanager
def held(folder: SearchFolder) -> Iterator[None]:
    """Keeps every launcher away from a search whose folder is there. Raises SearchStateError if the search runs."""
    running = is_running("NAME", folder.path.name)
    if not folder.path.is_dir():
        yield
        return
    if not _acquire(folder):
        raise SearchStateError(running)
    try:
        folder.wait_for_workers(OTHER_LAUNCHER_SECONDS)
        yield
    except Timeout:
        raise SearchStateError(running) from None
    finally:
        folder.launcher_lock.release()


def _same(before: Spec, spec: Spec, corpus: str) -> Spec:
    spec = dataclasses.replace(spec, id=before.id)
    changes = [f"{what} {old}, got {new}" for what, (old, new) in before.changes(spec, corpus).items()]
    if changes:
        raise SearchStateError(f"--resume: expected as when the search began: {'; '.join(changes)}")
    return spec


def _refuse_name(folder: SearchFolder) -> NoReturn:
    raise SearchStateError(
        f"--name: expected a new name, got {folder.path.name!r}, which {folder.path} holds; --resume goes on with it"
    )


def abandon(folder: SearchFolder) -> None:
    """Removes the folder of a new search that was refused. The caller holds the launcher's lock.

    The lock's file is removed last. While it exists no other launcher can take the folder, so that no files of another
    launcher are removed.
    """
    for path in sorted(folder.path.rglob("*"), reverse=True):  # what lies in a folder comes before the folder
        if path != folder.path / "launcher.lock":
            with suppress(OSError):
                path.rmdir() if path.is_dir() else path.unlink()
    with suppress(OSError):
        (folder.path / "launcher.lock").unlink()
        folder.path.rmdir()
        SEARCHES.rmdir()  # unless other searches lie there
