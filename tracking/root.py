"""The root of a SQLite store: the folder that the paths in its database begin with.

MLflow writes whole paths into its database. So the root stands in a file beside the database, `mlflow.db.root`. If the
store lies in another folder than that, it was copied or moved, and its paths get the new root: a copy is a store of its
own. A store whose paths cannot be changed now is read as if they had been: `resolved` says where a file lies.
"""

import os
import platform
import sqlite3
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlparse

from tracking.root_file import Root, beside, noted, put, write

ARTIFACTS = "mlartifacts"  # the folder of the models' files, beside the database
LOCKED_SECONDS = 5.0  # longest wait for another process that writes to the database
# Every column of MLflow's database in which a path or a file URI stands.
COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
    ("trace_tags", "value"),
)


def recorded(file: Path) -> Root:
    """The root of the paths in a database: what the file beside it says, else what its first experiment shows.

    If the files below that folder have not come along, it is no root: they lie elsewhere, and their paths stay.
    """
    said = noted(file)
    root = said or Root(_shown(file) or file.parent)
    if root.is_at(file.parent) or _has_followed(file, root.path, said is not None):
        return root
    return Root(file.parent)


def begin(file: Path) -> None:
    """Writes down the root of a database that is made now. A file may lie there of an earlier database."""
    write(file, file.parent)


def keep(file: Path) -> None:
    """Writes down the root of a database that has no such file yet, or that has come here without its files."""
    root, said = recorded(file), noted(file)
    if root.is_at(file.parent) and (said is None or said.path != root.path):
        write(file, root.path)


def follow(file: Path) -> str:
    """Gives the paths of a database the folder in which it lies now; returns what the user is told, or "".

    Nothing is changed if the folder is its root, under whatever name, if the store cannot be written, or if a process
    holds it.
    """
    before, here = recorded(file), file.parent
    if not _writable(file):
        return ""
    if before.is_at(here):
        return _told_of_mount(file, before)
    from filelock import FileLock, Timeout

    try:
        # Two commands may find a moved store at the same moment. The second one finds it done.
        with FileLock(file.with_name(f"{file.name}.lock"), timeout=LOCKED_SECONDS):
            before = recorded(file)
            if before.is_at(here) or _held(file):
                return ""
            count = _rewrite(file, before.path, here)
            same = here.stat().st_ino == before.inode
            write(file, here, (*before.places, (before.machine, str(before.path))) if same else ())
    except (OSError, Timeout, sqlite3.Error):  # the paths are resolved at reading, and the next command tries again
        return ""
    return f"{file.name} has come here from {before.path}; {count} paths in it name {here} now" if count else ""


def _told_of_mount(file: Path, root: Root) -> str:
    """What the user is told, once at each place, of a folder that may be in use on another machine, else ""."""
    here = file.parent
    if root.is_named(here) or root.was_at(here):
        return ""
    with suppress(OSError):
        put(file, replace(root, places=(*root.places, (platform.node(), str(here)))))
    stay = f"{file.name} names files in {root.path}, where {root.machine} has this folder; its paths stay"
    return f"{stay}; if the folder was moved here, remove {beside(file).name}"


def resolved(file: Path | None, place: str) -> str:
    """Where a file of a store lies: a path or file URI of its database, below the folder in which the store lies.

    Args:
        file: the database; None for a server, whose paths stay.
    """
    if file is None:
        return place
    file = file.absolute()
    before, here = recorded(file).path, file.parent
    for old, new in _prefixes(before, here):
        if place.startswith(old) and not (here.is_relative_to(before) and place.startswith(new)):
            return new + place.removeprefix(old)
    return place


def inside(file: Path, place: str) -> bool:
    """False for a folder of this machine that lies outside of the store's folder.

    The store's `mlartifacts` may be a link to another disk. What lies below another link lies outside.
    """
    parts = urlparse(resolved(file, place))
    if parts.scheme not in ("", "file"):
        return True
    path, root = Path(os.path.normpath(unquote(parts.path))), Path(os.path.normpath(file.absolute().parent))
    real = path.resolve()
    return path.is_relative_to(root) and any(real.is_relative_to(own.resolve()) for own in (root, root / ARTIFACTS))


def _has_followed(file: Path, old: Path, was_there: bool) -> bool:
    """True if the files below an old root have come along with the database, or if there were none.

    Args:
        was_there: the database lay in `old`. Otherwise `old` may be a folder that somebody has chosen for the files.
    """
    there, here = old / ARTIFACTS, file.parent / ARTIFACTS
    if there.exists():
        # The copy of a link to the files is no copy of the files.
        return (old / file.name).exists() and here.exists() and not there.samefile(here)
    return was_there or here.exists()


def _shown(file: Path) -> Path | None:
    """The root of a store that has no file beside it, since an earlier version has made it; None if nothing shows it.

    Its first experiment keeps its files in ROOT/mlartifacts.
    """
    query = f"SELECT artifact_location FROM experiments WHERE artifact_location LIKE 'file://%/{ARTIFACTS}/%'"
    how = "mode=ro" if os.access(file.parent, os.W_OK) else "immutable=1"  # in WAL mode SQLite writes beside the file
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"{file.as_uri()}?{how}", uri=True)) as database:
        for (place,) in database.execute(f"{query} ORDER BY experiment_id LIMIT 1"):
            folder = Path(unquote(urlparse(place).path)).parent
            return folder.parent if folder.name == ARTIFACTS else None
    return None


def _writable(file: Path) -> bool:
    return os.access(file, os.W_OK) and os.access(file.parent, os.W_OK)


def _held(file: Path) -> bool:
    """True if another process has the database open."""
    from tracking.holders import holders

    return any(pid != os.getpid() for pid in holders(file))


def _prefixes(old: Path, new: Path) -> list[tuple[str, str]]:
    """What the paths below a folder begin with, as file URIs and as paths, and what that becomes."""
    return [(f"{old.as_uri()}/", f"{new.as_uri()}/"), (f"{old}/", f"{new}/")]


def _rewrite(file: Path, old: Path, new: Path) -> int:
    """Gives all paths below `old` the folder `new`, in one transaction; returns their number.

    After a kill the next call repeats it. If `new` lies in `old`, paths below `new` are not changed again.
    """
    nested = "AND substr({column}, 1, ?) != ?" if new.is_relative_to(old) else ""
    count = 0
    with closing(sqlite3.connect(file, timeout=LOCKED_SECONDS, isolation_level="IMMEDIATE")) as database, database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for table, column in (place for place in COLUMNS if place[0] in tables):
            change = f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?"
            for before, after in _prefixes(old, new):
                more = (len(after), after) if nested else ()
                values = (after, len(before) + 1, len(before), before, *more)
                count += database.execute(f"{change} {nested.format(column=column)}", values).rowcount
    return count
