"""What a search was run with: versions of Python and the packages, and the commit of this project."""

import platform
import subprocess
from pathlib import Path

PACKAGES = ("tensorflow", "keras", "keras-tuner", "mlflow", "optuna", "numpy")
ASKING_SECONDS = 10.0  # git gets so long to answer; on a network disk it may hang


def versions() -> dict[str, str]:
    """Python's and the packages' versions."""
    from importlib.metadata import version  # brings email with it, which no help text waits for

    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def commit() -> str:
    """The git commit of this project's own files, "+" behind it where they differ from it; "" outside a checkout."""
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=ASKING_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found.stdout.strip()
