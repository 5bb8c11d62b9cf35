"""Keeps the compiled kernels in a folder, so that they are compiled once on a machine. Nothing here imports Numba.

The name of the folder is a hash of everything that the code depends on: the sources, the versions of Python, of Numba
and of its LLVM, and the processor. Numba itself compares only a function's own file, and a helper may lie in another.
A folder gets its name when it is whole. A list of hashes in it shows damage; a damaged folder is made anew.
"""

import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PACKAGES = ("numba", "llvmlite", "numpy")
CHOICES = ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "NUMBA_OPT")  # variables that change what Numba compiles
NUMBA_FOLDER = "NUMBA_CACHE_DIR"  # Numba's own variable for the place of what it has compiled
LIST = "hashes.json"
CHECKED = "checked"  # how the files begin that say with which versions of Keras the kernels agree


def folder() -> Path | None:
    """Where the kernels of this machine are kept: a folder in $NUMBA_CACHE_DIR. None without this variable."""
    place = os.environ.get(NUMBA_FOLDER)
    return Path(place) / _key() if place else None


def _key() -> str:
    here = Path(__file__).resolve().parent
    sources = [(path.name, path.stat().st_mtime_ns, path.read_text("utf-8")) for path in sorted(here.glob("*.py"))]
    versions = [sys.version, *(importlib.metadata.version(name) for name in PACKAGES)]
    chosen = [os.environ.get(name, "") for name in CHOICES]
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
    """True if the folder has every file as it was written."""
    with suppress(OSError, ValueError):
        return bool(json.loads((place / LIST).read_text("utf-8")) == _hashes(place))
    return False


def _hashes(place: Path) -> dict[str, str]:
    apart = LIST, CHECKED
    files = sorted(path for path in place.rglob("*") if path.is_file() and not path.name.startswith(apart))
    return {str(path.relative_to(place)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


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
        yield place
        return
    own = _temporary(place)
    yield own
    if own is None or place is None:
        return
    # A full disk, or another process that was faster, costs only time.
    with suppress(OSError):
        (own / LIST).write_text(json.dumps(_hashes(own)), "utf-8")
        if place.exists() and not is_whole(place):
            shutil.rmtree(place, ignore_errors=True)
        own.rename(place)
    shutil.rmtree(own, ignore_errors=True)


def _temporary(place: Path | None) -> Path | None:
    if place is None:
        return None
    with suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix="new-", dir=place.parent))
    return None
