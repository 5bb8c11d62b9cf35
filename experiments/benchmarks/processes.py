"""A measured run as a process of its own, in an empty folder; where and with what it runs."""

import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from experiments.system.resources import usable_cores
from experiments.system.versions import commit


def measured(module: str, *words: str) -> dict[str, Any]:
    """Runs `python -m module words`; returns the JSON object that it prints last. Ends the benchmark if it fails."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "errors.log"
        with log.open("w") as file:
            done = subprocess.run(
                [sys.executable, "-m", module, *words],
                cwd=folder,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
            )
        if done.returncode:
            raise SystemExit(log.read_text())
    return dict(json.loads(done.stdout.splitlines()[-1]))


def setting(*packages: str) -> str:
    """Commit, machine and versions, for the line above a table."""
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    machine = f"{usable_cores()} cores of {_processor()}, Python {platform.python_version()}"
    return f"commit {commit() or 'unknown'}, {machine}, {versions}"


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    named = re.search(r"^model name\s*: (.+)$", file.read_text(), re.MULTILINE) if file.exists() else None
    return named[1] if named else platform.processor() or platform.machine()
