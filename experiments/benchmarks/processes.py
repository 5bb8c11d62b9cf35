"""A measured run as a process of its own, in an empty folder."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any


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
