"""The file beside a SQLite store that says in which folder the store lies, and tells this folder from a copy."""

import json
import os
import platform
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Root:
    """A folder, and what tells it from a copy.

    Args:
        machine: that has written it down; "" if none has.
        inode, disk: of the folder on that machine; the disk is 0 if it has no number of its own.
        places: (machine, path) of other places at which the same folder was seen.
    """

    path: Path
    machine: str = ""
    inode: int = 0
    disk: int = 0
    places: tuple[tuple[str, str], ...] = ()

    def is_at(self, folder: Path) -> bool:
        """True if `folder` is this folder, perhaps under another name: a link, or a disk that two machines mount."""
        return self.is_named(folder) or self.is_mounted(folder)

    def is_named(self, folder: Path) -> bool:
        """True if the path leads to `folder` on this machine."""
        if self.path == folder:
            return True
        with suppress(OSError):
            return self.path.samefile(folder)  # the same device and inode
        return False

    def is_mounted(self, folder: Path) -> bool:
        """True if `folder` may be this folder on another machine, which still has it at its path.

        Two names of one machine, for example of two containers, are told by the disk: it is in one machine at a time.
        Then the folder was moved, unless it was at that place before: two containers take turns.
        """
        if self.machine in ("", platform.node()) or folder.stat().st_ino != self.inode:
            return False
        return self.disk == 0 or self.disk != _disk(folder) or self.was_at(folder)

    def was_at(self, folder: Path) -> bool:
        return (platform.node(), str(folder)) in self.places


def beside(file: Path) -> Path:
    return file.with_name(f"{file.name}.root")


def noted(file: Path) -> Root | None:
    """What the file beside a database says; None if there is none that can be read."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        content = json.loads(beside(file).read_text("utf-8"))
        places = tuple((machine, path) for machine, path in content.get("places", []))
        return Root(Path(content["root"]), content["machine"], content["inode"], content.get("disk", 0), places)
    return None


def write(file: Path, root: Path, places: tuple[tuple[str, str], ...] = ()) -> None:
    """Writes down a root as this machine sees it."""
    here = file.parent
    put(file, Root(root, platform.node(), here.stat().st_ino, _disk(here), places))


def put(file: Path, root: Root) -> None:
    """Whatever happens, the file beside the database has its old content or the new one."""
    facts = {"root": str(root.path), **{name: value for name, value in asdict(root).items() if name != "path"}}
    new = file.with_name(f"{file.name}.root.{os.getpid()}")
    new.write_text(json.dumps(facts) + "\n", "utf-8")
    new.replace(beside(file))


def _disk(folder: Path) -> int:
    """The number of the disk on which a folder lies; 0 for one without a number, for example of a network."""
    device = folder.stat().st_dev
    return device if os.major(device) else 0
