"""The variables that a search sets are those of its own process, and only while it runs."""

import os
from pathlib import Path

import pytest

from experiments.system.environment import environment
from search_spaces.native.compiled import NUMBA_FOLDER, folder


def test_kernels_are_kept_in_the_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECURRENT_SEARCH_CACHE", str(tmp_path))
    monkeypatch.delenv(NUMBA_FOLDER)
    with environment():
        place = folder()
        assert place is not None and place.parent == tmp_path / "native"
    assert NUMBA_FOLDER not in os.environ, "the rest of a user's program has its own folder"


def test_a_folder_that_a_user_has_named_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NUMBA_FOLDER, str(tmp_path))
    with environment():
        place = folder()
        assert place is not None and place.parent == tmp_path
    assert os.environ[NUMBA_FOLDER] == str(tmp_path)
