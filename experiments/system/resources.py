"""What this process may use of the machine: memory and processors."""

import math
import os
import platform
from typing import Any

import psutil

from experiments.system import cgroups
from experiments.system.devices import gpus

SHARE = 0.8  # of the machine's memory that all workers together may use
WORKER_BYTES = 2**30  # memory planned for a worker; TensorFlow uses a third, the default models 40 to 70 % in all


def total_memory() -> int:
    """The machine's memory in bytes, or the limit of this process's control group if it is lower."""
    return int(min(psutil.virtual_memory().total, cgroups.memory()))


def process_memory(process: psutil.Process) -> int:
    """Bytes of memory that a process does not share.

    Pages of mapped files do not count: the workers of a search share the data in this way, and the pages are in memory
    once for all workers. Shared memory does not count either. A system that does not report shared pages gives all
    memory of the process.
    """
    memory = process.memory_info()
    return int(memory.rss - getattr(memory, "shared", 0))


def usable_cores() -> int:
    """Number of processors that this process may use, by its affinity and by its control group."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, math.ceil(min(cores, cgroups.cores())))


def automatic_workers(per_gpu: int = 1) -> int:
    """Workers for each GPU, or one for each core without a GPU; fewer if the memory is too small for them."""
    return min(per_gpu * len(gpus().used) or usable_cores(), max(1, int(SHARE * total_memory() / WORKER_BYTES)))


def machine() -> dict[str, Any]:
    """What this process may use, and the system, for the record of a search. The machine's name is not in it."""
    return {"cores": usable_cores(), "memory": total_memory(), "system": platform.platform(terse=True)}
