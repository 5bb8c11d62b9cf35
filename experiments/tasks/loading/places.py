"""Where the data of a search lie: a user's file, a text, or a folder of sounds.

A search keeps a path relative to its folder, so that it stays right when the folder is copied or moved. Its data are
known by their digest: they may lie at the recorded place, beside the search, or where the user says. Another file under
the same name is refused.
"""

import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from experiments.data import corpora, series, speech
from experiments.tasks.base import Task
from experiments.tasks.loading import find
from experiments.tasks.loading.checks import fault
from experiments.tasks.loading.copied import Copy
from experiments.tasks.loading.digest import check_digest
from tracking.errors import DataError, RecurrentError

Source = tuple[str, dict[str, str]]  # a task and its options, as `find.make` takes them


def known() -> tuple[str, ...]:
    """Texts, sounds and series that are known by name, and are no path."""
    return *corpora.names(), *speech.SOURCES, *series.SOURCES


def is_file(name: str) -> bool:
    """True for a user's file, False for a task that comes with the project."""
    return name.endswith(find.FILES)


def corpus_in(task_type: type[Task]) -> str:
    """The option of a task that names a text or a folder of sounds; "" if it has none."""
    return next((field.name for field in dataclasses.fields(task_type) if field.metadata.get("corpus")), "")


def corpus_of(task: str, copy: Copy | None = None) -> str:
    """The same by the name of the task; "" also for a user's file that cannot be run.

    Args:
        copy: the search's copy of a task's file, which is run in its place.
    """
    with suppress(RecurrentError):
        return "" if Path(task).suffix in find.DATA else corpus_in(find.task_class(task, copy))
    return ""


def has_file(options: dict[str, str], corpus: str) -> bool:
    """True if the option `corpus` names a text or a folder of the user's."""
    return corpus in options and options[corpus] not in known()


def whole(task: str) -> str:
    """The task, with its whole path if it is a file."""
    return _whole(task) if is_file(task) else task


def absolute(task: str, options: dict[str, str], copy: Copy | None = None) -> Source:
    """With whole paths. See `corpus_of` for `copy`."""
    return whole(task), _changed(options, corpus_of(whole(task), copy), _whole)


def portable(task: str, options: dict[str, str], corpus: str) -> Source:
    """With paths relative to the current folder, for files that lie in it."""
    return _relative(task) if is_file(task) else task, _changed(options, corpus, _relative)


def _changed(options: dict[str, str], corpus: str, change: Callable[[str], str]) -> dict[str, str]:
    return {**options, corpus: change(options[corpus])} if has_file(options, corpus) else options


def _whole(path: str) -> str:
    return str(Path(os.path.expanduser(path)).absolute())


def _relative(path: str) -> str:
    here, place = Path.cwd(), Path(os.path.normpath(path))
    if not place.is_relative_to(here):
        return path
    short = str(place.relative_to(here))
    return f"./{short}" if short in known() else short  # a text that has the name of a known one


def sources(task: str, options: dict[str, str], folders: Sequence[Path], copy: Copy | None = None) -> list[Source]:
    """The places where the files of a search are: as recorded, then beside the search. None if a file is nowhere.

    Args:
        folders: those of the search and of its store; a relative path begins in one of them.
        copy: see `corpus_of`. The user's file may then be gone.
    """
    tasks = _found(task, folders) if is_file(task) else [task]
    if copy and not tasks:
        tasks = [str(folders[0].absolute() / task)]
    return [(name, found) for name in tasks for found in _with_texts(options, corpus_of(name, copy), folders)]


def _with_texts(options: dict[str, str], corpus: str, folders: Sequence[Path]) -> list[dict[str, str]]:
    """The options with each text that they may mean."""
    if not has_file(options, corpus):
        return [options]
    return [{**options, corpus: text} for text in _found(options[corpus], folders)]


def _found(path: str, folders: Sequence[Path]) -> list[str]:
    """The files and folders that `path` may mean, each once."""
    found: list[Path] = []
    for place in _candidates(Path(path), folders):
        if place.exists() and not any(place.samefile(other) for other in found):
            found.append(place)
    return [str(place) for place in found]


def _candidates(path: Path, folders: Sequence[Path]) -> Iterator[Path]:
    yield from (folder.absolute() / path for folder in folders)  # an absolute path is not changed by this
    yield from (folder.absolute() / path.name for folder in folders)


def source_of(
    spec: dict[str, Any], folders: Sequence[Path], given: Sequence[Source] = (), copy: Copy | None = None
) -> Source:
    """The task and the options of a search, at the place whose data have its digest.

    Args:
        spec: of the search, as a dictionary.
        folders: where to look for files; see `sources`.
        given: where the user says that they are, asked first.
        copy: see `sources`.

    Raises DataError if no place has them.
    """
    return fitting(spec, [*given, *sources(spec["task"], spec["options"], folders, copy)], copy)


def fitting(spec: dict[str, Any], places: Sequence[Source], copy: Copy | None = None) -> Source:
    """The first of some places whose data have the digest of a search.

    Raises RecurrentError if none has: what is wrong with the first place. A user's task may raise any exception where
    its data are not.
    """
    first: RecurrentError | None = None
    for source in places:
        try:
            made = find.make(*source, spec.get("reading", 1), copy)
            check_digest([made.split(name, spec["seed"]) for name in ("train", "val")], spec["digest"])
        except RecurrentError as error:
            first = first or error
        except Exception as error:
            line = fault(error) or (str(error) if isinstance(error, OSError) else "")
            if not line:
                raise
            first = first or DataError(line)
        else:
            return source
    corpus = corpus_of(spec["task"])
    missing = spec["task"] if is_file(spec["task"]) else spec["options"].get(corpus)
    expected = f"data: expected {missing!r} there or beside the search, got none"
    raise first or DataError(f"{expected}; `export` takes another place with --task or -o {corpus or 'corpus'}=")
