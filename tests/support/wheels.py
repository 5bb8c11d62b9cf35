"""Packages of Python in a folder, for a pip that reads no index."""

import zipfile
from pathlib import Path

import pytest

from experiments.data.packages import Member


def packed(folder: Path, member: Member, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes a package that has one file, in the same or a further call more, and lets pip find packages there alone."""
    name, _, version = member.package.partition("==")
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "a") as wheel:
        wheel.writestr(member.path, content)
        if f"{name}-{version}.dist-info/WHEEL" not in wheel.namelist():
            wheel.writestr(f"{name}-{version}.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
            about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            wheel.writestr(f"{name}-{version}.dist-info/METADATA", about)
            wheel.writestr(f"{name}-{version}.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
