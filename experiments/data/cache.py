"""What takes long to compute and never changes, kept in files from one process to the next."""

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from experiments.system.files import write_json

FORMAT = 1  # raise it when a change in the code changes the numbers


def folder(name: str) -> Path | None:
    """A folder of `$RECURRENT_SEARCH_CACHE` or ~/.cache/recurrent-search; None for a user without a home."""
    try:
        return Path(os.environ.get("RECURRENT_SEARCH_CACHE") or "~/.cache/recurrent-search").expanduser() / name
    except RuntimeError:
        return None


def kept(name: str, key: str, compute: Callable[[], Any], valid: Callable[[Any], bool] = bool) -> Any:
    """`compute()`, a JSON value that depends on `key` alone; from the file of an earlier call if there is a valid one.

    A damaged file is computed anew, and where nothing can be written nothing is kept.
    """
    place = folder(name)
    if place is None:
        return compute()
    path = place / f"{hashlib.sha256(f'{FORMAT} {key}'.encode()).hexdigest()}.json"
    with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        found = json.loads(path.read_text("utf-8"))
        if found["key"] == key and valid(found["value"]):
            return found["value"]
    value = compute()
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"key": key, "value": value}, durable=False)
    return value
