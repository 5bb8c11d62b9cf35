"""Writes files so that a kill, a full disk or a second writer never leaves half of one."""

import hashlib
import os
import platform
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tracking.as_json import as_json
from tracking.journal import naming


def write_bytes(path: Path, content: bytes, durable: bool = True) -> None:
    """Writes the file. Whatever happens, it has either its old content or the whole new one.

    Args:
        durable: wait until the disk has the content, so that a power cut cannot take it away.

    Raises:
        OSError: names the file.
    """
    with replacing(path, durable) as temporary:
        temporary.write_bytes(content)


def link(path: Path, source: Path) -> None:
    """Replaces `path` by a second name of the file `source`, so that the content is not copied.

    Neither file may be written in place afterwards. All functions here replace files, and the other name keeps its
    content.
    """
    with replacing(path) as temporary:
        try:
            os.link(source, temporary)
        except OSError:  # a file system without hard links
            shutil.copyfile(source, temporary)


def write_json(path: Path, content: dict[str, Any], durable: bool = True) -> None:
    """`write_bytes` of a JSON object."""
    write_bytes(path, as_json(content).encode() + b"\n", durable)


@contextmanager
def replacing(path: Path, durable: bool = True) -> Iterator[Path]:
    """Yields the path of a temporary file. At the end this file replaces `path`. After an error it is removed.

    The temporary file lies beside `path` and has its suffix. Its name holds the machine and the process, so that two
    writers never share one. If writers of this file on this machine were killed, their temporary files are removed.
    """
    temporary = path.with_name(f"new-{_machine()}-{os.getpid()}-{path.name}")
    try:
        with naming(path):
            _remove_leftovers(path)
            yield temporary
            if durable:
                # Some file systems write a name to the disk before the content. Without this fsync a power cut may
                # leave an empty file under the new name.
                _fsync(temporary, os.O_RDWR)
            os.replace(temporary, path)
            if durable:
                # The folder holds the name. Without this fsync a power cut may bring the old file back. Some systems
                # cannot open a folder: there the file is whole, but it may be the old one.
                with suppress(OSError):
                    _fsync(path.parent, os.O_RDONLY)
    except BaseException:
        # The first error says what went wrong. A failure to remove the temporary file must not hide it.
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def _machine() -> str:
    """A short name of this machine. Machines that share a folder may have processes of the same number."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def _remove_leftovers(path: Path) -> None:
    pattern = re.compile(rf"new-{_machine()}-(\d+)-{re.escape(path.name)}")
    for leftover in path.parent.glob(f"new-*-{path.name}"):
        if match := pattern.fullmatch(leftover.name):
            import psutil  # imported here, since it is hardly ever needed

            # A living writer still needs its temporary file. Two processes may remove the same leftover at once.
            if not psutil.pid_exists(int(match[1])):
                leftover.unlink(missing_ok=True)


def _fsync(path: Path, flags: int) -> None:
    """Waits until the disk has the content of a file, or the names in a folder."""
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
