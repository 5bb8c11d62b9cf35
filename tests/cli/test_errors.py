"""Who is told what: a line for what a user can mend, a traceback for a defect of ours."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.searching import Recurrent, environment, run

from experiments import errors
from experiments.cli.commands import doctor, tasks
from tracking.errors import RecurrentError

TASK = """
from dataclasses import dataclass
from typing import ClassVar
import numpy as np
from experiments.tasks.base import Task, option

@dataclass(frozen=True, kw_only=True)
class Mine(Task):
    metric: ClassVar[str] = "mse"
    knob: ClassVar[str] = "length"
    loss: ClassVar[str] = "mse"
    length: int = option(5, "steps", 1)
    features = outputs = 1

    def sample(self, rng, count):
        raise ValueError("no samples\\nin this house")

    def floors(self, split="val"):
        return np.zeros((2, 3)) @ np.zeros((2, 3))
"""
DEFECT = "this is a defect of recurrent-search"


def test_a_defect_of_ours_shows_its_traceback(
    recurrent: Recurrent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("an internal mistake")

    monkeypatch.setattr(tasks, "entries", broken)
    done = recurrent("tasks", cwd=tmp_path)
    first, *rest = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (1, "")
    assert (
        first.startswith(DEFECT) and rest[0].startswith("Traceback") and rest[-1] == "ValueError: an internal mistake"
    )


@pytest.mark.parametrize("debug", [False, True])
def test_what_a_user_can_mend_is_one_line(
    recurrent: Recurrent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, debug: bool
) -> None:
    if debug:
        monkeypatch.setenv("RECURRENT_DEBUG", "1")
    done = recurrent("tasks", "addding", cwd=tmp_path)
    *before, last = done.stderr.splitlines()
    assert done.returncode == 2 and last.startswith("recurrent tasks: task: expected one of adding, ")
    assert (before[:1] == ["Traceback (most recent call last):"]) is debug and DEFECT not in done.stderr


def named(error: OSError, file: str) -> OSError:
    """An error that a library raises without the system's words, and with a file."""
    error.filename = file
    return error


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (FileNotFoundError(2, "No such file or directory", "x.txt"), "x.txt: No such file or directory"),
        (named(OSError("odd"), "x.txt"), "x.txt: odd"),
        (named(OSError(), "x.txt"), "x.txt: OSError"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (MemoryError("too large"), "expected what fits into memory, got: too large"),
    ],
)
def test_the_systems_errors_are_one_line(
    recurrent: Recurrent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, line: str
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("experiments.launcher.doctor.findings", fail)
    assert doctor.EXAMPLE
    done = recurrent("doctor", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, f"recurrent doctor: {line}\n")


@pytest.mark.parametrize("error", [OSError("odd"), OSError(9, "Bad file descriptor")], ids=str)
def test_an_error_of_the_system_without_a_file_is_a_defect(
    recurrent: Recurrent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    """Nobody can mend what has no name."""

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("experiments.launcher.doctor.findings", fail)
    done = recurrent("doctor", cwd=tmp_path)
    first, *rest = done.stderr.splitlines()
    assert done.returncode == 1 and first.startswith(DEFECT) and rest[-1] == f"OSError: {error}"


def test_a_plain_error_of_a_users_file_is_one_line(recurrent: Recurrent, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(TASK)
    number = 1 + TASK.splitlines().index('        raise ValueError("no samples\\nin this house")')
    done = recurrent("search", "mine.py", cwd=tmp_path)
    where = f"{tmp_path / 'mine.py'}, line {number}"
    assert (done.returncode, done.stderr) == (2, f"recurrent search: {where}: ValueError: no samples\n")


def test_a_library_that_a_users_file_calls_is_the_users_fault(recurrent: Recurrent, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(TASK)
    done = recurrent("tasks", "mine.py", cwd=tmp_path)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 2 and line.startswith(f"recurrent tasks: {tmp_path / 'mine.py'}, line ")
    assert "ValueError: matmul" in line


def test_ctrl_c_and_a_closed_pipe_are_no_errors(
    recurrent: Recurrent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for error, code in ((KeyboardInterrupt(), 130), (BrokenPipeError(), 0)):

        def end(*_: object, error: BaseException = error) -> None:
            raise error

        monkeypatch.setattr(tasks, "entries", end)
        monkeypatch.setattr(os, "dup2", lambda *_: None)
        done = recurrent("tasks", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (code, "")


def test_every_error_is_named_where_scripts_look_for_it() -> None:
    assert all(issubclass(getattr(errors, name), RecurrentError) for name in errors.__all__)
    assert issubclass(errors.Unreachable, errors.StoreError) and issubclass(errors.Denied, errors.StoreError)


def test_what_libraries_say_is_not_shown_beside_a_users_error(tmp_path: Path) -> None:
    """TensorFlow and Keras write to standard error before the data turn out to be too large."""
    words = ("kernels", "--cells", "gru", "--lengths", "1000000000", "--widths", "16")
    done = run(*words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("recurrent kernels: expected what fits into memory, got: ")
    assert done.stderr.count("\n") == 1


def test_keras_has_nothing_to_warn_of(tmp_path: Path) -> None:
    warnings = {"PYTHONWARNINGS": "error::UserWarning"}
    words = ["kernels", "--cells", "gru", "--lengths", "2", "--widths", "16", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "experiments", *words],
        cwd=tmp_path,
        env=environment(tmp_path) | warnings,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
