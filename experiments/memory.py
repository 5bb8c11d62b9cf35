"""How much memory there is, and how much a worker costs."""

import psutil

from experiments import cgroups


def total() -> int:
    """Bytes that all workers together may have: the machine's, or what this process is given of them."""
    return int(min(psutil.virtual_memory().total, cgroups.memory()))


def own(process: psutil.Process) -> int:
    """Bytes that a process has for itself.

    Pages of files that it has mapped, such as the data that all workers share, are there once for all of them; memory
    that is made to be shared does not count either. Where the system does not tell these apart, all that it has.
    """
    found = process.memory_info()
    return int(found.rss - getattr(found, "shared", 0))
