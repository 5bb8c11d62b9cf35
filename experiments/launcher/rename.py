"""Gives a search another name: its folder, its runs and its models. What a kill leaves, the next call renames."""

import json
from typing import TYPE_CHECKING

from experiments.config.folders import SEARCHES, SearchFolder, no_search
from experiments.config.spec import Spec
from experiments.launcher.claim import held
from experiments.launcher.copies import check_copy, shared
from experiments.system.files import write_json
from tracking.errors import SearchStateError
from tracking.store import connect, database, working

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


def rename(old: str, new: str, uri: str) -> None:
    """Renames a search of this folder.

    Raises SearchStateError if it is not there or runs, or if the new name is taken in the folder or in the store.
    """
    file = database(uri)
    client = connect(uri) if file is None or file.exists() else None
    with working(uri):
        parent, taken = (_find(client, name) for name in (old, new))
        folder, spec = _folder(old, new, parent)
        with held(folder):
            if taken is not None and _id(taken) != spec.id:
                raise SearchStateError(f"NEW: expected a new name, got {new!r}, which {uri} holds already")
            ours = client and parent is not None and _id(parent) == spec.id
            if client and parent is not None and ours and shared(folder, uri):
                check_copy(client, parent, folder)  # a copy would rename the runs of its original
            _rename_folder(folder, SearchFolder(SEARCHES / new))
            if client and parent is not None and ours:
                from tracking.renaming import rename_search

                rename_search(client, parent, new)


def _folder(old: str, new: str, parent: "Run | None") -> tuple[SearchFolder, Spec]:
    """The folder of the search, and its spec. After a kill the folder may have its new name already."""
    source, target = SearchFolder(SEARCHES / old), SearchFolder(SEARCHES / new)
    if source.spec.exists():
        if target.path.exists():
            raise SearchStateError(f"NEW: expected a new name, got {new!r}, which {target.path} holds")
        return source, Spec.read(source)
    spec = Spec.read(target) if target.spec.exists() else None
    if spec is None or (spec.name == new and (parent is None or _id(parent) != spec.id)):
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


def _id(parent: "Run") -> str:
    from tracking.searches import spec_id

    return spec_id(parent)
