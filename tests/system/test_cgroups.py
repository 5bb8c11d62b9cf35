"""What a process is given of a machine: by hand-made files, and by the real ones where this test may make a group."""

import math
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from experiments.system import cgroups, resources
from experiments.system.devices import Gpus

JOB, UNLIMITED = "0::/slurm/job_7\n", "9223372036854771712\n"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return tmp_path / "own"


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_without_groups(tmp_path: Path, own: Path) -> None:
    assert cgroups.memory(tmp_path, own) == cgroups.cores(tmp_path, own) == math.inf


def test_the_least_of_a_group_and_all_above_it(tmp_path: Path, own: Path) -> None:
    own.write_text(JOB)
    write(tmp_path / "slurm" / "memory.max", f"{2**32}\n")
    write(tmp_path / "slurm" / "job_7" / "memory.max", "max\n")
    write(tmp_path / "slurm" / "cpu.max", "max 100000\n")
    write(tmp_path / "slurm" / "job_8" / "memory.max", "1\n")
    assert (cgroups.memory(tmp_path, own), cgroups.cores(tmp_path, own)) == (2**32, math.inf)
    write(tmp_path / "slurm" / "job_7" / "memory.max", f"{2**31}\n")
    write(tmp_path / "slurm" / "job_7" / "cpu.max", "150000 100000\n")
    assert (cgroups.memory(tmp_path, own), cgroups.cores(tmp_path, own)) == (2**31, 1.5)


def test_version_1(tmp_path: Path, own: Path) -> None:
    own.write_text("8:cpuset:/\n4:memory:/docker/abc\n2:cpu,cpuacct:/\n0::/\n")
    write(tmp_path / "memory" / "memory.limit_in_bytes", UNLIMITED)
    write(tmp_path / "cpu" / "cpu.cfs_quota_us", "-1\n")
    write(tmp_path / "cpu" / "cpu.cfs_period_us", "100000\n")
    assert cgroups.memory(tmp_path, own) > 2**60 and cgroups.cores(tmp_path, own) == math.inf
    write(tmp_path / "memory" / "docker" / "abc" / "memory.limit_in_bytes", f"{2**30}\n")
    write(tmp_path / "cpu" / "cpu.cfs_quota_us", "200000\n")
    assert (cgroups.memory(tmp_path, own), cgroups.cores(tmp_path, own)) == (2**30, 2.0)


def test_a_container_that_sees_its_own_group_as_the_root(tmp_path: Path, own: Path) -> None:
    own.write_text("4:memory:/docker/abc\n0::/../../outside\n")
    write(tmp_path / "memory.max", f"{2**29}\n")
    write(tmp_path / "memory" / "memory.limit_in_bytes", f"{2**30}\n")
    assert cgroups.memory(tmp_path, own) == 2**29


@pytest.mark.parametrize(
    ("gib", "cores", "cards", "workers"),
    [(64.0, 8.0, 0, 8), (4.0, 8.0, 0, 3), (0.5, 8.0, 0, 1), (64.0, 1.5, 0, 2), (64.0, 0.5, 0, 1), (64.0, 1.0, 4, 4)],
)
def test_automatic_workers(monkeypatch: pytest.MonkeyPatch, gib: float, cores: float, cards: int, workers: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    monkeypatch.setattr(cgroups, "memory", lambda: gib * 2**30)
    monkeypatch.setattr(cgroups, "cores", lambda: cores)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=2**40))
    monkeypatch.setattr(resources, "gpus", lambda: Gpus(cards, tuple(map(str, range(cards)))))
    assert resources.total_memory() == gib * 2**30
    assert resources.automatic_workers() == workers


@pytest.fixture
def group() -> Iterator[Path]:
    """A group of this machine, for the process that joins it."""
    made = cgroups.MOUNTED / "memory" / f"recurrent-search-{os.getpid()}"
    try:
        made.mkdir()
    except OSError:
        pytest.skip("this user may not make groups of version 1")
    yield made
    with suppress(OSError):
        made.rmdir()


def test_a_real_group(group: Path) -> None:
    (group / "memory.limit_in_bytes").write_text(str(2**31))
    code = "from experiments.system.resources import total_memory; print(total_memory())"
    code = f"open('{group}/cgroup.procs', 'w').write('0'); {code}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == (f"{2**31}\n", "")
