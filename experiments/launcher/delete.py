"""Deletes a search: its models and runs in MLflow, and its folder. What a kill leaves, the next call deletes."""

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.config.folders import SEARCHES, SearchFolder
from experiments.config.spec import Spec
from experiments.launcher.copies import check_copy, shared
from experiments.launcher.stores import check_store
from tracking.errors import BadInput, SearchStateError
from tracking.store import connect, database, working
from tracking.text import format_amount

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


@dataclass(frozen=True)
class InStore:
    """What a store has of a search.

    Args:
        parent: the search's run, if it is there.
        id: of the search; None if only the trash knows it.
        trash: its deleted runs.
        stays: why a run of this name is left alone; "" if none is.
    """

    client: "MlflowClient"
    parent: "Run | None"
    id: str | None
    trash: "list[Run]"
    stays: str = ""


@dataclass(frozen=True)
class Deletion:
    """What there is of a search.

    Args:
        store: None if there is no store yet.
        purge: what the trash has is to go for ever.
    """

    folder: SearchFolder
    uri: str
    store: InStore | None
    purge: bool

    def text(self) -> str:
        """What will be deleted, in one line."""
        from tracking.children import trial_runs

        parts = []
        if self.store and self.store.parent:
            with working(self.uri):
                count = 1 + sum(map(len, trial_runs(self.store.client, self.store.parent).values()))
            parts.append(f"{count} run(s) with their models in {self.uri}")
        if self.store and self.store.trash and self.purge:
            parts.append(f"{len(self.store.trash)} run(s) in the trash of {self.uri}")
        if self.folder.path.exists():
            parts.append(f"{format_amount(self.folder.size())}B in {self.folder.path}")
        return " and ".join(parts) or f"what is left in {_hidden(self.folder)}"

    def run(self) -> None:
        """Deletes all of it."""
        from tracking.deleting import delete_search, empty_trash, trash

        if self.store:
            with working(self.uri):
                if self.store.parent:
                    delete_search(self.store.client, self.store.parent)
                if self.purge and not self.store.stays and (file := database(self.uri)):
                    gone = trash(self.store.client, self.folder.path.name, self.store.id)
                    empty_trash(self.store.client, file, gone)
        _remove(self.folder)

    def left(self, command: str) -> str:
        """What is left of the search in the store, in words; "" if nothing is.

        Args:
            command: that empties the trash.
        """
        if self.store and self.store.stays:
            return self.store.stays
        in_trash = self.store and (self.store.parent or self.store.trash) and not self.purge
        return f"MLflow's trash keeps the runs until `{command}`" if in_trash else ""


def find(folder: SearchFolder, uri: str, purge: bool, force: bool) -> Deletion:
    """What there is of a search. The caller holds the lock of the folder.

    Args:
        force: whatever the store says of a launcher elsewhere, of registered models, and the folder of another store.

    Raises SearchStateError if there is nothing, if the search runs elsewhere, if it has registered models, or if folder
    and store hold different searches of this name. Raises BadInput if the search is recorded in another store, or if
    the trash of this store cannot be emptied from here.
    """
    file, name = database(uri), folder.path.name
    if purge and file is None:
        raise BadInput(f"--purge: expected a store in a file, got {uri}; `mlflow gc` empties the trash of a server")
    store = _look(connect(uri), folder, uri, force) if file is None or file.exists() else None
    found = store and (store.parent or store.trash)
    if not found and not force:
        check_store(folder, uri, "--force deletes the folder alone")
    in_store = store and (store.parent or (store.trash and purge))
    if not (in_store or folder.path.exists() or _hidden(folder).exists()):
        from tracking.searches import existing_search

        existing_search(name, uri)  # raises, with the names of the searches that are there
    return Deletion(folder, uri, store, purge)


def _look(client: "MlflowClient", folder: SearchFolder, uri: str, force: bool) -> InStore:
    """What the store has. Raises as `find` does."""
    from tracking.deleting import trash
    from tracking.searches import find_search, spec_id

    name, spec = folder.path.name, _spec(folder)
    with working(uri):
        parent = find_search(client, name)
        if not folder.path.exists():
            if parent and not force:
                _check_ended(parent, uri)
            search = spec_id(parent) if parent else None
        elif spec is None or (parent is None and not spec.id):
            why = f"the runs of {name!r} in {uri} stay: {folder.path} did not tell whether they are of this search"
            return InStore(client, None, None, [], why if parent else "")
        else:
            search = spec.id
            if parent:
                _check_same(client, parent, folder, spec, uri)
        if parent and not force:
            _check_unregistered(client, parent)
        return InStore(client, parent, search, trash(client, name, search))


def _check_same(client: "MlflowClient", parent: "Run", folder: SearchFolder, spec: Spec, uri: str) -> None:
    """Raises SearchStateError if the folder holds another search than the store, or a copy of it."""
    from tracking.searches import is_of

    name = folder.path.name
    if not is_of(parent, spec.to_json()):
        raise SearchStateError(
            f"NAME: expected one search {name!r}, got one in {folder.path} and another one in {uri};"
            f" --tracking-uri names the store of the first one"
        )
    if shared(folder, uri):
        check_copy(client, name, spec.id, folder)


def _check_unregistered(client: "MlflowClient", parent: "Run") -> None:
    """Raises SearchStateError if a version in MLflow's registry is a model of the search."""
    from tracking.registry import versions_of
    from tracking.searches import search_name

    if found := versions_of(client, parent):
        expected = f"expected a search without registered models, got {search_name(parent)!r}"
        raise SearchStateError(f"NAME: {expected}, which has {', '.join(found)}; --force deletes their files too")


def _check_ended(parent: "Run", uri: str) -> None:
    """Raises SearchStateError if a search without a folder here runs, as far as its store knows."""
    if parent.info.status == "RUNNING":
        from tracking.searches import search_name

        raise SearchStateError(
            f"NAME: expected a search that is not running, got {search_name(parent)!r}, which is running in another"
            f" folder as {uri} says; if its launcher was killed, --force deletes it"
        )


def _spec(folder: SearchFolder) -> Spec | None:
    """The spec in the folder; None if there is none that can be read."""
    try:
        return Spec.read(folder)
    except (OSError, BadInput):  # a damaged search can be deleted, too
        return None


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
