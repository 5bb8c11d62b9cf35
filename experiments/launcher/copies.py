"""A copied `searches/` whose store is shared: only one copy may go on with a search, and the other becomes a new one.

A copy of a whole project with its store is a project of its own. But if the store lies elsewhere, two copies of a
search's folder would write to the same runs. The second one is refused.
"""

import json
import os
import shlex
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.config.folders import SEARCHES, SearchFolder
from experiments.config.spec import Spec
from experiments.launcher.claim import held
from experiments.system.files import write_json
from tracking.errors import BadInput, SearchStateError

if TYPE_CHECKING:
    from mlflow import MlflowClient


def shared(folder: SearchFolder, uri: str) -> bool:
    """True if the store of a search lies outside of the folder of its `searches/`: it is a server, or a file elsewhere.

    A link that leads out of the folder stays the same in a copy.
    """
    from tracking.store import database

    file, here = database(uri), folder.path.absolute().parents[1]
    return file is None or not file.resolve().is_relative_to(here.resolve())


def check_copy(client: "MlflowClient", stored: str, own_id: str, folder: SearchFolder) -> None:
    """Raises SearchStateError if another copy of this search's folder has gone on with it, or still may do so.

    Args:
        stored: the name of the search in the store.
        own_id: the id of the search.
    """
    from tracking.children import sessions
    from tracking.store import uri_arguments

    starts = [event for event in folder.journal.events() if event["event"] == "start"]
    known = {event["session"] for event in starts}
    place = starts[-1].get("place", "") if starts else ""
    other = place if place and _holds(SearchFolder(Path(place)), folder) else ""
    if other or sessions(client, stored, own_id) - known:
        name, got = folder.path.name, f"a copy of {other}" if other else "a copy: another one has gone on with it"
        call = shlex.join(["recurrent", "rename", name, "--new-id", *uri_arguments(client.tracking_uri)])
        raise SearchStateError(
            f"NAME: expected the only copy of the search {name!r}, got {got}; `{call}` makes it a search of its own"
        )


def _holds(there: SearchFolder, here: SearchFolder) -> bool:
    """True if the folder `there` is another one, and holds the same search."""
    try:
        return not os.path.samefile(there.path, here.path) and Spec.read(there).id == Spec.read(here).id
    except (OSError, BadInput):  # it was moved
        return False


def new_id(folder: SearchFolder, uri: str, name: str | None = None) -> str:
    """Makes a search a new one for its store, whose trials are all sent again by --resume. Returns its name.

    A kill half-way is mended by the same call. Raises SearchStateError if the search is running, or the name is taken.

    Args:
        name: that it gets; None for the one that it has, or if the store has that, the first free one of NAME-2, …
    """
    with held(folder):
        new = _free(folder, uri) if name is None else _checked(name, folder, uri)
        content = json.loads(folder.spec.read_text("utf-8"))
        write_json(folder.spec, {**content, "id": uuid.uuid4().hex, "name": new})
        folder.path.rename(folder.path.with_name(new))
    return new


def _free(folder: SearchFolder, uri: str) -> str:
    old = found = folder.path.name
    number, taken = 1, _taken(folder, uri)
    while found in taken:
        number += 1
        found = f"{old[:90]}-{number}"  # a name has at most 100 characters
    return found


def _checked(name: str, folder: SearchFolder, uri: str) -> str:
    if name in _taken(folder, uri):
        raise SearchStateError(f"NEW: expected a new name, got {name!r}, which {SEARCHES}/ or {uri} holds already")
    return name


def _taken(folder: SearchFolder, uri: str) -> set[str]:
    """The names of the searches in the store, and of the others in the folder."""
    from tracking.names import names

    return names(uri) | {path.name for path in SEARCHES.iterdir() if path.name != folder.path.name}
