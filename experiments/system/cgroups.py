"""What Linux lets this process's control group have: a container's, a batch job's, or a service's."""

import math
from collections.abc import Iterator
from pathlib import Path

MOUNTED = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")  # "0::/job" in version 2, "4:memory:/job" in version 1, or both


def memory(mounted: Path = MOUNTED, own: Path = OWN) -> float:
    """Bytes; infinite without a limit."""
    files = [(group, "memory.max") for group in _groups("", mounted, own)]
    files += [(group, "memory.limit_in_bytes") for group in _groups("memory", mounted, own)]
    return min((_number(words[0]) for group, name in files if (words := _words(group / name))), default=math.inf)


def cores(mounted: Path = MOUNTED, own: Path = OWN) -> float:
    """Processors' worth of time; infinite without a limit."""
    found = [_words(group / "cpu.max") for group in _groups("", mounted, own)]
    for group in _groups("cpu", mounted, own):
        found.append([*_words(group / "cpu.cfs_quota_us"), *_words(group / "cpu.cfs_period_us")])
    return min((_number(words[0]) / int(words[1]) for words in found if len(words) == 2), default=math.inf)


def _groups(controller: str, mounted: Path, own: Path) -> Iterator[Path]:
    """The folders of the process's group and of all above it, whose limits hold, too; "" is version 2.

    A container may see its own group as the root, and be told of it by a path that it does not see.
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


def _words(file: Path) -> list[str]:
    return " ".join(_lines(file)).split()


def _number(word: str) -> float:
    """-1 and max are no limit."""
    return math.inf if word in ("max", "-1") else float(word)
