"""A search's copy of a user's task file and its neighbours, and how Python imports them."""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ExtensionFileLoader, ModuleSpec, SourceFileLoader, all_suffixes
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

PACKAGE = "__init__"


@dataclass(frozen=True)
class Copy:
    """The copied files.

    Args:
        folder: where they lie.
        names: their places in the folder and in the user's; the task's file is the first one.
    """

    folder: Path
    names: tuple[str, ...]

    @property
    def file(self) -> Path:
        return self.folder / self.names[0]

    @property
    def modules(self) -> list[str]:
        """The names of the neighbours, as they are imported."""
        return [_module(name) for name in self.names[1:]]


class Finder(MetaPathFinder):
    """Finds the modules of a copy, and no other."""

    def __init__(self, copy: Copy, place: Path) -> None:
        """`place` is the user's file, and its neighbours' `__file__` are beside it."""
        self.copy, self.home = copy, place.parent
        self.files = dict(zip(copy.modules, copy.names[1:], strict=True))
        own = _module(copy.names[0])  # a neighbour may import the task's file; an installed package goes first
        if own.isidentifier() and not _is_installed(own, self.home):
            self.files.setdefault(own, copy.names[0])
        packages = {str(parent).replace("/", ".") for name in copy.names for parent in PurePosixPath(name).parents}
        self.folders = packages - {*self.files, "."} - {""}

    def names(self) -> set[str]:
        return {*self.files, *self.folders}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname in self.files:
            name = self.files[fullname]
            return spec_of(fullname, self.copy.folder / name, self.home / name)
        if fullname in self.folders:  # a package without __init__.py
            spec = ModuleSpec(fullname, None, is_package=True)
            spec.submodule_search_locations = [str(self.copy.folder.absolute() / fullname.replace(".", "/"))]
            return spec
        return None


class _Loader(SourceFileLoader):
    """Runs a copy. The data that a package asks for by `importlib.resources` lie at the user's place."""

    def __init__(self, name: str, path: str, place: Path) -> None:
        super().__init__(name, path)
        self.place = place

    def get_code(self, fullname: str) -> Any:
        """The code of the file as it is now.

        Python's bytecode may be older. Python compares the size of the file and the second of its last change alone.
        """
        return self.source_to_code(self.get_data(self.path), self.path)

    def get_resource_reader(self, name: str | None = None) -> Any:
        return SourceFileLoader(self.name, str(self.place)).get_resource_reader(name or self.name)


def spec_of(name: str, path: Path, place: Path) -> ModuleSpec | None:
    """How the file `path` becomes a module whose `__file__` is `place`, since data may lie there."""
    path = path.absolute()
    loader = _Loader(name, str(path), place) if path.suffix == ".py" else None
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    if spec and not isinstance(spec.loader, ExtensionFileLoader):  # it is loaded from its origin
        spec.origin = str(place)
    return spec


def _module(name: str) -> str:
    """The name of the module in a file, for example parts of parts/__init__.py."""
    suffix = max(filter(name.endswith, all_suffixes()), key=len, default="")
    return name.removesuffix(suffix).removesuffix(f"/{PACKAGE}").replace("/", ".")


def _is_installed(name: str, home: Path) -> bool:
    """True if Python would find a module of this name elsewhere than in the folder `home`."""
    try:
        spec = importlib.util.find_spec(name)
    except ValueError:  # it is imported, and says nothing of its origin
        return True
    beside = spec is not None and spec.has_location and Path(str(spec.origin)).parent.resolve() == home.resolve()
    return spec is not None and spec.origin is not None and not beside
