"""Deletes a search: its models and runs in MLflow, and its folder. What a kill leaves, the next call deletes."""

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.config.folders import SEARCHES, SearchFolder
from experiments.config.spec import Spec
from experiments.launcher.copies import check_copy, shared
from tracking.errors import BadInput, SearchStateError
from tracking.store import connect, database, working
from tracking.text import format_amount

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


@dataclass
class Deletion:
    """What there is of a search.

    Args:
        client: of the store; None if there is no store yet.
        parent: the search's run, if the store has it.
        id: in the spec of the search; "" if only the trash knows the search.
        trash: its deleted runs, if they are to go for ever.
    """

    folder: SearchFolder
    uri: str
    client: "MlflowClient | None"
    parent: "Run | None"
    id: str
    trash: "list[Run]"

    def text(self) -> str:
        """What will be deleted, in one line."""
        from tracking.searches import trial_runs

        parts = []
        if self.client and self.parent:
            with working(self.uri):
                count = 1 + sum(map(len, trial_runs(self.client, self.parent).values()))
            parts.append(f"{count} run(s) with their models in {self.uri}")
        if self.trash:
            parts.append(f"{len(self.trash)} run(s) in the trash of {self.uri}")
        if self.folder.path.exists():
            parts.append(f"{format_amount(self.folder.size())}B in {self.folder.path}")
        return " and ".join(parts) or f"what is left in {_hidden(self.folder)}"

    def run(self, purge: bool) -> None:
        """Deletes all of it. With `purge` also what MLflow's trash has of it."""
        from tracking.deleting import delete_search, empty_trash, trash

        if self.client:
            with working(self.uri):
                if self.parent:
                    delete_search(self.client, self.parent)
                if purge and (file := database(self.uri)):
                    empty_trash(self.client, file, trash(self.client, self.folder.path.name, self.id))
        _remove(self.folder)


def find(folder: SearchFolder, uri: str, purge: bool) -> Deletion:
    """What there is of a search. The caller holds the lock of the folder.

    Raises SearchStateError if there is nothing, or if folder and store hold different searches of this name. Raises
    BadInput if the trash of this store cannot be emptied from here.
    """
    if purge and database(uri) is None:
        raise BadInput(f"--purge: expected a store in a file, got {uri}; `mlflow gc` empties the trash of a server")
    found = Deletion(folder, uri, None, None, _id(folder), [])
    if (file := database(uri)) is None or file.exists():
        found.client = connect(uri)
        with working(uri):
            _look(found, found.client, purge)
    if not (found.parent or found.trash or folder.path.exists() or _hidden(folder).exists()):
        from tracking.searches import existing_search

        existing_search(folder.path.name, uri)  # raises, with the names of the searches that are there
    return found


def _look(found: Deletion, client: "MlflowClient", purge: bool) -> None:
    """Fills in what the store has."""
    from tracking.deleting import trash
    from tracking.searches import find_search, spec_id

    name = found.folder.path.name
    found.parent = find_search(client, name)
    if found.parent:
        if found.id not in ("", spec_id(found.parent)):
            raise SearchStateError(
                f"NAME: expected one search {name!r}, got one in {found.folder.path} and another one in {found.uri};"
                f" --tracking-uri names the store of the first one"
            )
        found.id = spec_id(found.parent)
        if found.folder.spec.exists() and shared(found.folder, found.uri):
            check_copy(client, found.parent, found.folder)
    if purge:
        found.trash = trash(client, name, found.id)


def _id(folder: SearchFolder) -> str:
    """The id in the spec of the folder; "" if there is none that can be read."""
    try:
        return Spec.read(folder).id
    except (OSError, BadInput):  # a damaged search can be deleted, too
        return ""


def _hidden(folder: SearchFolder) -> Path:
    """The folder under the name that it has while it is removed."""
    return folder.path.with_name(f".deleted-{folder.path.name}")


def _remove(folder: SearchFolder) -> None:
    """Removes the folder. A kill leaves all of it, or a hidden folder that no search uses."""
    hidden = _hidden(folder)
    if hidden.exists():
        shutil.rmtree(hidden)
    if folder.path.is_symlink():
        folder.path.unlink()  # what lies elsewhere is not ours to remove
    elif folder.path.exists():
        folder.path.rename(hidden)
        shutil.rmtree(hidden)
    with suppress(OSError):
        SEARCHES.rmdir()  # unless other searches lie there
