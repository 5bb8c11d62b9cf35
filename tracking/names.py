"""The names of the searches in a store, asked before a new search gets one."""

import sqlite3
from contextlib import closing, suppress

from tracking.errors import RecurrentError
from tracking.store import connect, database, working
from tracking.tags import PREFIXES

ACTIVE = "SELECT DISTINCT value FROM tags JOIN runs USING (run_uuid) WHERE key IN (?, ?) AND lifecycle_stage = 'active'"


def names(uri: str) -> set[str]:
    """The names in the store of a resolved URI; none if there is no store yet, or if it does not answer."""
    file = database(uri)
    if file is None:
        return _on_server(uri)
    if file.is_file():
        # MLflow takes seconds to be imported, and the workers need not wait for it.
        with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            return {name for (name,) in connection.execute(ACTIVE, [f"{prefix}search_id" for prefix in PREFIXES])}
    return set()


def _on_server(uri: str) -> set[str]:
    from tracking.searches import all_searches, search_name

    try:
        client = connect(uri)
        with working(uri):
            return {search_name(search) for search in all_searches(client)}
    except RecurrentError:
        return set()
