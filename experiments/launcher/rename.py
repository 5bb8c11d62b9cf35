"""Gives a search another name: its folder, its runs and its models. What a kill leaves, the next call renames."""

import json
from typing import TYPE_CHECKING

from experiments.config.folders import SEARCHES, SearchFolder, no_search
from experiments.config.spec import Spec
from experiments.launcher.claim import held
from experiments.launcher.copies import check_copy, shared
from experiments.launcher.stores import check_store
from experiments.system.files import write_json
from tracking.errors import SearchStateError, StoreError
from tracking.store import connect, database, read_only, working

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


def rename(old: str, new: str, uri: str) -> None:
    """Renames a search of this folder.

    Raises SearchStateError if it is not there or runs, if the new name is taken in the folder or in the store, or if
    the store has lost the search's settings. Raises BadInput if the search is recorded in another store, and StoreError
    if the store cannot be written.
    """
    file = database(uri)
    client = connect(uri) if file is None or file.exists() else None
    with working(uri):
        parent, taken = (_find(client, name) for name in (old, new))
        folder, spec = _folder(old, new, parent)
        with held(folder):
            if taken is not None and not (spec.id and _is_of(taken, spec)):
                raise SearchStateError(f"NEW: expected a new name, got {new!r}, which {uri} holds already")
            mine = parent if parent is not None and _is_of(parent, spec) else None
            if client and mine is not None:
                _check(client, mine, folder, spec, uri)
            else:
                way_out = f"`recurrent rename {old} {new} --new-id` makes it a search that no store has"
                check_store(folder, uri, way_out)
            _rename_folder(folder, SearchFolder(SEARCHES / new))
            if client and mine is not None:
                from tracking.renaming import rename_search

                rename_search(client, mine, new)


def _check(client: "MlflowClient", parent: "Run", folder: SearchFolder, spec: Spec, uri: str) -> None:
    """Raises an error if the store cannot follow, before the folder has its new name."""
    from tracking.searches import search_name, spec_of

    spec_of(parent)
    if read_only(uri):
        raise StoreError(f"tracking-uri: expected a store that can be written, got {uri}")
    if shared(folder, uri):
        check_copy(client, search_name(parent), spec.id, folder)  # a copy would rename the runs of its original


def _folder(old: str, new: str, parent: "Run | None") -> tuple[SearchFolder, Spec]:
    """The folder of the search, and its spec. After a kill the folder may have its new name already."""
    source, target = SearchFolder(SEARCHES / old), SearchFolder(SEARCHES / new)
    if source.spec.exists():
        if target.path.exists():
            raise SearchStateError(f"NEW: expected a new name, got {new!r}, which {target.path} holds")
        return source, Spec.read(source)
    spec = Spec.read(target) if target.spec.exists() else None
    if spec is None or (spec.name == new and (parent is None or not _is_of(parent, spec))):
        raise SearchStateError(no_search("OLD", old))
    return target, spec


def _rename_folder(folder: SearchFolder, target: SearchFolder) -> None:
    if folder.path != target.path:
        folder.path.rename(target.path)
    facts = json.loads(target.spec.read_text("utf-8"))
    write_json(target.spec, {**facts, "name": target.path.name})


def _find(client: "MlflowClient | None", name: str) -> "Run | None":
    from tracking.searches import find_search

    return find_search(client, name) if client else None


def _is_of(parent: "Run", spec: Spec) -> bool:
    from tracking.searches import is_of

    return bool(is_of(parent, spec.to_json()))
