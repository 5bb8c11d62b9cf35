"""A trial's journal: an append-only file with one JSON object a line.

The worker that runs a trial is the only one that appends; the launcher reads what is new and brings MLflow to it.

    {"event": "start", "time": 1700000000000, "attempt": 1, …}
    {"event": "epoch", "time": 1700000004000, "execution": 0, "epoch": 0, "metrics": {"loss": 0.3, "val_mse": 0.2}}
    {"event": "end", "time": 1700000009000, "outcome": "completed", "score": 0.2}

Between them are "built", and for each execution its epochs, then "trained", and "execution" when it has been measured.
Times are milliseconds since 1970, MLflow's unit.
"""

import errno
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tracking.as_json import as_json
from tracking.errors import DataError

Event = dict[str, Any]


def now() -> int:
    """Milliseconds since 1970."""
    return int(time.time() * 1000)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Puts the file's name into an OSError that is raised inside, since the error of a write has no name."""
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        raise


class Journal:
    """The writing end."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, event: str, **fields: Any) -> Event:
        """Writes one event and waits until the disk has it."""
        return self.write(event, fields)

    def write(self, event: str, fields: dict[str, Any], wait: bool = True) -> Event:
        """Writes one event. The line is one `write` call, so a kill cannot tear it.

        Args:
            wait: until the disk has it; False if the caller does so later.

        Raises OSError, with the journal's name, if the disk is full. The journal then has what it had before.
        """
        line = {"event": event, "time": now(), **fields}
        data = as_json(line, indent=None).encode() + b"\n"
        with naming(self.path), self.path.open("ab", buffering=0) as file:
            before = os.fstat(file.fileno()).st_size
            if file.write(data) != len(data):
                os.ftruncate(file.fileno(), before)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            # After this call the study and MLflow are told of the event. Without this fsync a power cut may take a line
            # that they know already.
            if wait:
                os.fsync(file.fileno())
        return line

    def repair(self) -> None:
        """Cuts off a torn last line, which a power cut or a full disk leaves. The next event would continue it."""
        cut_torn_line(self.path)

    def events(self) -> list[Event]:
        """All events so far, oldest first."""
        return Tail(self.path).read()


def trial_numbers(folder: Path) -> list[int]:
    """The numbers of the trials in a folder, in order. A copy that a user has made, `0003 copy`, is no trial."""
    names = (path.name for path in folder.glob("[0-9]*"))
    return sorted(
        int(name) for name in names if re.fullmatch(r"\d{4,7}", name, re.ASCII) and name == f"{int(name):04d}"
    )


class TrialFolders:
    """Finds the folders of a search's trials as they come: `0000`, `0001`, …

    Trials are numbered without gaps. After the first look only the next number is looked for, and the numbers of
    folders that a user has removed and may bring back.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.found = trial_numbers(folder)
        self.next = self.found[-1] + 1 if self.found else 0
        self.gaps = set(range(self.next)) - set(self.found)

    def new(self) -> list[Path]:
        """The folders that came since the last call; all of them at the first call."""
        numbers, self.found = self.found, []
        back = {number for number in self.gaps if self._path(number).exists()}
        self.gaps -= back
        while self._path(self.next).exists():
            numbers.append(self.next)
            self.next += 1
        return [self._path(number) for number in (*numbers, *sorted(back))]

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:04d}"


class Tail:
    """The reading end: each `read` returns the events that came since the last one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0

    def read(self) -> list[Event]:
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                data = file.read()
        except FileNotFoundError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        try:
            events = [json.loads(line) for line in whole.splitlines()]
        except ValueError as error:  # the line is not passed, so that every later call says so, too
            raise DataError(f"{self.path}: expected a journal, got a damaged line: {error}") from None
        self.offset += len(whole)
        return events


class TrialsReader:
    """Reads the journals of a search's trials as they grow."""

    def __init__(self, trials: Path) -> None:
        self.folders = TrialFolders(trials)
        self.open: dict[str, Tail] = {}  # by trial, without those that have ended

    def read(self) -> Iterator[tuple[str, list[Event]]]:
        """(trial, events) of each trial that has new events; a trial that has ended is not looked at again.

        A journal is read when it is its turn. The journals of a large search do not fit into memory together.
        """
        for path in self.folders.new():
            self.open[path.name] = Tail(path / "journal.jsonl")
        for trial, tail in [*self.open.items()]:
            if events := tail.read():
                if events[-1]["event"] == "end":
                    del self.open[trial]
                yield trial, events


def cut_torn_line(path: Path) -> bool:
    """Cuts the file back to its last newline; True if there was something to cut."""
    if not path.exists() or _ends_whole(path):
        return False
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    os.truncate(path, whole)
    return True


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        if not file.seek(0, os.SEEK_END):
            return True
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
