"""What a terminal and a file get: names as they are, lines wrapped between words, frames in a terminal alone."""

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from rich.text import Text
from support.searching import NotRefused, Recurrent, environment, run

from experiments.cli.tables import in_lines
from experiments.system.console import console, say, waiting

SMALL = ("--cells", "gru", "--depth", "1", "--width", "16", "--trials", "1", "--epochs", "1", "--workers", "1")
FRAME = re.compile(r"\x1b\[(\d*[A-K]|\?25[lh])")  # moves the cursor, erases, or hides the cursor


def test_brackets_in_a_name_are_no_markup(
    recurrent: Recurrent, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "data[v2].npz", x=rng.normal(size=(64, 5, 1)), y=rng.normal(size=64))
    with pytest.raises(NotRefused):
        recurrent("search", "data[v2].npz", "--name", "b", *SMALL, cwd=tmp_path)
    assert "\nb: data[v2], gru; space: " in f"\n{capfd.readouterr().out}"


def test_a_file_gets_no_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FORCE_COLOR asks for colours, not for a display that is drawn again and again."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    done = run("search", "adding", "-o", "length=8", "-o", "train=64", "--name", "f", *SMALL, cwd=tmp_path)
    assert done.returncode == 0 and "\x1b[1m" in done.stdout, "bold text is asked for"
    assert not FRAME.search(done.stdout + done.stderr)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
    assert [line.split()[:4] for line in plain.splitlines() if "1/1" in line] == [["1/1", "0000", "gru-16", "MSE"]]


def test_a_terminal_hears_what_is_waited_for(tmp_path: Path) -> None:
    """The search is refused by its store after the data are made, so that the test need not train."""
    ours, theirs = pty.openpty()
    words = ("search", "adding", "--name", "w", *SMALL, "--tracking-uri", "sqlite:///none/mlflow.db")
    with subprocess.Popen(
        [sys.executable, "-m", "experiments", *words],
        cwd=tmp_path,
        env=environment(tmp_path) | {"TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        said = b""
        while chunk := _read(ours):
            said += chunk
    os.close(ours)
    assert process.returncode == 2
    assert said.index(b"making the data of adding ...") < said.index(b"adding, gru; space: ")


def _read(terminal: int) -> bytes:
    """What the terminal shows next; nothing when its last program has ended."""
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says the end so
        return b""


def terminal(width: int) -> Console:
    return Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)


def shown(screen: Console) -> str:
    return str(screen.file.getvalue())  # type: ignore[attr-defined]


def test_lines_are_wrapped_between_words_in_a_terminal_and_whole_in_a_file() -> None:
    text = "models with less memory score this much: " + ", ".join(f"floor number {number} 0.25" for number in range(9))
    narrow, file = terminal(80), Console(file=io.StringIO(), width=80)
    for screen in (narrow, file):
        say(screen, Text(text))
    lines = shown(narrow).splitlines()
    assert all(len(line) <= 80 for line in lines) and len(lines) > 2
    assert " ".join(line.strip() for line in lines) == text, "no word is cut"
    assert shown(file) == f"{text}\n"


def test_nothing_is_waited_for_in_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    with waiting(console(), "starting ...") as update:
        update("still starting ...")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("name", "columns", "lines"),
    [
        ("gru-16", 20, ["gru-16"]),
        ("lstm-32+gru-16", 20, ["lstm-32+gru-16"]),
        ("simple_rnn-128+lstm-128+gru-16", 20, ["simple_rnn-128+", "lstm-128+gru-16"]),
        ("simple_rnn-128+lstm-128", 5, ["simple_rnn-128+", "lstm-128"]),
    ],
)
def test_a_long_name_is_cut_between_layers(name: str, columns: int, lines: list[str]) -> None:
    assert in_lines(name, columns).splitlines() == lines
