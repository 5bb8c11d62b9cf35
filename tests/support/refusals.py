"""Commands that are refused: one line, exit code 2, and nothing written."""

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.searching import Recurrent, listing, text

# What a search would take seconds for if it was not refused.
SMALL = ("-o", "length=5", "-o", "train=32", "-o", "val=8", "--trials", "1", "--epochs", "1", "--workers", "1")


def refused(done: subprocess.CompletedProcess[str], *expected: str) -> None:
    """One line on standard error that names the command and what was expected; exit code 2."""
    assert done.returncode == 2, done
    (line,) = done.stderr.splitlines()
    assert line.startswith("recurrent"), line
    for word in expected:
        assert word in line
    assert len(line) < 400


def check_refusal(recurrent: Recurrent, folder: Path, words: tuple[str, ...], *expected: str) -> None:
    before = listing(folder)
    done = recurrent(*words, cwd=folder)
    refused(done, *expected)
    assert listing(folder) == before
    assert done.stdout == "", "refused before anything is announced"


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder with some files, and no search."""
    folder = tmp_path_factory.mktemp("user").resolve()
    (folder / "text.txt").write_text(text(5_000, seed=1), encoding="utf-8")
    (folder / "empty.txt").touch()
    (folder / "short.txt").write_text("Too short a story.\n")
    (folder / "latin1.txt").write_bytes("Ångström und Überfluß\n".encode("latin-1") * 200)
    (folder / "directory").mkdir()
    (folder / "results").mkdir()
    (folder / "results" / "thesis.tex").write_text("years of work")
    return folder


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Somebody who listens and never answers."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        yield int(silent.getsockname()[1])
