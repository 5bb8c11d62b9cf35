"""What this process may use of the machine: memory, processors and GPUs."""

import glob
import importlib.util
import math
import os

import psutil

from experiments.system import cgroups

SHARE = 0.8  # of the machine's memory is for all workers together
ENOUGH = 2**30  # bytes for a worker: TensorFlow takes 0.3 of them, with the models of the defaults 0.4 to 0.7


def total_memory() -> int:
    """Bytes that all workers together may have: the machine's, or what this process is given of them."""
    return int(min(psutil.virtual_memory().total, cgroups.memory()))


def process_memory(process: psutil.Process) -> int:
    """Bytes that a process has for itself.

    Pages of files that it has mapped do not count: the workers of a search share the data in this way, and the pages
    are in memory once for all of them. Memory that is made to be shared does not count either. A system that cannot
    tell these apart gives all that the process has.
    """
    found = process.memory_info()
    return int(found.rss - getattr(found, "shared", 0))


def gpus() -> list[str]:
    """The GPUs that workers may use, by the names that CUDA_VISIBLE_DEVICES has for them; found without TensorFlow.

    Without that variable they count if NVIDIA's libraries are installed (the extra `gpu`): else none could be used.
    """
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        return [name for name in os.environ["CUDA_VISIBLE_DEVICES"].split(",") if name and name != "-1"]
    if importlib.util.find_spec("nvidia") is None:
        return []
    return [str(index) for index in range(len(glob.glob("/dev/nvidia[0-9]*")))]


def usable_cores() -> int:
    """The processors that this process may use, and whose time it is given."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, math.ceil(min(cores, cgroups.cores())))


def automatic_workers() -> int:
    """One for each GPU, else one for each core; fewer where the memory is too small for so many."""
    return min(len(gpus()) or usable_cores(), max(1, int(SHARE * total_memory() / ENOUGH)))
