"""Keeps values that take long to compute and never change in files, for later processes."""

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from experiments.system.cache_folder import cache_folder
from experiments.system.files import write_bytes, write_json

FORMAT = 1  # raise it when a change in the code changes the values


def cached(name: str, key: str, compute: Callable[[], Any], valid: Callable[[Any], bool] = bool) -> Any:
    """`compute()`, a JSON value that depends only on `key`. A later call reads it from a file in the folder `name`.

    A damaged file is replaced. Nothing is kept where nothing can be written.
    """
    path = _file(name, key, "json")
    if path is None:
        return compute()
    # A missing file and every kind of damage raise one of these. The value can always be computed, so none is an error.
    with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        entry = json.loads(path.read_text("utf-8"))
        if entry["key"] == key and valid(entry["value"]):
            return entry["value"]
    value = compute()
    # A full disk or a read-only folder costs only the time of later processes, so it is no error. The write does not
    # wait for the disk either, since a lost value is computed again.
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"key": key, "value": value}, durable=False)
    return value


def cached_arrays(name: str, key: str, compute: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The same for arrays by their names, none of them of Python objects."""
    path = _file(name, key, "npz")
    if path is None:
        return compute()
    damage = (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error)
    with suppress(*damage), np.load(path, allow_pickle=False) as file:
        return dict(file)
    arrays, content = compute(), io.BytesIO()
    np.savez(content, **arrays)  # type: ignore[arg-type]
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, content.getvalue(), durable=False)
    return arrays


def _file(name: str, key: str, ending: str) -> Path | None:
    """The file of a value; None where no folder is known."""
    parent = cache_folder(name)
    return None if parent is None else parent / f"{hashlib.sha256(f'{FORMAT} {key}'.encode()).hexdigest()}.{ending}"
