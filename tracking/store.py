"""Where the record is: a local SQLite file by default, or any MLflow server."""

import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from tracking.errors import BadInput, Denied, RecurrentError, StoreError, Unreachable
from tracking.root import ARTIFACTS, LOCKED_SECONDS, begin, follow, keep, recorded
from tracking.storable import check_storable

if TYPE_CHECKING:
    from mlflow import MlflowClient

SQLITE = "sqlite:///"
IMMUTABLE = "?immutable=1&uri=true"  # words of SQLite and of SQLAlchemy
MAKING_SECONDS = 150.0  # longest wait for a process that makes the database; MLflow itself tries a bad file for 100 s
DENIED = ("UNAUTHENTICATED", "PERMISSION_DENIED", "ENDPOINT_NOT_FOUND")  # HTTP's 401, 403 and 404
FAILED_REQUEST = ("failed with exception", "failed with timeout exception")  # MLflow's words for no answer in time
SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # With MLflow's defaults one call to a server that is away blocks for four minutes. A slow server may have done a
    # request that it did not answer in time, so nobody may repeat a request without a look at what is there.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
# What a user has set for other work with MLflow, and what would cost us results. A call that returns before its work is
# done hides that the work has failed. A store that refuses a long value would lose the trial that has it.
FOREIGN = {"MLFLOW_ENABLE_ASYNC_LOGGING": "false", "MLFLOW_TRUNCATE_LONG_VALUES": "true"}


def resolve(uri: str | None) -> str:
    """The tracking URI to use: the argument, else MLFLOW_TRACKING_URI, else `mlflow.db` in the current folder.

    A path becomes absolute, since a child process with another current folder would make a second database.
    Raises BadInput for a store that is neither SQLite nor a server.
    """
    if uri is None:  # an empty one is an argument, for example of a script whose variable is not set
        uri = os.environ.get("MLFLOW_TRACKING_URI") or f"{SQLITE}mlflow.db"
    check_storable("tracking-uri", uri)
    if uri.startswith(("http://", "https://")):
        return uri
    if not uri.startswith(SQLITE) or uri == SQLITE:
        raise BadInput(f"tracking-uri: expected {SQLITE}FILE or http://SERVER, got {uri!r}")
    file = Path(uri.removeprefix(SQLITE)).absolute()
    check_storable("tracking-uri", str(file))  # the current folder may have such a name
    if any(character in str(file) for character in "?%#"):  # they mean something in a URL
        raise BadInput(f"tracking-uri: expected a path without ?, % and #, got {str(file)!r}")
    return f"{SQLITE}{file}"


def uri_arguments(uri: str) -> list[str]:
    """The arguments with which a command finds the store of a resolved URI; none if it finds the store by itself."""
    try:
        found = resolve(None) == uri
    except RecurrentError:  # MLFLOW_TRACKING_URI names a kind of store that we do not take
        found = False
    return [] if found else ["--tracking-uri", uri]


def database(uri: str) -> Path | None:
    """The SQLite file of a resolved URI, or of what `readable` makes of it; None for a server."""
    if not uri.startswith(SQLITE):
        return None
    place = uri.removeprefix(SQLITE)
    if place.endswith(IMMUTABLE):
        return Path(unquote(place.removeprefix("file:").removesuffix(IMMUTABLE)))
    return Path(place)


def read_only(uri: str) -> bool:
    """True for a SQLite file that cannot be written, or whose folder cannot be."""
    file = database(uri)
    return file is not None and not all(os.access(path, os.W_OK) for path in (file.parent, file) if path.exists())


def readable(uri: str) -> str:
    """The URI with which MLflow can read a store.

    Our databases are in WAL mode. SQLite reads such a database only if it can write beside it, or if it is told that
    nobody changes it.
    """
    file = database(uri)
    changing = file is not None and file.with_name(f"{file.name}-wal").exists()
    # MLflow makes the folders in this text, relative to the current one, so it has no slash. SQLite decodes it.
    return f"{SQLITE}file:{quote(str(file), safe='')}{IMMUTABLE}" if read_only(uri) and not changing else uri


