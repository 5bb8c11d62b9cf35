"""JapaneseVowels: nine men say two vowels, and the answer is who (Kudo et al. 1999). A file of the package aeon.

The packages aeon and sktime carry the same two files. They are read as files, and neither package is imported. A line
is an utterance: 12 channels parted by ":", each with its 7 to 29 steps, and then the speaker:

    1.8,1.9,1.9:-0.2,-0.2,-0.3:…:9       (3, 12), label 9
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from tracking.errors import DataError

PACKAGES = ("aeon", "sktime")
FILE = "datasets/data/JapaneseVowels/JapaneseVowels_{}.ts"
INSTALL = "pip install --no-deps aeon"  # its dependencies are not needed, and do not all fit ours
HELD_OUT = 6  # of the 30 training utterances of each speaker, the last ones are for validation

Clip = tuple[np.ndarray, str, str]  # cepstra (time, 12), label, split


def clips() -> list[Clip]:
    """216 utterances to train, 54 to validate, and the 370 of the published test split.

    Raises DataError if no package has them, and for a file of another form.
    """
    train, test = (_read(_find(part), part) for part in ("TRAIN", "TEST"))
    found, seen = [], dict.fromkeys((label for _, label in train), 0)
    sizes = {label: sum(other == label for _, other in train) for label in seen}
    for frames, label in train:
        seen[label] += 1
        found.append((frames, label, "val" if seen[label] > sizes[label] - HELD_OUT else "train"))
    return found + [(frames, label, "test") for frames, label in test]


def _find(part: str) -> Path:
    for package in PACKAGES:
        spec = find_spec(package)
        for folder in (spec and spec.submodule_search_locations) or ():
            if (path := Path(folder) / FILE.format(part)).is_file():
                return path
    raise DataError(f"source: expected a package with the data of japanese-vowels, got none: {INSTALL}")


def _read(path: Path, part: str) -> list[tuple[np.ndarray, str]]:
    try:
        lines = path.read_text("utf-8").partition("@data\n")[2].splitlines()
        rows = [line.rsplit(":", 1) for line in lines]
        return [
            (np.array([channel.split(",") for channel in values.split(":")], np.float32).T, label)
            for values, label in rows
        ]
    except (OSError, ValueError) as error:
        raise DataError(f"source: expected the utterances of JapaneseVowels in {path}, got {error}") from None
