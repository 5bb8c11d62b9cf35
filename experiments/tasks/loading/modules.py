"""Runs a user's task file as a module. The modules that it imports from its folder are its neighbours."""

import functools
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from tracking.errors import BadInput

PREFIX = "recurrent_search_task_"  # the name of the module of a user's file begins with it
OURS = ("experiments", "search_spaces", "tracking")  # a user's file may lie beside this project

_neighbours: dict[str, ModuleType] = {}  # of the file that was run last, by their names


@functools.cache
def run(path: Path, place: Path) -> tuple[ModuleType, tuple[Path, ...]]:
    """The module in a user's file, and the files of its neighbours. Raises BadInput, in one line, if it cannot be run.

    Args:
        path: the file that is run, for example a search's copy.
        place: where the user has the file; its `__file__`, since data may lie there.
    """
    # The prefix keeps the module apart from others. Without it a user's queue.py would replace Python's module queue.
    spec = importlib.util.spec_from_file_location(f"{PREFIX}{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise BadInput(f"task: expected a file, got {str(path)!r}, which does not exist")
    spec.origin = str(place)
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module  # @dataclass looks for the module of its class there
    with _beside(path.parent.absolute()):
        try:
            spec.loader.exec_module(module)
        except (Exception, SystemExit) as error:
            got = f"{type(error).__name__}: {error}"
            raise BadInput(f"{path}: expected a file that Python can run, got {got}") from error
    return module, tuple(sorted(_files()))


@contextmanager
def _beside(folder: Path) -> Iterator[None]:
    """Lets a file import its neighbours. What Python and installed packages have of the same name goes first."""
    for name in _neighbours:  # those of another task may have the same names
        sys.modules.pop(name, None)
    importlib.invalidate_caches()
    before = set(sys.modules)
    sys.path.append(str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        _neighbours.clear()
        new = {name: sys.modules[name] for name in set(sys.modules) - before}
        _neighbours.update({name: module for name, module in new.items() if _is_in(module, name, folder)})


def _is_in(module: ModuleType, name: str, folder: Path) -> bool:
    """True for a module that was found in the folder itself, and not in a folder of packages that lies in it."""
    top, file = name.partition(".")[0], getattr(module, "__file__", None)
    if top in OURS or not file or not Path(file).is_relative_to(folder):
        return False
    first, *rest = Path(file).relative_to(folder).parts
    return first == top if rest else first.partition(".")[0] == top


def _files() -> set[Path]:
    return {Path(str(module.__file__)) for module in _neighbours.values()}


def code_files() -> set[str]:
    """The files of users' code that have been run in this process, as tracebacks name them."""
    tasks = (module for name, module in list(sys.modules.items()) if name.startswith(PREFIX))
    return {module.__spec__.loader.path for module in tasks} | {str(file) for file in _files()}  # type: ignore
