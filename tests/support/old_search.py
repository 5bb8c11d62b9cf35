"""The search of an earlier version: tests/fixtures/old_search/README.md says which."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

OLD = Path(__file__).parents[1] / "fixtures" / "old_search"
BINARY = (".npz", ".keras")
APART = ("make.py", "README.md", "mlflow.sql", "__pycache__")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """The folder in which the search `old` was made, at another place."""
    return unpacked(tmp_path)


def unpacked(place: Path) -> Path:
    """Makes that folder below `place`."""
    folder = place.resolve() / "old"
    shutil.copytree(OLD, folder, ignore=shutil.ignore_patterns(*APART))
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix not in BINARY:
            path.write_text(moved(path.read_text("utf-8"), folder), "utf-8")
    with closing(sqlite3.connect(folder / "mlflow.db")) as connection:
        connection.executescript(moved((OLD / "mlflow.sql").read_text("utf-8"), folder))
    return folder


def moved(text: str, folder: Path) -> str:
    return text.replace("file://@ROOT@", folder.as_uri()).replace("@ROOT@", str(folder))
