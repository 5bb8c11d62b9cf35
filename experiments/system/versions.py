"""The versions of Python, of the packages and of this project that a search runs with."""

import json
import os
import platform
import subprocess
import tomllib
from pathlib import Path

PACKAGES = ("tensorflow", "keras", "keras-tuner", "mlflow", "optuna", "numpy")
PROJECT = "recurrent-search"
ROOT = Path(__file__).parents[2]  # the folder of a checkout, or the folder into which packages are installed
GIT_SECONDS = 10.0  # git may hang on a network disk; the search then begins without the commit
# Git sets these variables for its hooks. With them it answers for another repository.
ELSEWHERE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX")


def versions() -> dict[str, str]:
    """The versions of this project, of Python and of the packages."""
    from importlib.metadata import version  # imported here, since it loads email, and a help text should not wait

    own = {PROJECT: found} if (found := own_version()) else {}
    return {**own, "python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def own_version(root: Path = ROOT) -> str:
    """The version of this project; "" if neither a checkout nor pip tells it."""
    file = root / "pyproject.toml"
    if file.is_file():
        project = tomllib.loads(file.read_text("utf-8")).get("project", {})
        if project.get("name") == PROJECT:
            return str(project["version"])
    return _noted("METADATA").partition("\nVersion: ")[2].partition("\n")[0].strip()


def commit() -> str:
    """The git commit of this project's own files.

    In a checkout it ends with "+" if files have changed since. A copy that pip has installed from a repository has the
    commit that pip has noted. Any other copy has none, and the answer is "". The commit of a repository around such a
    copy says nothing of it.
    """
    # Git names a tracked file by its place in its repository. In a repository around a copy that is another place.
    if _git("ls-files", "--full-name", "--", "versions.py") == "experiments/system/versions.py":
        return _git("describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*")
    return str(json.loads(_noted("direct_url.json") or "{}").get("vcs_info", {}).get("commit_id", ""))


def _git(*words: str) -> str:
    """The answer of a git command in the folder of this file; "" if it has none."""
    try:
        done = subprocess.run(
            ["git", *words],
            cwd=Path(__file__).parent,
            env={name: value for name, value in os.environ.items() if name not in ELSEWHERE},
            capture_output=True,
            text=True,
            timeout=GIT_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def _noted(name: str) -> str:
    """The text of a file that pip has written about the copy in this folder; "" if there is none."""
    found = ROOT.glob(f"{PROJECT.replace('-', '_')}-*.dist-info/{name}")  # PEP 427 has this name
    return next((file.read_text("utf-8") for file in found), "")
