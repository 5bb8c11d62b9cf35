"""Checks that this machine has what a search needs, and says what to install if something is missing."""

import dataclasses
import importlib.metadata
import importlib.util
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from experiments.data import espeak
from experiments.system.devices import VISIBLE, Gpus, gpus, has_mps
from experiments.system.imports import import_keras
from experiments.system.resources import automatic_workers, total_memory, usable_cores
from experiments.system.versions import versions
from tracking.errors import RecurrentError
from tracking.store import connect, database, working
from tracking.text import format_memory

LEAST_FREE_BYTES = 2**30  # with less free disk a search may run out of space
INSTALL = ".venv/bin/pip install -c requirements.lock -e '.[gpu]'"
MPS = "for --workers-per-gpu: nvidia-cuda-mps-control -d lets a card compute for several workers at the same time"
AGAIN = ".venv/bin/pip install --force-reinstall -c requirements.lock -e ."


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `fit` is False if a search cannot run with it. `advice` says what to change."""

    what: str
    found: str
    fit: bool = True
    advice: str = ""


def findings(uri: str) -> list[Finding]:
    """All findings, in the order in which a search needs what was looked at."""
    return [
        *importable("versions", lambda: [_versions()]),
        _machine(),
        _disk(Path.cwd()),
        *importable("kernels", _accelerator),
        _speech(espeak.version()),
        _cluster(importlib.util.find_spec("ray") is not None),
        *importable("tracking", lambda: [_store(uri)]),
    ]


def importable(what: str, look: Callable[[], list[Finding]]) -> list[Finding]:
    """The findings of `look`. If it needs a package that is missing or broken, the finding is that package."""
    try:
        return look()
    except ImportError as error:
        lines = str(error).splitlines() or ["a package cannot be imported"]
        cause = [line for line in lines if line.startswith("ImportError: ")]  # TensorFlow's begins with a traceback
        return [Finding(what, (cause or lines)[0], False, f"install again: {AGAIN}")]


def _versions() -> Finding:
    return Finding("versions", ", ".join(f"{name} {number}" for name, number in versions().items()))


def _machine() -> Finding:
    memory, cores = format_memory(total_memory()), usable_cores()
    return Finding("machine", f"{cores} cores, {memory} of memory; --workers auto is {automatic_workers()}")


def _disk(place: Path) -> Finding:
    free = shutil.disk_usage(place).free
    advice = "" if free >= LEAST_FREE_BYTES else f"make room: at least {format_memory(LEAST_FREE_BYTES)}"
    return Finding("disk", f"{format_memory(free)} free in {place}", free >= LEAST_FREE_BYTES, advice)


def _accelerator() -> list[Finding]:
    """The GPUs, and the kernel that a long training of each cell gets."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import_keras()
    import tensorflow as tf

    from search_spaces import cells
    from search_spaces.kernels import kernel
    from search_spaces.native import check, compiled, ready

    build = tf.sysconfig.get_build_info()
    words = f"CUDA {build['cuda_version']}, cuDNN {build['cudnn_version']}" if build.get("is_cuda_build") else "no CUDA"
    place = compiled.folder()
    made = place is not None and compiled.is_whole(place)
    trouble = check.trouble() if made else ready.missing()  # to compile them would take half a minute
    how = {name: kernel([name], len(gpus().used), 10**9, native=lambda: trouble)[0] for name in cells.names()}
    chosen = ", ".join(map(" ".join, how.items()))
    by = "when it is needed" if compiled.has_place() else f"by each process: {compiled.NUMBA_FOLDER} cannot be written"
    more = f"; no native kernel: {trouble}" if trouble else "" if made else f"; native is compiled {by}"
    return [gpu(gpus(), words), Finding("kernels", f"{chosen}, for long trainings{more}")]


def gpu(found: Gpus, build: str) -> Finding:
    """The finding about GPUs.

    Args:
        build: what TensorFlow was built for, in words.
    """
    kept = f", {found.hidden} hidden by {VISIBLE}" if found.hidden else ""
    why = f": {found.why}" if found.why else ""
    text = f"{found.cards} NVIDIA card(s){kept}, {len(found.used)} used by TensorFlow (built for {build}){why}"
    sharing = "" if not found.used or has_mps() else MPS
    return Finding("gpu", text, advice=f"for cuDNN: {INSTALL}" if found.why else sharing)


def _speech(version: str) -> Finding:
    """The program that speaks for a task. No other task needs it.

    Args:
        version: "" if it is not installed.
    """
    needed = f"for -o source=espeak of spoken_digits: {espeak.INSTALL}"
    return Finding("speech", version or f"no {espeak.PROGRAM}", advice="" if version else needed)


def _cluster(installed: bool) -> Finding:
    """The package with which a search runs on many machines. No other search needs it."""
    if installed:
        return Finding("cluster", f"ray {importlib.metadata.version('ray')}")
    return Finding("cluster", "no ray", advice=f"for --engine ray: {INSTALL.replace('gpu', 'ray')}")


def _store(uri: str) -> Finding:
    file = database(uri)
    places = [] if file is None else [place for place in (file.parent, file) if place.exists()]
    if not all(os.access(place, os.W_OK) for place in places):
        return Finding("tracking", f"{uri}: cannot be written", False, "name another --tracking-uri")
    if file is not None and not file.exists() and places:
        return Finding("tracking", f"{uri}: none yet, the first search makes it")
    from tracking.paging import experiments

    try:
        client = connect(uri)
        with working(uri):
            count = len(experiments(client))
    except RecurrentError as error:
        advice = "start the server, or name another --tracking-uri" if file is None else ""
        return Finding("tracking", str(error), False, advice)
    return Finding("tracking", f"{uri}: answers, {count} experiments")


def text(found: list[Finding]) -> str:
    """One line for each finding, and one line below it for its advice."""
    lines = []
    for one in found:
        lines.append(f"{'ok' if one.fit else 'no':<4}{one.what:<10}{one.found}")
        lines += [f"{'':<14}{one.advice}"] if one.advice else []
    return "\n".join(lines)
