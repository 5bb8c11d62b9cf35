"""How much memory there is, and how much a worker costs."""

from pathlib import Path

import psutil

CGROUPS = Path("/sys/fs/cgroup")
LIMITS = ("memory.max", "memory/memory.limit_in_bytes")  # of a container's own group, in version 2 and 1


def total(cgroups: Path = CGROUPS) -> int:
    """Bytes that all workers together may have: the machine's, or what a container is given of them."""
    most = psutil.virtual_memory().total
    for file in (cgroups / name for name in LIMITS):
        given = file.read_text().strip() if file.is_file() else "max"
        most = most if given == "max" else min(most, int(given))
    return most


def own(process: psutil.Process) -> int:
    """Bytes that a process has for itself.

    Pages of files that it has mapped, such as the data that all workers share, are there once for all of them; memory
    that is made to be shared does not count either. Where the system does not tell these apart, all that it has.
    """
    found = process.memory_info()
    return int(found.rss - getattr(found, "shared", 0))
