"""How much memory a worker costs."""

import psutil


def own(process: psutil.Process) -> int:
    """Bytes that a process has for itself.

    Pages of files that it has mapped, such as the data that all workers share, are there once for all of them; memory
    that is made to be shared does not count either. Where the system does not tell these apart, all that it has.
    """
    found = process.memory_info()
    return int(found.rss - getattr(found, "shared", 0))
