"""Keeps the compiled kernels in a folder, so that they are compiled once on a machine. Nothing here imports Numba.

The name of the folder is a hash of everything that the code depends on: the sources, the versions of Python, of Numba
and of its LLVM, Numba's variables, and the processor. Numba itself compares only a function's own file, and a helper
may lie in another. A folder gets its name when it is whole. A list of hashes in it shows damage. A damaged folder is
made again. Numba can load only from a folder that it can write. Another folder is copied first.
"""

import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PACKAGES = ("numba", "llvmlite", "numpy")
CODE = ".nbc"  # how the files end that have compiled code
NUMBA_FOLDER = "NUMBA_CACHE_DIR"  # Numba's own variable for the place of what it has compiled
LIST = "hashes.json"
CHECKED = "checked"  # how the files begin that say with which versions of Keras the kernels agree


def folder() -> Path | None:
    """Where the kernels of this machine are kept: a folder in $NUMBA_CACHE_DIR. None without this variable or Numba."""
    with suppress(importlib.metadata.PackageNotFoundError):
        return Path(os.environ[NUMBA_FOLDER]) / _key() if os.environ.get(NUMBA_FOLDER) else None
    return None


def has_place() -> bool:
    """True if what is compiled is kept, or can be. Otherwise each process compiles it."""
    if not os.environ.get(NUMBA_FOLDER):
        return False
    within = Path(os.environ[NUMBA_FOLDER]).absolute()
    above = next(path for path in (within, *within.parents) if path.exists())  # the folder will be made in this one
    if above.is_dir() and os.access(above, os.W_OK | os.X_OK):
        return True
    place = folder()  # its name takes milliseconds, and an estimate asks for each candidate
    return place is not None and place.is_dir()


def _key() -> str:
    here = Path(__file__).resolve().parent
    sources = [(path.name, path.stat().st_mtime_ns, path.read_text("utf-8")) for path in sorted(here.glob("*.py"))]
    versions = [sys.version, *(importlib.metadata.version(name) for name in PACKAGES)]
    # Numba has many variables that change the code. Those of the folder and of threads do not.
    ours = sorted((name, value) for name, value in os.environ.items() if name.startswith("NUMBA_"))
    chosen = [pair for pair in ours if pair[0] != NUMBA_FOLDER and "THREAD" not in pair[0]]
    parts = str(here), sources, versions, _processor(), chosen
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:24]


def _processor() -> list[str]:
    """The name and the features of the processor, as the system tells them."""
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text("utf-8").split("\n\n")[0].splitlines()
        told = [line for line in lines if line.split("\t")[0] in ("model name", "flags", "CPU part", "Features")]
        return [platform.machine(), *told]
    return [platform.machine(), platform.processor(), platform.node()]


def is_whole(place: Path) -> bool:
    """True if the folder has compiled code, and every file as it was written. Other files may have been added."""
    with suppress(OSError, ValueError):
        listed = json.loads((place / LIST).read_text("utf-8"))
        return any(name.endswith(CODE) for name in listed) and listed == _hashes(place, listed)
    return False


def _hashes(place: Path, names: Iterable[str]) -> dict[str, str]:
    return {name: hashlib.sha256((place / name).read_bytes()).hexdigest() for name in names}


def checked(versions: str) -> Path | None:
    """The file that says that the kernels agree with Keras in these versions. None if no kernels are kept."""
    place = folder()
    return place / f"{CHECKED}-{versions}" if place is not None and is_whole(place) else None


@contextmanager
def kept() -> Iterator[Path | None]:
    """A folder in which Numba keeps what is compiled inside. It yields None if nothing can be kept.

    Several processes may do this at once: each one makes a folder of its own, and the first that is ready gives it the
    name.
    """
    place = folder()
    if place is not None and is_whole(place):
        with _writable(place) as one:
            yield one
        return
    own = _temporary(place)
    try:
        yield own
        if own is not None and place is not None:
            _name(own, place)
    finally:
        if own is not None:
            shutil.rmtree(own, ignore_errors=True)


def _temporary(place: Path | None) -> Path | None:
    if place is None:
        return None
    with suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix="new-", dir=place.parent))
    return None


def _name(own: Path, place: Path) -> None:
    """Gives a folder its name. A full disk, or another process that was faster, costs only time."""
    files = sorted(str(path.relative_to(own)) for path in own.rglob("*") if path.is_file())
    with suppress(OSError):
        (own / LIST).write_text(json.dumps(_hashes(own, files)), "utf-8")
        own.chmod(0o755)  # other users may share the folder above
        if place.exists() and not is_whole(place):
            shutil.rmtree(place, ignore_errors=True)
        own.rename(place)


@contextmanager
def _writable(place: Path) -> Iterator[Path]:
    """The folder, or a copy of it, which is removed."""
    if os.access(place, os.W_OK):
        yield place
        return
    with tempfile.TemporaryDirectory() as copy:
        yield Path(shutil.copytree(place, Path(copy) / place.name))
