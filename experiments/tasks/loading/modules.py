"""Runs a user's task file as a module. The modules that it imports from its folder are its neighbours.

The user's file finds its neighbours behind what Python and installed packages have. A search's copy of the file finds
the copies of the same neighbours in front of everything, since the user's folder may be on Python's path, too.
"""

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType

from experiments.tasks.loading.copied import Copy, Finder, spec_of
from tracking.errors import BadInput, DataError

PREFIX = "recurrent_search_task_"  # the name of the module of a user's file begins with it
OURS = ("experiments", "search_spaces", "tracking")  # a user's file may lie beside this project
CUSTOM = ("sitecustomize", "usercustomize")  # Python imports them when it begins; no task does

_last: dict[tuple[Path, Copy | None], ModuleType] = {}  # the file that was run last
_folders: set[Path] = set()  # from which neighbours may have been imported
_copied: set[str] = set()  # the names of neighbours that a copy has; the user's folder may no longer have them


def run(place: Path, copy: Copy | None = None) -> ModuleType:
    """The module in a user's file. Raises BadInput, in one line, if it cannot be run.

    It is run again if another file was run since, whose neighbours may have the same names.

    Args:
        place: where the user has the file; its `__file__`, since data may lie there.
        copy: a search's copy, which is run in its place. Raises DataError if it runs another file of the user's.
    """
    if (place, copy) not in _last:
        _last.clear()
        _last[place, copy] = _run(place, copy)
    return _last[place, copy]


def forget() -> None:
    """Lets a file be run again that has changed since."""
    _last.clear()


def _run(place: Path, copy: Copy | None) -> ModuleType:
    path = copy.file if copy else place
    # The prefix keeps the module apart from others. Without it a user's queue.py would replace Python's module queue.
    spec = spec_of(f"{PREFIX}{path.stem}", path, place)
    if spec is None or spec.loader is None or not path.is_file():
        raise BadInput(f"task: expected a file, got {str(path)!r}, which does not exist")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module  # @dataclass looks for the module of its class there
    _forget(place.parent, path.parent.absolute())
    with _here(), _from_copy(copy, place) if copy else _beside(place.parent):
        try:
            spec.loader.exec_module(module)
            for name in copy.modules if copy else ():  # the task may import it later, when it is asked for data
                importlib.import_module(name)
        except (Exception, SystemExit) as error:
            got = f"{type(error).__name__}: {error}"
            raise BadInput(f"{path}: expected a file that Python can run, got {got}") from error
    if copy:
        _check_files(copy, place.parent)
    return module


def _forget(*folders: Path) -> None:
    """Lets the neighbours be imported again. Those of another task may have the same names."""
    _folders.update(folders)
    for folder in _folders:
        for name in neighbours(folder):
            sys.modules.pop(name, None)
    importlib.invalidate_caches()


@contextmanager
def _here() -> Iterator[None]:
    """Goes back to the current folder at the end. A user's file may change it to find its data."""
    folder = os.getcwd()
    try:
        yield
    finally:
        os.chdir(folder)


@contextmanager
def _beside(folder: Path) -> Iterator[None]:
    """Lets a user's file import its neighbours. What Python and installed packages have of the same name goes first."""
    sys.path.append(str(folder))
    try:
        yield
    finally:
        with suppress(ValueError):  # the user's file may have changed the path
            sys.path.remove(str(folder))


@contextmanager
def _from_copy(copy: Copy, place: Path) -> Iterator[None]:
    """Lets a copy import the copies of its neighbours."""
    finder = Finder(copy, place)
    _copied.update(name.partition(".")[0] for name in finder.names())
    for name in finder.names():
        sys.modules.pop(name, None)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


def _check_files(copy: Copy, home: Path) -> None:
    """Raises DataError if a module comes from the user's folder `home`, and not from the copy."""
    for module in neighbours(home).values():
        file = _file(module)
        if file and not file.is_relative_to(copy.folder.absolute()):
            raise DataError(f"task: expected the copy in {copy.folder} to run, got {file}, which it imports")


def neighbours(folder: Path) -> dict[str, ModuleType]:
    """The modules of a folder that have been imported, by their names."""
    tops = _tops(folder)
    known = {name: module for name, module in list(sys.modules.items()) if name.partition(".")[0] in tops}
    places = {name: [_inside(place, folder) for place in _places(module)] for name, module in known.items()}
    return {name: module for name, module in known.items() if any(_is_of(place, name) for place in places[name])}


def files(folder: Path) -> list[str]:
    """The files of the neighbours in a folder, by their places in it."""
    found = {_inside(place, folder) for module in neighbours(folder).values() for place in _places(module)}
    return sorted(place.as_posix() for place in found if place and (folder / place).is_file())


def _tops(folder: Path) -> set[str]:
    """The names of the modules and packages that a folder may have."""
    found: set[str] = set()
    with suppress(OSError):  # it has gone, or cannot be listed, and Python finds nothing in it
        found = {path.name.partition(".")[0] for path in folder.iterdir()}
    return (found | _copied) - {*OURS, *CUSTOM}


def _places(module: ModuleType) -> list[Path]:
    """The file of a module as it names itself, or the folders of a package without a file."""
    if not isinstance(module, ModuleType):
        return []
    known = object.__getattribute__(module, "__dict__")  # asking a lazy module itself would import it
    file = known.get("__file__")
    return [Path(place) for place in ([file] if file else known.get("__path__", []))]


def _inside(place: Path, folder: Path) -> Path | None:
    """Where a file lies in a folder; None if it lies elsewhere. The folder may have two names, one through a link."""
    if not place.is_relative_to(folder):
        place, folder = place.parent.resolve() / place.name, folder.resolve()
    return place.relative_to(folder) if place.is_relative_to(folder) else None


def _is_of(place: Path | None, name: str) -> bool:
    """True if a module of this name was found in the folder itself, and not in a folder of packages that lies in it."""
    first, *rest = (place.parts if place else ()) or ("",)
    return (first if rest else first.partition(".")[0]) == name.partition(".")[0]


def _file(module: ModuleType) -> Path | None:
    """The file whose code a module runs. Its `__file__` may be the user's file, of which this is a copy."""
    loader = getattr(getattr(module, "__spec__", None), "loader", None)
    file = getattr(loader, "path", None) or getattr(module, "__file__", None)
    return Path(file) if file else None


def code_files() -> set[str]:
    """The files of users' code that have been run in this process, as tracebacks name them."""
    tasks = [module for name, module in list(sys.modules.items()) if name.startswith(PREFIX)]
    found = [module for folder in _folders for module in neighbours(folder).values()]
    return {str(file) for module in (*tasks, *found) if (file := _file(module))}
