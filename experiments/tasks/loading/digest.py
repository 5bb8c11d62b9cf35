"""The digest of a search's data: results are compared only where it is the same."""

import hashlib
import itertools
from collections.abc import Iterable

import numpy as np

from experiments.tasks.base import Arrays
from tracking.errors import DataError


def check_digest(arrays: list[Arrays], expected: str) -> None:
    """Raises DataError if the digest of the train and validation data is not that of the search, `expected`."""
    digest = digest_of(arrays)
    if digest != expected:
        raise DataError(
            f"data: expected those of the search, digest {expected[:12]}, got {digest[:12]};"
            " has the file changed, or is it another corpus, or another Python's language reference?"
        )


def digest_of(arrays: Iterable[Arrays]) -> str:
    """sha256 over the shapes, dtypes and values of the arrays that a search was trained and scored on."""
    digest = hashlib.sha256()
    for array in itertools.chain.from_iterable(arrays):
        digest.update(f"{array.shape}{array.dtype}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
