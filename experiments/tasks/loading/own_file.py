"""A user's file of data: where it lies, and what tells whether it has changed."""

from pathlib import Path

from tracking.errors import DataError


def stamp(name: str) -> tuple[Path, int, int]:
    """The whole path of a file, when it was changed (ns), and its size (bytes): the key under which it is kept as read.

    Raises DataError, in one line, for a file that does not exist.
    """
    try:
        path = Path(name).expanduser().absolute()
        status = path.stat()
    except (OSError, RuntimeError):  # a user who is not known
        raise DataError(f"task: expected a file, got {name!r}, which does not exist") from None
    return path, status.st_mtime_ns, status.st_size
