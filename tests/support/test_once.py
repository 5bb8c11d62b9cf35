"""What all processes of pytest share is made once, and nobody waits for one that fails."""

import threading
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from support import once as sharing
from support.once import once


@pytest.fixture
def factory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    class Factory:
        def getbasetemp(self) -> Path:
            return tmp_path / "popen-gw0"

    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    return Factory()


def test_it_is_made_once(factory: Any, tmp_path: Path) -> None:
    made: list[Path] = []
    seen: list[str] = []

    def make(folder: Path) -> str:
        made.append(folder)
        return "made"

    threads = [threading.Thread(target=lambda: seen.append(once(factory, "search", make))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == ["made"] * 4
    assert made == [tmp_path / "search"]


def test_a_failure_is_told_to_all_and_not_repeated(factory: Any) -> None:
    tries: list[Path] = []

    def fail(folder: Path) -> None:
        tries.append(folder)
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        once(factory, "search", fail)
    with pytest.raises(pytest.fail.Exception, match="search cannot be made: OSError.*no room"):
        once(factory, "search", fail)
    assert len(tries) == 1


def test_what_a_killed_process_left_is_made_again(factory: Any, tmp_path: Path) -> None:
    (tmp_path / "search").mkdir()
    (tmp_path / "search" / "half").touch()
    assert once(factory, "search", lambda folder: [path.name for path in folder.iterdir()]) == []


def test_a_process_that_hangs_is_not_waited_for_without_end(
    factory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "LOCKED_SECONDS", 0.1)
    with FileLock(tmp_path / "search.lock"), pytest.raises(TimeoutError):
        once(factory, "search", lambda folder: None)
