"""Numbers in words, in the languages that num2words knows.

>>> say(23, "de"), say(23, "en")
('dreiundzwanzig', 'twenty-three')
"""

import functools
from statistics import fmean

import numpy as np

from tracking.errors import BadInput

NAME = "num2words"  # who knows the languages


def draw(rng: np.random.Generator, digits: int) -> int:
    """A number of 1 to `digits` digits. The number of digits is drawn uniformly, then the number."""
    size = int(rng.integers(1, digits + 1))
    return int(rng.integers(10 ** (size - 1) if size > 1 else 0, 10**size))


@functools.lru_cache(maxsize=200_000)
def say(number: int, language: str) -> str:
    """The number in words, in lower case. Raises BadInput for a language that is not known."""
    from num2words import num2words

    try:
        return str(num2words(number, lang=language)).lower()
    except (
        Exception
    ):  # NotImplementedError for a language that is not known, and any other for one that is not finished
        raise BadInput(f"languages: expected two that {NAME} knows, like de-en, got {language!r}") from None


def examples() -> list[int]:
    """These have all symbols of the numbers below a million, with what stands between thousands and hundreds.

    In some languages a number is one word, and then its letters are the symbols.
    """
    return [*range(1_000), *range(1_000, 1_000_000, 1_000), 1_001, 1_234, 21_300]


def parts(digits: int) -> list[list[int]]:
    """No number has more symbols than the longest ones of these lists together, but for what stands between them."""
    return [[*range(1_000)], [*range(1_000, 1_000_000, 1_000)] if digits > 3 else [0]]


def floors(digits: int) -> dict[str, float]:
    sizes = range(1, digits + 1)
    return {
        "no_memory": fmean(1 / (10**size - 10 ** (size - 1) if size > 1 else 10) for size in sizes),
        "half_memory": fmean(10.0 ** -(size - size // 2) for size in sizes),
    }
