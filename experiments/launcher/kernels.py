"""Compiles the kernels once on a machine, before the workers of a search need them."""

import subprocess
import sys
from contextlib import suppress
from typing import Any

from rich.console import Console

from experiments.config.ranges import whole
from experiments.config.spec import Spec
from experiments.system.console import waiting
from experiments.system.devices import gpus
from experiments.tasks.base import Task
from experiments.training.windows import trained_steps
from search_spaces.kernels import NATIVE, kernel
from search_spaces.native import compiled, ready

COMPILING = "compiling the kernels of the recurrent layers, once on this machine (half a minute) ..."
LONGEST_SECONDS = 600.0  # a slow machine needs minutes; each worker compiles for itself if it takes longer


def compile_kernels(spec: Spec, task: Task, samples: int, screen: Console) -> bool:
    """Lets another process compile the kernels if this search uses them and they are not kept yet.

    Returns True if it uses them. If compiling fails nothing happens here: the workers say why they have another kernel.

    Args:
        samples: of the training split.
    """
    work = trained_steps(task, samples, spec.batch, spec.epochs)
    how: dict[str, Any] = {"gpus": len(gpus().used), "work": work, "asked": spec.kernel, "native": ready.missing}
    deepest = max(whole("--depth", spec.depth))  # it saves the most
    chosen = (kernel([cell] * deepest, **how) for cell in spec.cells)
    if NATIVE not in [name for name, _ in chosen]:
        return False
    place = compiled.folder()
    if place is None or not compiled.has_place() or compiled.is_whole(place):
        return True
    with waiting(screen, COMPILING), suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run([sys.executable, "-m", ready.__name__], capture_output=True, timeout=LONGEST_SECONDS)
    return True
