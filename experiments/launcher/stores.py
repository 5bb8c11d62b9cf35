"""In which store a search is recorded, as the journal in its folder says it. No password stands there."""

import shlex
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from experiments.config.folders import SearchFolder
from tracking.errors import BadInput, RecurrentError
from tracking.store import SQLITE, database, words


def noted(uri: str, folder: SearchFolder) -> str:
    """A resolved URI as the journal has it. A file in the folder of the project is named from there."""
    file, here = database(uri), folder.path.absolute().parents[1]
    if file is None:
        parts = urlsplit(uri)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    return f"{SQLITE}{file.relative_to(here) if file.is_relative_to(here) else file}"


def check_store(folder: SearchFolder, uri: str, command: list[str], way_out: str) -> None:
    """Raises BadInput if a search that is not in a store was recorded in another one.

    Args:
        command: that was typed, and is to be typed with the other store.
        way_out: if the other store is gone.
    """
    store = _other(folder, uri)
    if store:
        again = shlex.join(["recurrent", *command, *words(store)])
        raise BadInput(f"--tracking-uri: expected {store}, which has this search, got {uri}: `{again}`; {way_out}")


def _other(folder: SearchFolder, uri: str) -> str:
    """The store in which a search was recorded last; "" if it is this one, or a file that is gone, or not known."""
    with suppress(OSError, RecurrentError):  # a damaged search can be deleted, too
        starts = [event for event in folder.journal.events() if event.get("store")]
        if starts and (store := starts[-1]["store"]) != noted(uri, folder):
            if (file := database(store)) is None:
                return str(store)
            whole: Path = folder.path.absolute().parents[1] / file
            return f"{SQLITE}{whole}" if whole.exists() else ""
    return ""
