"""Which processes have a file open."""

import os
from contextlib import suppress
from pathlib import Path

import psutil


def holders(file: str | Path) -> list[int]:
    """The processes that have a file open, as far as the system tells."""
    path, found = os.path.realpath(file), []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if path in [opened.path for opened in process.open_files()]:
                found.append(process.pid)
    return found
