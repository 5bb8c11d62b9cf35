"""In which store a search is recorded, as the journal in its folder says it. No password stands there."""

from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from experiments.config.folders import SearchFolder
from experiments.config.spec import Spec
from tracking.errors import BadInput, RecurrentError
from tracking.store import SQLITE, database


def note(uri: str, folder: SearchFolder, own_id: str) -> dict[str, str]:
    """What the journal of a search says of its store. With another id the search has not been recorded yet."""
    return {"store": named(uri, folder), "search": own_id}


def named(uri: str, folder: SearchFolder) -> str:
    """A resolved URI as the journal has it. A file in the folder of the project is named from there."""
    file, here = database(uri), folder.path.absolute().parents[1]
    if file is None:
        parts = urlsplit(uri)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    return f"{SQLITE}{file.relative_to(here) if file.is_relative_to(here) else file}"


def check_store(folder: SearchFolder, uri: str, way_out: str) -> None:
    """Raises BadInput if a search that is not in a store was recorded in another one.

    Args:
        way_out: if the other store is gone.
    """
    if store := _other(folder, uri):
        raise BadInput(f"--tracking-uri: expected {store}, which has this search, got {uri}; {way_out}")


def _other(folder: SearchFolder, uri: str) -> str:
    """The store in which a search was recorded last; "" if it is this one, or a file that is gone, or not known."""
    start = _last_start(folder)
    if start is None or start["store"] == named(uri, folder) or not _is_same(folder, start["search"]):
        return ""
    store = str(start["store"])
    if (file := database(store)) is None:
        return store
    whole = folder.path.absolute().parents[1] / file
    return f"{SQLITE}{whole}" if whole.exists() else ""


def _last_start(folder: SearchFolder) -> dict[str, Any] | None:
    with suppress(OSError, RecurrentError):  # a damaged search can be deleted, too
        return next((event for event in reversed(folder.journal.events()) if event.get("store")), None)
    return None


def _is_same(folder: SearchFolder, own_id: str) -> bool:
    """False if the search has become a new one since."""
    with suppress(OSError, RecurrentError):
        return Spec.read(folder).id == own_id
    return True