def connect(uri: str, create: bool = False) -> "MlflowClient":
    """A client for a resolved URI. Raises StoreError if there is no record, Unreachable if no server answers.

    `create` makes the record. If the store was moved, its paths are changed first, and one line says so: see root.py.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    os.environ.update(FOREIGN)
    file = database(uri)
    if file and not create and not file.exists():
        raise StoreError(f"tracking-uri: expected a record, got none at {file}; run `recurrent search` first")
    if file and file.is_dir():
        raise StoreError(f"tracking-uri: expected a file, got {file}, which is a folder")
    if file and not file.parent.is_dir():
        raise StoreError(f"tracking-uri: expected a file in an existing folder, got {file}")
    import logging

    from mlflow import MlflowClient

    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    # This logger prints a page about errors that are raised anyway.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    if file and file.exists() and (told := follow(file)):
        print(f"tracking-uri: {told}", file=sys.stderr)
    with working(uri):
        try:
            if file and create:
                return _create(uri, file)
            client = MlflowClient(readable(uri))
            client.search_experiments(max_results=1)
        except OSError as error:
            raise does_not_work(uri, error) from None
    return client


@contextmanager
def working(uri: str) -> Iterator[None]:
    """Turns what MLflow raises inside into the StoreError of `does_not_work`."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError) as error:
        raise does_not_work(uri, error) from None


def does_not_work(uri: str, error: Exception) -> StoreError:
    """The error as a StoreError of one line: Unreachable if asking again may help, Denied if the server refuses us."""
    if database(uri):
        kind: type[StoreError] = Unreachable if locked(error) else StoreError
    elif any(phrase in str(error) for phrase in FAILED_REQUEST):
        return unanswered(uri)
    else:
        kind = Denied if denied(error) else Unreachable
    return kind(f"tracking-uri: expected an MLflow store that works, got {uri}: {in_a_line(error)}")


def denied(error: BaseException | None) -> bool:
    """True for an answer of 401, 403 or 404, and for an error that it has caused."""
    from mlflow.exceptions import RestException

    if isinstance(error, Denied) or (error is not None and isinstance(error.__cause__, Denied)):
        return True
    # MLflow loses the number if the answer is the JSON of another program.
    foreign = isinstance(error, RestException) and "error_code" not in error.json
    return foreign or getattr(error, "error_code", "") in DENIED


def locked(error: Exception) -> bool:
    """True if another process has written to a SQLite file for longer than SQLite waits."""
    return "database is locked" in str(error)


def unanswered(uri: str) -> Unreachable:
    return Unreachable(f"tracking-uri: expected an MLflow store that works, got {uri}: no answer")


def _create(uri: str, file: Path) -> "MlflowClient":
    """A client of a file store, whose database is made if it is missing."""
    from filelock import FileLock, Timeout
    from mlflow import MlflowClient

    lock = file.with_name(f"{file.name}.lock")
    try:
        # MLflow's migrations fail when two processes run them at once, so the second process waits here. The system
        # releases the lock when its holder dies.
        with FileLock(lock, timeout=MAKING_SECONDS):
            if not file.exists():
                begin(file)
                _new_database(file)
            with suppress(OSError):  # a store that cannot be written has its root, or needs none
                keep(file)
            return MlflowClient(uri)
    except Timeout:
        raise Unreachable(
            f"tracking-uri: expected an MLflow store that works, got {uri}: another process holds {lock}"
        ) from None


def _new_database(file: Path) -> None:
    """Makes a whole database or none. A database whose migrations were killed half-way can never be opened again."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    new = file.with_name(f"{file.name}.new")
    for leftover in file.parent.glob(f"{new.name}*"):
        leftover.unlink()
    SqlAlchemyStore(f"{SQLITE}{new}", (file.parent / ARTIFACTS).as_uri()).engine.dispose()
    tune(new)
    new.replace(file)


def tune(file: Path) -> None:
    """Lets the UI read while a search writes, and makes sorting by a metric take milliseconds instead of seconds."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(file, timeout=LOCKED_SECONDS)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("ANALYZE")


def artifacts(uri: str, experiment: str) -> str | None:
    """Where a new experiment keeps its files; None leaves it to the server."""
    file = database(uri)
    return (recorded(file).path / ARTIFACTS / experiment).as_uri() if file else None


def in_a_line(error: Exception) -> str:
    """One line of an error of MLflow or SQLAlchemy: SQLite's message if there is one, otherwise the first line."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    said = [line.partition(") ")[2] for line in lines if line.startswith("(sqlite3.")]
    return (said or lines)[0][:200]
