"""The root of a SQLite store: the folder that the paths in its database begin with.

MLflow writes whole paths into its database. So the root stands in a file beside the database, `mlflow.db.root`. If the
store lies in another folder than that, it was copied or moved, and its paths get the new root: a copy is a store of its
own. A store whose paths cannot be changed now is read as if they had been: `resolved` says where a file lies.
"""

import json
import os
import platform
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlparse

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


@dataclass(frozen=True)
class Root:
    """A folder, and what tells it from a copy: the machine that has written it down, and the folder's inode there."""

    path: Path
    machine: str = ""
    inode: int = 0

    def is_at(self, folder: Path) -> bool:
        """True if `folder` is this folder, perhaps under another name: a link, or a disk that two machines mount."""
        if self.path == folder:
            return True
        with suppress(OSError):
            if self.path.samefile(folder):  # the same device and inode
                return True
        elsewhere = bool(self.machine) and self.machine != platform.node()
        return elsewhere and folder.stat().st_ino == self.inode


def recorded(file: Path) -> Root:
    """The root of the paths in a database: what the file beside it says, else what its first experiment shows."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        content = json.loads(_beside(file).read_text("utf-8"))
        return Root(Path(content["root"]), content["machine"], content["inode"])
    return Root(_shown(file) or file.parent)


def keep(file: Path) -> None:
    """Writes down the root of a database that has no such file yet."""
    root = recorded(file)
    if not _beside(file).exists() and root.is_at(file.parent):
        _write(file, root.path)


def follow(file: Path) -> str:
    """Gives the paths of a database the folder in which it lies now; returns what the user is told, or "".

    Nothing is changed if the folder is its root, under whatever name, if the store cannot be written, or if a process
    holds it.
    """
    before, here = recorded(file), file.parent
    if before.is_at(here) or not _writable(file):
        return ""
    from filelock import FileLock, Timeout

    try:
        # Two commands may find a moved store at the same moment. The second one finds it done.
        with FileLock(file.with_name(f"{file.name}.lock"), timeout=LOCKED_SECONDS):
            before = recorded(file)
            if before.is_at(here) or _held(file):
                return ""
            count = _rewrite(file, before.path, here)
            _write(file, here)
    except (OSError, Timeout, sqlite3.Error):  # the paths are resolved at reading, and the next command tries again
        return ""
    return f"{file.name} has come here from {before.path}; {count} paths in it name {here} now" if count else ""


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
    """False for a folder of this machine that lies outside of the store's folder."""
    parts = urlparse(resolved(file, place))
    local = parts.scheme in ("", "file")
    return not local or Path(os.path.normpath(unquote(parts.path))).is_relative_to(os.path.normpath(file.parent))


def _beside(file: Path) -> Path:
    return file.with_name(f"{file.name}.root")


def _write(file: Path, root: Path) -> None:
    """Whatever happens, the file has its old content or the new one."""
    content = {"root": str(root), "machine": platform.node(), "inode": file.parent.stat().st_ino}
    new = file.with_name(f"{file.name}.root.{os.getpid()}")
    new.write_text(json.dumps(content) + "\n", "utf-8")
    new.replace(_beside(file))


def _shown(file: Path) -> Path | None:
    """The root of a store that has no file beside it, since an earlier version has made it; None if nothing shows it.

    Its first experiment keeps its files in ROOT/mlartifacts. If the database alone was moved from there, the folder is
    no root, and the files stay there.
    """
    query = f"SELECT artifact_location FROM experiments WHERE artifact_location LIKE 'file://%/{ARTIFACTS}/%'"
    how = "mode=ro" if os.access(file.parent, os.W_OK) else "immutable=1"  # in WAL mode SQLite writes beside the file
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"{file.as_uri()}?{how}", uri=True)) as database:
        for (place,) in database.execute(f"{query} ORDER BY experiment_id LIMIT 1"):
            folder = Path(unquote(urlparse(place).path)).parent
            alone = folder.exists() and not (folder.parent / file.name).exists()
            return folder.parent if folder.name == ARTIFACTS and not alone else None
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
