"""The folder for files that take long to make and can be made again."""

import os
from pathlib import Path


def cache_folder(name: str) -> Path | None:
    """The folder `name` in `$RECURRENT_SEARCH_CACHE` or ~/.cache/recurrent-search; None for a user without a home."""
    try:
        return Path(os.environ.get("RECURRENT_SEARCH_CACHE") or "~/.cache/recurrent-search").expanduser() / name
    except RuntimeError:
        return None
