"""Recorded clips: the Free Spoken Digit Dataset, which is downloaded, and a user's folder of WAV files.

The name of a file says what is said, and by whom:

    7_jackson_32.wav     the label 7, the voice jackson
    yes_4.wav            the label yes, no voice
"""

import io
import posixpath
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from experiments.data import wav
from experiments.data.spectrograms import log_mel
from tracking.errors import DataError

FSDD_COMMIT = "26eb9aaf76e81b692f806f9140c2d2777410d7a1"
FSDD_URL = f"https://github.com/Jakobovski/free-spoken-digit-dataset/archive/{FSDD_COMMIT}.tar.gz"
FSDD_FILE = "free-spoken-digit-dataset.tar.gz"
Clip = tuple[np.ndarray, str, str]  # log-mel frames (time, 26), label, voice; "" for a voice that is not known


def fsdd() -> list[Clip]:
    """The clips of the Free Spoken Digit Dataset: 3,000 of six speakers. Downloads them at the first use.

    No sum of GitHub's archive is published, so that of the first download is kept and expected later. The archive is
    read in memory. Raises DataError for what `downloads.fetch` raises, and for a file with another content.
    """
    import tarfile

    from experiments.data.downloads import fetch

    path = fetch(FSDD_URL, None, FSDD_FILE)
    found = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for entry in archive:
                folder, name = posixpath.split(entry.name)
                if posixpath.basename(folder) == "recordings" and (file := archive.extractfile(entry)):
                    found[name] = _clip(file, name)
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise DataError(_other(path, str(error))) from None
    if not found:
        raise DataError(_other(path, "no file recordings/*.wav"))
    return [found[name] for name in sorted(found)]


def _other(path: Path, got: str) -> str:
    again = "delete it, and the .sha256 beside it, to download it again"
    return f"source: expected the recordings of fsdd in {path}, got {got}; {again}"


def of_folder(folder: Path) -> list[Clip]:
    """The clips of all files LABEL_….wav in a folder, in the order of their names. Raises DataError in one line."""
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".wav")
    if not files:
        raise DataError(f"source: expected files LABEL_….wav in {folder}, got none")
    return [_clip(_opened(path), str(path)) for path in files]


def _opened(path: Path) -> IO[bytes]:
    try:
        return io.BytesIO(path.read_bytes())
    except OSError as error:
        raise DataError(f"source: expected the file {path}, got {error.strerror}") from None


def _clip(file: IO[bytes], name: str) -> Clip:
    label, *rest = posixpath.basename(name).rpartition(".")[0].split("_")
    if not label or not rest:
        raise DataError(f"source: expected files with names LABEL_….wav, got {name}")
    return log_mel(*wav.read(file, name)), label, rest[0] if len(rest) > 1 else ""
