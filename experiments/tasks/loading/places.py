"""Where the data of a search lie: a user's file, or a text.

A search keeps a path relative to its folder, so that it stays right when the folder is copied or moved. Its data are
known by their digest: they may lie at the recorded place, beside the search, or where the user says. Another file under
the same name is refused.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from experiments.data import corpora
from experiments.tasks.loading import find
from experiments.tasks.loading.digest import check_digest
from tracking.errors import BadInput, DataError, RecurrentError

CORPUS = "corpus"  # the option that names a text
Source = tuple[str, dict[str, str]]  # a task and its options, as `find.make` takes them


def is_file(name: str) -> bool:
    """True for a user's file, False for a task that comes with the project."""
    return name.endswith((".npz", ".py"))


def has_file(options: dict[str, str]) -> bool:
    """True if the options name a text of the user's."""
    return CORPUS in options and options[CORPUS] not in corpora.names()


def absolute(task: str, options: dict[str, str]) -> Source:
    """With whole paths."""
    return _changed(task, options, lambda path: str(Path(os.path.expanduser(path)).absolute()))


def portable(task: str, options: dict[str, str]) -> Source:
    """With paths relative to the current folder, for files that lie in it."""
    return _changed(task, options, _relative)


def _changed(task: str, options: dict[str, str], change: Any) -> Source:
    more = {CORPUS: change(options[CORPUS])} if has_file(options) else {}
    return change(task) if is_file(task) else task, {**options, **more}


def _relative(path: str) -> str:
    here, place = Path.cwd(), Path(os.path.normpath(path))
    if not place.is_relative_to(here):
        return path
    short = str(place.relative_to(here))
    return f"./{short}" if short in corpora.names() else short  # a text that has the name of a known one


def sources(task: str, options: dict[str, str], folders: Sequence[Path], copy: Path | None = None) -> list[Source]:
    """The places where the files of a search are: as recorded, then beside the search. None if a file is nowhere.

    Args:
        folders: those of the search and of its store; a relative path begins in one of them.
        copy: the search's copy of a task's file, which is run in its place. The user's file may then be gone.
    """
    tasks = _found(task, folders) if is_file(task) else [task]
    if copy and not tasks:
        tasks = [str(folders[0].absolute() / task)]
    texts = _found(options[CORPUS], folders) if has_file(options) else [options.get(CORPUS, "")]
    more = [{CORPUS: text} if text else {} for text in texts]
    return [(name, {**options, **text}) for name in tasks for text in more]


def _found(path: str, folders: Sequence[Path]) -> list[str]:
    """The files that `path` may mean, each once."""
    found: list[Path] = []
    for place in _candidates(Path(path), folders):
        if place.is_file() and not any(place.samefile(other) for other in found):
            found.append(place)
    return [str(place) for place in found]


def _candidates(path: Path, folders: Sequence[Path]) -> Iterator[Path]:
    yield from (folder.absolute() / path for folder in folders)  # an absolute path is not changed by this
    yield from (folder.absolute() / path.name for folder in folders)


def source_of(
    spec: dict[str, Any], folders: Sequence[Path], given: Sequence[Source] = (), copy: Path | None = None
) -> Source:
    """The task and the options of a search, at the place whose data have its digest.

    Args:
        spec: of the search, as a dictionary.
        folders: where to look for files; see `sources`.
        given: where the user says that they are, asked last.
        copy: see `sources`.

    Raises DataError if no place has them.
    """
    return fitting(spec, [*sources(spec["task"], spec["options"], folders, copy), *given], copy)


def fitting(spec: dict[str, Any], places: Sequence[Source], copy: Path | None = None) -> Source:
    """The first of some places whose data have the digest of a search. Raises DataError if none has."""
    first: RecurrentError | None = None
    for source in places:
        try:
            made = find.make(*source, spec.get("reading", 1), copy)
            check_digest([made.split(name, spec["seed"]) for name in ("train", "val")], spec["digest"])
        except (BadInput, DataError) as error:
            first = first or error
        else:
            return source
    missing = spec["task"] if is_file(spec["task"]) else spec["options"].get(CORPUS)
    expected = f"data: expected {missing!r} there or beside the search, got none"
    raise first or DataError(f"{expected}; `export` takes another place with --task or -o {CORPUS}=")
