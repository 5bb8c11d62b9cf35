"""The folder of a search belongs to one launcher at a time, and a new search takes a free folder."""

import dataclasses
import re
import uuid
from contextlib import suppress
from typing import NoReturn

from experiments.config.folders import SEARCHES, SearchFolder, try_acquire
from experiments.config.spec import Spec
from tracking.errors import SearchStateError

OTHER_LAUNCHER_SECONDS = 3.0  # after these another launcher of this search is believed to live
FREE = re.compile(r".+\.(lock|log)|new-.+")  # files that launchers leave which were killed before they had a spec


def check_name(folder: SearchFolder, resume: bool) -> None:
    """Raises SearchStateError if the name cannot be taken: at once, before the data are read."""
    place = folder.path
    over = next(parent for parent in (place, *place.absolute().parents) if parent.exists())
    if not over.is_dir():
        raise SearchStateError(f"--name: expected {place} to be a new folder, got {over}, which is a file")
    if folder.spec.exists():
        if not resume:
            _refuse_name(folder)
    elif any(not FREE.fullmatch(path.name) for path in place.rglob("*") if not path.is_dir()):
        raise SearchStateError(f"--name: expected a new name, got {place.name!r}, but {place} holds no spec.json")


def claim(folder: SearchFolder, spec: Spec, resume: bool) -> tuple[Spec, bool]:
    """Takes the launcher's lock of a search, and writes the spec of a new one.

    Returns the spec with its id, and whether the search is new. Raises SearchStateError if another launcher has the
    search, if a new search's name is taken, or if `spec` differs from that of the search to go on with.
    """
    _take(folder)
    try:
        check_name(folder, resume)
        if folder.spec.exists():
            return _same(Spec.read(folder), spec), False
        return _begin(folder, spec), True
    except BaseException:
        folder.launcher_lock.release()
        raise


def _begin(folder: SearchFolder, spec: Spec) -> Spec:
    spec = dataclasses.replace(spec, id=uuid.uuid4().hex)
    try:
        spec.write(folder)
    except OSError:  # a full disk does not take the name
        abandon(folder)
        raise
    return spec


def _take(folder: SearchFolder) -> None:
    """Two launchers must never run one search. The system releases the lock when its holder dies, however it dies.

    The folder may vanish between the two calls, with a launcher that was refused: then both are done again.
    """
    while True:
        folder.path.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            if try_acquire(folder.launcher_lock, OTHER_LAUNCHER_SECONDS):
                return
            if folder.path.exists():
                name = folder.path.name
                raise SearchStateError(f"--name: expected a search that is not running, got {name!r}, which is")


def _same(before: Spec, spec: Spec) -> Spec:
    spec = dataclasses.replace(spec, id=before.id)
    changes = [f"{what} {old}, got {new}" for what, (old, new) in before.changes(spec).items()]
    if changes:
        raise SearchStateError(f"--resume: expected as when the search began: {'; '.join(changes)}")
    return spec


def _refuse_name(folder: SearchFolder) -> NoReturn:
    raise SearchStateError(
        f"--name: expected a new name, got {folder.path.name!r}, which {folder.path} holds; --resume goes on with it"
    )


def abandon(folder: SearchFolder) -> None:
    """Removes the folder of a new search that was refused; to be called while its lock is held.

    The lock's file goes last: while it is there nobody else can take the folder, and nothing of another one is removed.
    """
    for path in sorted(folder.path.rglob("*"), reverse=True):  # what lies in a folder comes before the folder
        if path != folder.path / "launcher.lock":
            with suppress(OSError):
                path.rmdir() if path.is_dir() else path.unlink()
    with suppress(OSError):
        (folder.path / "launcher.lock").unlink()
        folder.path.rmdir()
        SEARCHES.rmdir()  # unless other searches lie there
