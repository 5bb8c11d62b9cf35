"""Keeps values that take long to compute and never change in files, for later processes."""

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from experiments.system.files import write_json

FORMAT = 1  # raise it when a change in the code changes the values


def folder(name: str) -> Path | None:
    """The folder `name` in `$RECURRENT_SEARCH_CACHE` or ~/.cache/recurrent-search; None for a user without a home."""
    try:
        return Path(os.environ.get("RECURRENT_SEARCH_CACHE") or "~/.cache/recurrent-search").expanduser() / name
    except RuntimeError:
        return None


def cached(name: str, key: str, compute: Callable[[], Any], valid: Callable[[Any], bool] = bool) -> Any:
    """`compute()`, a JSON value that depends only on `key`. A later call reads it from a file in the folder `name`.

    A damaged file is replaced. Nothing is kept where nothing can be written.
    """
    parent = folder(name)
    if parent is None:
        return compute()
    path = parent / f"{hashlib.sha256(f'{FORMAT} {key}'.encode()).hexdigest()}.json"
    # A missing file and every kind of damage raise one of these. The value can always be computed, so none is an error.
    with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        entry = json.loads(path.read_text("utf-8"))
        if entry["key"] == key and valid(entry["value"]):
            return entry["value"]
    value = compute()
    # A full disk or a read-only folder costs only the time of later processes, so it is no error. The write does not
    # wait for the disk either, since a lost value is computed again.
    with suppress(OSError):
        parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"key": key, "value": value}, durable=False)
    return value
