"""The versions of Python, of the packages and of this project that a search runs with."""

import platform
import subprocess
from pathlib import Path

PACKAGES = ("tensorflow", "keras", "keras-tuner", "mlflow", "optuna", "numpy")
GIT_SECONDS = 10.0  # git may hang on a network disk; the search then begins without the commit


def versions() -> dict[str, str]:
    """Python's and the packages' versions."""
    from importlib.metadata import version  # imported here, since it loads email, and a help text should not wait

    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def own_version() -> str:
    """The version of this project."""
    from importlib.metadata import version

    return version("recurrent-search")


def commit() -> str:
    """The git commit of this project, with "+" behind it if the files have changed since; "" outside a checkout."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=GIT_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return described.stdout.strip()
