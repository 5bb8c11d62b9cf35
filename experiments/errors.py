"""The errors of this project, for scripts that catch them; see `tracking.errors`."""

from tracking.errors import (
    BadInput,
    DataError,
    Denied,
    RecurrentError,
    SearchStateError,
    StoreError,
    Unreachable,
)

__all__ = ["BadInput", "DataError", "Denied", "RecurrentError", "SearchStateError", "StoreError", "Unreachable"]
