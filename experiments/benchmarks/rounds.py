"""What every benchmark needs: options, processes, rounds, medians, tables and the line that names the machine."""

import argparse
import importlib
import json
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from experiments.system.resources import usable_cores
from experiments.system.versions import commit

Run = dict[str, Any]  # what one measured process has found


def make_parser(text: str | None, rounds: int = 0, sides: Sequence[str] = ()) -> argparse.ArgumentParser:
    """A parser whose help begins with `text`. It has --rounds if `rounds` is given, --sides if `sides` are."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    if rounds:
        parser.add_argument(
            "--rounds", type=int, default=rounds, help=f"measures everything N times (default: {rounds})", metavar="N"
        )
    if sides:
        parser.add_argument(
            "--sides",
            type=lambda text: _some(text, sides),
            default=list(sides),
            help="measures only these, separated by semicolons (default: all)",
        )
    return parser


def _some(text: str, known: Sequence[str]) -> list[str]:
    sides = text.split(";")
    if unknown := [side for side in sides if side not in known]:
        raise argparse.ArgumentTypeError(f"expected some of {'; '.join(known)}, got {unknown[0]!r}")
    return sides


def call_in_process(function: Callable[..., Run], *arguments: Any) -> Run:
    """Calls a function in a new process, in an empty current folder, and returns its result.

    The function is a module's. Its arguments and its result are JSON values. If it fails, the benchmark ends and shows
    what the process wrote to stderr.
    """
    module: Any = sys.modules[function.__module__]  # its name is "__main__" if it was started with `python -m`
    words = ["-m", __name__, module.__spec__.name, function.__name__, json.dumps(arguments)]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the process and its folder end with the benchmark
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "errors.log"
        with log.open("w") as file:
            done = subprocess.run(
                [sys.executable, *words], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=file, text=True
            )
        if done.returncode:
            raise SystemExit(log.read_text())
    return dict(json.loads(done.stdout.splitlines()[-1]))


def run_rounds(
    sides: Sequence[str], count: int, run: Callable[[str, int], Run], shown: bool = True
) -> dict[str, list[Run]]:
    """Runs every side once a round, and prints each result unless `shown` is False.

    Every second round goes through the sides backwards. A machine that becomes slower then favours no side.

    Args:
        run: called with the side and the number of the round, from 0.
    """
    found: dict[str, list[Run]] = {side: [] for side in sides}
    for number in range(count):
        for side in sides if number % 2 == 0 else reversed(sides):
            found[side].append(run(side, number))
            if shown:
                print(f"{side:<26} {json.dumps(found[side][-1])}", flush=True)
    return found


def medians(found: dict[str, list[Run]]) -> dict[str, Run]:
    """Each side's medians over the rounds. The first round has every name; a later one may lack some."""
    return {
        side: {name: statistics.median(run[name] for run in runs if name in run) for name in runs[0]}
        for side, runs in found.items()
    }


def print_row(*cells: str) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)


def print_head(*names: str) -> None:
    """The first two lines of a Markdown table."""
    print_row(*names)
    print(f"|{'---|' * len(names)}")


def setting(*packages: str) -> str:
    """Commit, machine and versions, for the line above a table."""
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    machine = f"{usable_cores()} cores of {_processor()}, Python {platform.python_version()}"
    return f"commit {commit() or 'unknown'}, {machine}, {versions}"


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    named = re.search(r"^model name\s*: (.+)$", file.read_text(), re.MULTILINE) if file.exists() else None
    return named[1] if named else platform.processor() or platform.machine()


def main() -> None:
    """The process of `call_in_process`: its words are a module, a function and the arguments as JSON."""
    module, function, arguments = sys.argv[1:]
    print(json.dumps(getattr(importlib.import_module(module), function)(*json.loads(arguments))))


if __name__ == "__main__":
    main()
