"""Files are written whole, by many processes at a time, and what a killed one has left goes."""

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.system.files import link, replacing, write_bytes, write_json

WRITERS, ROUNDS, SIZE = 8, 40, 200_000


def write_many(path: Path, byte: bytes, durable: bool) -> None:
    for _ in range(ROUNDS):
        write_bytes(path, byte * SIZE, durable)


@pytest.mark.parametrize("durable", [True, False])
def test_eight_processes_write_one_file(tmp_path: Path, durable: bool) -> None:
    path, fork = tmp_path / "file", multiprocessing.get_context("fork")
    writers = [fork.Process(target=write_many, args=(path, bytes([65 + n]), durable)) for n in range(WRITERS)]
    for writer in writers:
        writer.start()
    seen = set()
    while any(writer.is_alive() for writer in writers):
        if path.exists():
            content = path.read_bytes()
            assert content == content[:1] * SIZE
            seen.add(content[:1])
    assert [writer.exitcode for writer in writers] == [0] * WRITERS
    assert len(seen) > 1 and list(tmp_path.iterdir()) == [path]


KILLED = """
import os, pathlib, sys
from experiments.system.files import replacing
for path in map(pathlib.Path, sys.argv[1:]):
    with replacing(path) as temporary:
        temporary.write_bytes(b"half")
        if path == pathlib.Path(sys.argv[-1]):
            os._exit(9)
"""


def test_what_a_killed_writer_has_left_goes_with_the_next_one(tmp_path: Path) -> None:
    path, other = tmp_path / "model.keras", tmp_path / "new-model.keras"
    other.write_bytes(b"a user's")
    assert subprocess.run([sys.executable, "-c", KILLED, str(path)]).returncode == 9
    (left,) = set(tmp_path.iterdir()) - {other}
    assert left.suffix == ".keras"
    write_json(tmp_path / "spec.json", {})
    assert left.exists()  # it is none of that file's
    write_bytes(path, b"whole")
    assert (path.read_bytes(), left.exists(), other.exists()) == (b"whole", False, True)


def test_a_living_writer_keeps_its_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with replacing(path) as temporary:
        temporary.write_bytes(b"first")
        child = subprocess.run([sys.executable, "-c", KILLED.replace("os._exit(9)", "pass"), str(path)])
        assert (child.returncode, path.read_bytes(), temporary.read_bytes()) == (0, b"half", b"first")
    assert path.read_bytes() == b"first"


def test_a_replacement_that_fails_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_bytes(b"new")
        raise RuntimeError
    assert {found: found.read_bytes() for found in tmp_path.iterdir()} == {path: b"old"}
    with pytest.raises(OSError) as raised:
        write_bytes(tmp_path / "missing" / "file", b"")
    assert raised.value.filename == os.fspath(tmp_path / "missing" / "file")


@pytest.mark.parametrize("links", [True, False])
def test_a_second_name_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    """A later change of one of the two leaves the other as it was, also where the file system has no hard links."""
    first, second = tmp_path / "first", tmp_path / "second"

    def refuse(*_: object) -> None:
        raise OSError("not supported")

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    write_bytes(second, b"old")
    write_bytes(first, b"one")
    link(second, first)
    assert (second.read_bytes(), second.samefile(first)) == (b"one", links)
    write_bytes(second, b"two")
    assert (first.read_bytes(), second.read_bytes()) == (b"one", b"two")
    link(second, first)
    first.unlink()
    assert second.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [second]
