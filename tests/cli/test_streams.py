"""Standard output and error that are closed, a full disk, or read by nobody."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.searching import environment

SHORT = [("--version",), ("tasks", "parity"), ("tasks", "parity", "--json")]  # Python writes them when it ends


def called(*words: str, cwd: Path, program: tuple[str, ...] = ("-m", "experiments"), **more: Any) -> Any:
    """A command as a shell calls it. Python holds back short outputs."""
    buffered = {name: value for name, value in environment(cwd).items() if name != "PYTHONUNBUFFERED"}
    command = [sys.executable, *program, *words]
    return subprocess.run(command, cwd=cwd, env=buffered, stderr=subprocess.PIPE, text=True, check=False, **more)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full disk to try")
@pytest.mark.parametrize("words", SHORT)
def test_an_output_on_a_full_disk_is_an_error(words: tuple[str, ...], tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        done = called(*words, cwd=tmp_path, stdout=full)
    assert (done.returncode, done.stderr) == (2, f"recurrent {words[0]}: output: No space left on device\n")


@pytest.mark.parametrize("words", SHORT)
def test_an_output_that_nobody_reads_is_no_error(words: tuple[str, ...], tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as closed:
        done = called(*words, cwd=tmp_path, stdout=closed)
    assert (done.returncode, done.stderr) == (0, "")


CLOSED = """
import os
import sys

from experiments.cli import streams

for number in (0, 1, 2):
    os.close(number)
sys.stdin = sys.stdout = sys.stderr = None
streams.prepare()
journal = open("journal.jsonl", "w")
os.system("echo an error of native code >&2; echo a word")
print("a line")
print("another line", file=sys.stderr)
os._exit(0 if journal.fileno() > 2 else 1)
"""


def test_a_file_is_not_taken_for_a_stream_that_is_closed(tmp_path: Path) -> None:
    assert called(cwd=tmp_path, program=("-c", CLOSED)).returncode == 0
    assert (tmp_path / "journal.jsonl").read_text() == ""


def test_a_command_runs_without_streams(tmp_path: Path) -> None:
    command = f"{sys.executable} -m experiments tasks parity --json >&- 2>&- <&-"
    assert subprocess.run(command, shell=True, cwd=tmp_path, env=environment(tmp_path)).returncode == 0


@pytest.mark.parametrize(("words", "code"), [(("search", "adding"), 2), (("results",), 2), (("tasks", "parity"), 0)])
def test_a_folder_that_was_deleted(words: tuple[str, ...], code: int, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    command = f"cd gone && rmdir ../gone && {sys.executable} -m experiments {' '.join(words)}"
    done = subprocess.run(command, shell=True, cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True)
    line = f"recurrent {words[0]}: the current folder: expected one that is there, got one that was deleted;"
    assert done.returncode == code
    assert done.stderr == (f"{line} change to another one\n" if code else "")
