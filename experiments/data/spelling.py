"""Made-up words, and a spelling whose rules say exactly how each is spoken. It needs no data.

>>> pronounce("nice"), pronounce("cassina"), pronounce("goose")
(['N', 'AY', 'S'], ['K', 'AE', 'S', 'IH', 'N', 'AE'], ['G', 'UW', 'Z'])

Sounds have their names in ARPAbet. At each place of a word the first rule of RULES that fits is used.
"""

import functools
import re

import numpy as np

COUNT = 14_000  # words that are drawn; some come twice
ONSETS = tuple("b c d f g h j k l m n p r s t v w z ch sh th ph wr kn qu bl cr st tr".split())  # noqa: SIM905
VOWELS = tuple("a e i o u a e i o u ee oo ai oa ea".split())  # noqa: SIM905
CODAS = ("", "", "", *"b ck d g l ll m n ng p r s ss t tt x".split())  # noqa: SIM905
SHORT = {"a": "AE", "e": "EH", "i": "IH", "o": "AA", "u": "AH", "y": "IH"}
LONG = {"a": "EY", "e": "IY", "i": "AY", "o": "OW", "u": "UW"}
SOUNDS = tuple("B D F HH JH K L M N P R T V W Z".split())  # noqa: SIM905
SINGLE = dict(zip("bdfhjklmnprtvwz", SOUNDS, strict=True))

RULES: list[tuple[str, str]] = [  # (a pattern behind the letters that are read, their sounds)
    (r"(?<=[^aeiou])e$", ""),  # silent
    (r"ee|ea", "IY"),
    (r"oo", "UW"),
    (r"ai", "EY"),
    (r"oa", "OW"),
    *[(rf"{vowel}(?=[^aeiouxy]e$)", sound) for vowel, sound in LONG.items()],
    *SHORT.items(),
    (r"^kn", "N"),
    (r"^wr", "R"),
    (r"qu", "K W"),
    (r"ch", "CH"),
    (r"sh", "SH"),
    (r"th", "TH"),
    (r"ph", "F"),
    (r"ng", "NG"),
    (r"ck", "K"),
    (r"c(?=[ei])", "S"),
    (r"c", "K"),
    (r"g(?=[ei])", "JH"),
    (r"gg?", "G"),
    (r"x", "K S"),
    (r"ss", "S"),
    (r"(?<=[aeiou])s(?=[aeiou])", "Z"),
    (r"s", "S"),
    *[(rf"{letter}{letter}?", sound) for letter, sound in SINGLE.items()],
]


@functools.cache
def _patterns() -> list[tuple[re.Pattern[str], list[str]]]:
    return [(re.compile(pattern), sounds.split()) for pattern, sounds in RULES]


def pronounce(word: str) -> list[str]:
    """The sounds of a word of letters from a to z."""
    found: list[str] = []
    place = 0
    while place < len(word):
        end, sounds = next((match.end(), sounds) for rule, sounds in _patterns() if (match := rule.match(word, place)))
        found += sounds
        place = end
    return found


def words() -> dict[str, list[list[str]]]:
    """Each word with its sounds. They are the same at every call."""
    rng = np.random.default_rng(0)
    return {word: [pronounce(word)] for word in (_word(rng) for _ in range(COUNT))}


def _word(rng: np.random.Generator) -> str:
    """One to three syllables; a last vowel with one consonant behind it often has a silent e."""
    kinds = [kind for _ in range(int(rng.integers(1, 4))) for kind in (ONSETS, VOWELS, CODAS)]
    word = "".join(kind[int(rng.integers(len(kind)))] for kind in kinds)
    return f"{word}e" if rng.random() < 0.4 and re.search(r"[aeiou][^aeiouxy]$", word) else word
