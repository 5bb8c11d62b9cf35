"""The limits of this process's control group in Linux, which a container, a batch job or a service may set."""

import math
from collections.abc import Iterator
from pathlib import Path

MOUNTED = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")  # "0::/job" in version 2, "4:memory:/job" in version 1, or both


def memory(mounted: Path = MOUNTED, own: Path = OWN) -> float:
    """The limit of memory in bytes; infinite without a limit."""
    files = [(group, "memory.max") for group in _groups("", mounted, own)]
    files += [(group, "memory.limit_in_bytes") for group in _groups("memory", mounted, own)]
    return min((_limit(fields[0]) for group, name in files if (fields := _fields(group / name))), default=math.inf)


def cores(mounted: Path = MOUNTED, own: Path = OWN) -> float:
    """The limit of processor time, as a number of processors; infinite without a limit."""
    quotas = [_fields(group / "cpu.max") for group in _groups("", mounted, own)]
    for group in _groups("cpu", mounted, own):
        quotas.append([*_fields(group / "cpu.cfs_quota_us"), *_fields(group / "cpu.cfs_period_us")])
    return min((_limit(quota[0]) / int(quota[1]) for quota in quotas if len(quota) == 2), default=math.inf)


def _groups(controller: str, mounted: Path, own: Path) -> Iterator[Path]:
    """The folders of the process's group and of all groups above it. The limits of all these groups hold.

    `controller` is "" for version 2. A container may see its group as the root, although the path in `own` begins
    further up. Such folders do not exist here.
    """
    for line in _lines(own):
        _, controllers, path = line.split(":", 2)
        if controller not in controllers.split(","):
            continue
        folder = mounted / controller
        yield folder
        for part in path.strip("/").split("/"):
            folder = folder / part
            yield folder


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.is_file() else []


def _fields(file: Path) -> list[str]:
    return " ".join(_lines(file)).split()


def _limit(word: str) -> float:
    """The number in a file; infinite for max and -1, which mean no limit."""
    return math.inf if word in ("max", "-1") else float(word)
