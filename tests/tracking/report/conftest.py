"""Searches that reports are made of: `small` has 12 trials, `twin` 9 of the same task, `other` 9 of another task."""

from pathlib import Path

import pytest
from support.reported import found, write_search

from tracking.report.gather import Search, gather


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a store with the three searches."""
    folder = tmp_path_factory.mktemp("reported").resolve()
    write_search(folder, "small", 12)
    write_search(folder, "twin", 9, seed=1, oracle="random")
    write_search(folder, "other", 9, seed=2, options={"length": "200"}, digest="1" * 64)
    return folder


@pytest.fixture
def small(store: Path) -> Search:
    return gather(*found(store, "small"))


@pytest.fixture
def twin(store: Path) -> Search:
    return gather(*found(store, "twin"))


@pytest.fixture
def other(store: Path) -> Search:
    return gather(*found(store, "other"))
