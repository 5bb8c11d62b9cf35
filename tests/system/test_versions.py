"""What is recorded of this project is its own version and commit, not those of a repository around it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("experiments", "search_spaces", "tracking")
FACTS = """
import json
from experiments.config.spec import Spec
facts = Spec(name="s", task="adding", options={}, cells=["gru"]).facts()
print(json.dumps([facts["commit"], facts["versions"].get("recurrent-search")]))
"""
PINNED = "0123456789abcdef0123456789abcdef01234567"

pytestmark = pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")


def git(folder: Path, *words: str) -> str:
    settings = ("-c", "user.name=A", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *settings, *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def repository(folder: Path) -> str:
    """A repository with one commit of all that lies in the folder; returns the commit."""
    (folder / "thesis.tex").write_text("years of work")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "all")
    return git(folder, "rev-parse", "HEAD")


def copy(to: Path) -> None:
    for name in PACKAGES:
        shutil.copytree(ROOT / name, to / name, ignore=shutil.ignore_patterns("__pycache__", "*.gz"))


def facts(site: Path, **more: str) -> list[Any]:
    """(commit, version) that a search of the copy in `site` records."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        [sys.executable, "-c", FACTS],
        cwd=site.parent,
        env={**outside, **more, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=True,
    )
    return list(json.loads(done.stdout))


@pytest.mark.parametrize("place", [".venv/lib/site-packages", "vendored", "."])
def test_an_installed_copy_has_no_commit_of_the_repository_around_it(tmp_path: Path, place: str) -> None:
    around = repository(tmp_path)
    site = tmp_path / place
    copy(site)
    assert facts(site) == ["", None]
    info = site / "recurrent_search-0.9.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.4\nName: recurrent-search\nVersion: 0.9.1\nSummary: x\n")
    (info / "direct_url.json").write_text(json.dumps({"url": "file:///x", "dir_info": {}}))
    assert facts(site) == ["", "0.9.1"]
    (info / "direct_url.json").write_text(json.dumps({"vcs_info": {"vcs": "git", "commit_id": PINNED}}))
    assert facts(site) == [PINNED, "0.9.1"]
    if place == "vendored":  # and committed there
        git(tmp_path, "add", ".")
        git(tmp_path, "commit", "-q", "-m", "vendored")
        assert facts(site) == [PINNED, "0.9.1"]
    assert around


def test_a_checkout_has_its_own_commit(tmp_path: Path) -> None:
    site, other = tmp_path / "checkout", tmp_path / "other"
    other.mkdir()
    repository(other)
    copy(site)
    (site / "pyproject.toml").write_text('[project]\nname = "recurrent-search"\nversion = "1.2.3"\n')
    own = repository(site)
    assert facts(site) == [own, "1.2.3"]
    assert facts(site, GIT_DIR=str(other / ".git"), GIT_WORK_TREE=str(other)) == [own, "1.2.3"], "in a hook of git"
    (site / "thesis.tex").write_text("more work")
    assert facts(site) == [f"{own}+", "1.2.3"]
