"""Dates from 1900 to 2099 in words, in the languages that Babel knows. A date is its number in the calendar.

>>> say(729_877, "de"), say(729_877, "en")
('montag, 3. mai 1999', 'monday, may 3, 1999')
"""

import datetime
import functools
from unicodedata import normalize

import numpy as np

from tracking.errors import BadInput, DataError

NAME = "Babel"
FIRST, LAST = (datetime.date(*day).toordinal() for day in ((1900, 1, 1), (2099, 12, 31)))
CYCLE = 28 * 366  # days in which every day of the year falls on every day of the week, but for 29 February


def draw(rng: np.random.Generator, digits: int) -> int:
    """A day; `digits` is of numbers."""
    return int(rng.integers(FIRST, LAST + 1))


@functools.lru_cache(maxsize=200_000)
def say(day: int, language: str) -> str:
    """The date in words, in lower case. Raises BadInput for a language that is not known."""
    try:
        from babel import UnknownLocaleError
        from babel.dates import format_date
    except ModuleNotFoundError:
        raise DataError("source: dates need Babel; pip install 'recurrent-search[dates]'") from None
    try:
        return normalize("NFC", format_date(datetime.date.fromordinal(day), "full", language).lower())
    except (UnknownLocaleError, ValueError):
        raise BadInput(f"languages: expected two that {NAME} knows, like de-en, got {language!r}") from None


def examples() -> list[int]:
    """These have all symbols: all days of 28 years, and a day of every year."""
    return [*range(FIRST, FIRST + CYCLE), *range(FIRST, LAST, 365)]


def parts(digits: int) -> list[list[int]]:
    """The longest date is as long as the longest one of this list."""
    return [[*range(FIRST, FIRST + CYCLE)]]


def floors(digits: int) -> dict[str, float]:
    """Without memory a guess among all days. With the half, day, month and day of the week, the year is guessed."""
    days = [datetime.date.fromordinal(day) for day in range(FIRST, LAST + 1)]
    known = {(day.month, day.day, day.weekday()) for day in days}
    return {"no_memory": 1 / len(days), "half_memory": len(known) / len(days)}
