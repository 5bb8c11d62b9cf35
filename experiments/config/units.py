"""Parses names, whole numbers, durations and sizes as typed on the command line.

45m, 1h30m, 90s, 90     a duration; a number without a unit is in seconds
4G, 512M                a size in GiB, MiB
none                    no limit
"""

import math
import re

from tracking.errors import BadInput

UNIT_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
UNIT_BYTES = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
NONE = "none"
MOST = 2**31  # whole numbers must be below it; NumPy's shapes have a higher limit
MOST_SEED = 2**63
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def parse_name(text: str) -> str:
    """The name of a search. Raises BadInput."""
    if not NAME.fullmatch(text):
        expected = "1 to 100 letters, digits, '.', '_' and '-', the first one a letter or a digit"
        got = repr(text) if len(text) <= 100 else f"{len(text)} characters"
        raise BadInput(f"expected {expected}, got {got}")
    return text


def parse_whole(text: str, least: int, below: int = MOST) -> int:
    """A whole number, at least `least` and below `below`. Raises BadInput."""
    if not re.fullmatch(r"-?\d{1,20}", text, re.ASCII) or not least <= int(text) < below:
        bound = "2^63" if below == MOST_SEED else f"{below:,}"
        raise BadInput(f"expected a whole number from {least} below {bound}, got {text[:60]!r}")
    return int(text)


def parse_duration(argument: str, text: str) -> float | None:
    """Seconds above 0; None for "none". Raises BadInput."""
    if text == NONE:
        return None
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd]?)", text.lower())
    seconds = sum(float(amount) * UNIT_SECONDS[unit] for amount, unit in parts)
    if "".join(amount + unit for amount, unit in parts) != text.lower() or not 0 < seconds < math.inf:
        raise BadInput(f"{argument}: expected a duration like 90s, 45m or 1h30m, or none; got {text[:60]!r}")
    return seconds


def parse_size(argument: str, text: str) -> int | None:
    """Bytes above 0; None for "none". Raises BadInput."""
    if text == NONE:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT])(?:I?B)?", text.upper())
    count = float(found[1]) * UNIT_BYTES[found[2]] if found else 0.0
    if not 1 <= count < math.inf:
        raise BadInput(f"{argument}: expected a size like 4G or 512M, or none; got {text[:60]!r}")
    return int(count)


def parse_number(argument: str, text: str) -> float | None:
    """A finite number; None for "none". Raises BadInput."""
    if text == NONE:
        return None
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise BadInput(f"{argument}: expected a number, or none; got {text!r}")
    return found
