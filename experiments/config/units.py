"""Durations and sizes as typed on the command line.

45m, 1h30m, 90s, 90     a duration; seconds where no unit stands
4G, 512M                a size in GiB, MiB
none                    no limit
"""

import math
import re

SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
BYTES = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
NONE = "none"


def parse_duration(argument: str, text: str) -> float | None:
    """Seconds above 0; None for "none". Raises ValueError."""
    if text == NONE:
        return None
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd]?)", text.lower())
    seconds = sum(float(number) * SECONDS[unit] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != text.lower() or not 0 < seconds < math.inf:
        raise ValueError(f"{argument}: expected a duration like 90s, 45m or 1h30m, or none; got {text!r}")
    return seconds


def parse_size(argument: str, text: str) -> int | None:
    """Bytes above 0; None for "none". Raises ValueError."""
    if text == NONE:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT])(?:I?B)?", text.upper())
    count = int(float(found[1]) * BYTES[found[2]]) if found else 0
    if count < 1:
        raise ValueError(f"{argument}: expected a size like 4G or 512M, or none; got {text!r}")
    return count


def parse_number(argument: str, text: str) -> float | None:
    """A finite number; None for "none". Raises ValueError."""
    if text == NONE:
        return None
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise ValueError(f"{argument}: expected a number, or none; got {text!r}")
    return found
