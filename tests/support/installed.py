"""A Python of its own that has only what a file of requirements names."""

import subprocess
import venv
from pathlib import Path


def only_with(requirements: Path, folder: Path) -> str:
    """Makes the environment below `folder`; returns its Python."""
    venv.create(folder / "venv", with_pip=True)
    python = str(folder / "venv" / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", str(requirements)], check=True)
    return python
