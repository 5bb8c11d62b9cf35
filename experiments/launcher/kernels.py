"""Compiles the kernels once on a machine, before the workers of a search need them."""

import subprocess
import sys

from rich.console import Console

from experiments.config.spec import Spec
from experiments.system.console import waiting
from search_spaces.cells import facts
from search_spaces.kernels import NATIVE
from search_spaces.native import compiled, ready

COMPILING = "compiling the kernels of the recurrent layers, once on this machine (half a minute) ..."
LONGEST_SECONDS = 600.0  # a slow machine needs minutes; each worker compiles for itself if it takes longer


def compile_kernels(spec: Spec, screen: Console) -> None:
    """Lets another process compile the kernels if this search uses them and they are not kept yet.

    If it fails nothing happens here: the workers say why they have another kernel.
    """
    if spec.kernel != NATIVE or not any(facts(cell).native for cell in spec.cells) or ready.missing():
        return
    place = compiled.folder()
    if place is None or compiled.is_whole(place):
        return
    with waiting(screen, COMPILING):
        try:
            subprocess.run([sys.executable, "-m", ready.__name__], capture_output=True, timeout=LONGEST_SECONDS)
        except (OSError, subprocess.TimeoutExpired):
            return
