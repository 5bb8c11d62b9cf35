"""The digest of a search's data: results are compared only where it is the same."""

import hashlib

import numpy as np

from experiments.tasks.base import Arrays
from tracking.errors import DataError


def check_digest(arrays: list[Arrays], expected: str) -> None:
    """Raises DataError if train and validation data are not those of a search, whose digest is `expected`."""
    found = digest_of(arrays)
    if found != expected:
        raise DataError(
            f"data: expected those of the search, digest {expected[:12]}, got {found[:12]};"
            " another corpus, or another Python's language reference?"
        )


def digest_of(arrays: list[Arrays]) -> str:
    """sha256 over shapes, dtypes and values: what a search was really trained and scored on."""
    found = hashlib.sha256()
    for array in (part for pair in arrays for part in pair):
        found.update(f"{array.shape}{array.dtype}".encode())
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()
