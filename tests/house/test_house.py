"""The rules of the house: which versions are pinned, and what a machine without Python is told."""

import os
import re
import shutil
import subprocess
import sysconfig
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def commented(text: str, requirement: str) -> list[tuple[str, str]]:
    """(requirement, comment) of every line of a text that matches the pattern, in order."""
    return re.findall(requirement + r" +# (.+)", text)


def test_environment_yml_equals_pyproject() -> None:
    python, pip, through_pip = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    name, versions = python.split()
    assert (name, SpecifierSet(versions), pip) == ("python", SpecifierSet(PROJECT["requires-python"]), "pip")
    assert through_pip["pip"] == ["-c requirements.lock", *PROJECT["dependencies"], "-e ."]


def test_every_dependency_says_who_needs_it() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    tables = text[text.index("\ndependencies") : text.index("[project.scripts]")]
    reasons = commented(tables, r'"([^"]+)"[],]+')
    named = [*PROJECT["dependencies"], *sum(PROJECT["optional-dependencies"].values(), [])]
    assert [line for line, _ in reasons] == named
    runtime = reasons[: len(PROJECT["dependencies"])]
    assert commented((ROOT / "environment.yml").read_text(encoding="utf-8"), r"      - (\S+)") == runtime


def pins() -> list[Requirement]:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def test_the_lock_holds_versions_alone() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert not re.search(r"://|--hash|--index|--extra-index|--find-links|--trusted-host|\w@|@ ", text)
    for pin in pins():  # Requirement refuses option lines and paths
        assert re.fullmatch(r"==[\w.]+", str(pin.specifier)), pin
        assert not pin.extras, pin  # pip refuses extras in constraints


@pytest.mark.parametrize("system", ["linux", "darwin", "win32"])
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_the_lock_pins_every_direct_dependency(python: str, system: str) -> None:
    machine = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": system}
    here = [pin for pin in pins() if not pin.marker or pin.marker.evaluate(machine)]
    locked = {canonicalize_name(pin.name): Version(str(pin.specifier).removeprefix("==")) for pin in here}
    assert len(locked) == len(here)
    for line in [*PROJECT["dependencies"], *sum(PROJECT["optional-dependencies"].values(), [])]:
        wanted = Requirement(line)
        assert locked[canonicalize_name(wanted.name)] in wanted.specifier, line


def files_of_the_project() -> list[Path]:
    """Every text file that git knows or would add."""
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("no git checkout: the files of the project cannot be told from others")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    paths = [ROOT / os.fsdecode(name) for name in listed.stdout.split(b"\0") if name]
    return [path for path in paths if path.is_file() and path.suffix not in {".png", ".keras", ".npz", ".gz"}]


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    # A short path (the checkout of CI may lie in /src) would be found in harmless words.
    places = {str(place) for place in (ROOT, Path.home(), sysconfig.get_path("purelib")) if len(Path(place).parts) > 2}
    somewhere = re.compile(r"(?<![\w.:/-])/(?:root|home|Users|work)/\w|" + "|".join(map(re.escape, sorted(places))))
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}"
        for path in files_of_the_project()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if somewhere.search(line)
    ]
    assert not found


def test_make_accepts_the_same_pythons_as_pip() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    (bounds,) = re.findall(r"not \(3, (\d+)\) <= sys.version_info\[:2\] < \(3, (\d+)\)", text)
    assert SpecifierSet(">=3.{},<3.{}".format(*bounds)) == SpecifierSet(PROJECT["requires-python"])


def make_install(folder: Path, python: str, search_path: str) -> subprocess.CompletedProcess[str]:
    """`make install` in a copy of the Makefile's folder, as a user would call it."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, folder)
    outer = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "PYTHON"))}
    return subprocess.run(
        ["make", "install", *([f"PYTHON={python}"] if python else [])],
        cwd=folder,
        env={**outer, "PATH": search_path},
        capture_output=True,
        text=True,
    )


def fake(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
@pytest.mark.parametrize(
    ("script", "given", "found"),
    [
        ("echo 3.9", True, "found {python} is 3.9"),
        ("echo 3.14", False, "python3 is 3.14"),
        ("echo 3.12 without venv", False, "python3 is 3.12 without venv"),
        ("echo no such version >&2; exit 127", False, "found no Python that runs as: python3.13 python3.12"),
    ],
)
def test_an_unfit_python_gets_one_clear_line(tmp_path: Path, script: str, given: bool, found: str) -> None:
    commands = tmp_path / "bin"
    commands.mkdir()
    for name in ("make", "sh", "cat", "awk"):
        (commands / name).symlink_to(str(shutil.which(name)))
    python = fake(commands / "python3", script)
    done = make_install(tmp_path, str(python) if given else "", str(commands))
    explanation, *rest = done.stderr.splitlines()
    assert done.returncode == 2
    assert explanation.startswith("expected Python 3.11, 3.12 or 3.13 with venv")
    assert found.format(python=python) in explanation
    assert len(rest) == 1  # make's own
    assert not (tmp_path / ".venv").exists()
