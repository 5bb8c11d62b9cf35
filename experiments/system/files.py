"""Writes files so that a kill, a full disk or a second writer never leaves half of one."""

import hashlib
import json
import os
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tracking.journal import naming


def write_bytes(path: Path, content: bytes, durable: bool = True) -> None:
    """The file has either its old content or all of the new one. Raises OSError, which names the file.

    Args:
        durable: wait until the disk has it, so that a power cut does not take it away either.
    """
    with replacing(path, durable) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, content: dict[str, Any], durable: bool = True) -> None:
    """`write_bytes` of a JSON object."""
    write_bytes(path, json.dumps(content, indent=1).encode() + b"\n", durable)


@contextmanager
def replacing(path: Path, durable: bool = True) -> Iterator[Path]:
    """Gives a temporary file beside `path`. What is written to it becomes `path`; if that fails nothing is left of it.

    The temporary file has the same suffix and a name of this process's own: two writers do not meet. What a killed
    writer of this machine has left of the same file is removed.
    """
    temporary = path.with_name(f"new-{_machine()}-{os.getpid()}-{path.name}")
    try:
        with naming(path):
            _remove_leftovers(path)
            yield temporary
            if durable:
                # Without this a power cut may leave an empty file under the new name: some file systems write the name
                # before the content.
                _flush(temporary, os.O_RDWR)
            os.replace(temporary, path)
            if durable:
                with suppress(OSError):  # not every system opens folders
                    _flush(path.parent, os.O_RDONLY)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def _machine() -> str:
    """Tells machines apart that share a folder: they have the same numbers of processes."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def _remove_leftovers(path: Path) -> None:
    pattern = re.compile(rf"new-{_machine()}-(\d+)-{re.escape(path.name)}")
    for found in path.parent.glob(f"new-*-{path.name}"):
        if match := pattern.fullmatch(found.name):
            import psutil  # hardly ever needed

            if not psutil.pid_exists(int(match[1])):
                found.unlink(missing_ok=True)


def _flush(path: Path, flags: int) -> None:
    """Waits until the disk has a file's content, or a folder's names."""
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
