"""A user's task whose data depend on more than the seed, or that changes the process it runs in."""

import json
from pathlib import Path

import pytest
from support.searching import RECURRENT, NotRefused, Recurrent, run

TASK = '''"""Majority: more ones than zeros."""
import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from experiments.tasks.base import Arrays, Task, option

BEGIN


@dataclass(frozen=True, kw_only=True)
class Majority(Task):
    metric: ClassVar[str] = "accuracy"
    direction: ClassVar[str] = "max"
    knob: ClassVar[str] = "length"
    loss: ClassVar[str] = "categorical"

    length: int = option(5, "steps", 1)

    @property
    def tokens(self) -> int:
        return 2

    @property
    def outputs(self) -> int:
        return 2

    def sample(self, rng: np.random.Generator, count: int) -> Arrays:
        x = DRAW
        return x, (2 * x.sum(axis=1) > self.length).astype(np.int32)

    def floors(self, split: str = "val") -> dict[str, float]:
        return {"no_memory": 0.5}
'''
DRAW = "rng.integers(0, 2, (count, self.length), np.int32)"
SEARCH = (
    *("search", "tasks/my_task.py", "-o", "train=64", "-o", "val=16", "-o", "test=16", "--cells", "gru"),
    *("--depth", "1", "--width", "8", "--epochs", "1", "--workers", "1", "--oracle", "random", "--trials", "1"),
    *("--learning-rate", "0.01", "--no-horizon", "--name", "t"),
)


def write(folder: Path, begin: str = "", draw: str = DRAW) -> None:
    (folder / "tasks").mkdir()
    (folder / "tasks" / "my_task.py").write_text(TASK.replace("BEGIN", begin).replace("DRAW", draw))


@pytest.mark.parametrize(
    "draw",
    [
        "np.random.randint(0, 2, (count, self.length)).astype(np.int32)",
        "np.array([list({str(i) for i in range(99)}).index(str(n % 99)) % 2 for n in range(count * self.length)],"
        " np.int32).reshape(count, -1)",
    ],
    ids=["another generator", "the order of a set"],
)
def test_data_that_differ_between_processes_end_the_search(tmp_path: Path, draw: str) -> None:
    write(tmp_path, draw=draw)
    done = run(*SEARCH, cwd=tmp_path, program=RECURRENT)  # each new process orders a set in another way
    expected = "recurrent search: data: expected the same in every process, got others; does the task depend on "
    assert done.returncode == 1 and done.stderr.splitlines()[-1].startswith(expected), done


def test_a_task_that_changes_the_folder_moves_no_search(recurrent: Recurrent, tmp_path: Path) -> None:
    write(tmp_path, begin="os.chdir(Path(__file__).parent)")
    with pytest.raises(NotRefused):
        recurrent(*SEARCH, cwd=tmp_path)
    assert (tmp_path / "searches" / "t" / "spec.json").exists()
    assert {path.name for path in (tmp_path / "tasks").iterdir()} - {"__pycache__"} == {"my_task.py"}


def test_a_neighbour_that_a_function_imports_is_named(recurrent: Recurrent, tmp_path: Path) -> None:
    write(tmp_path, draw="__import__('late_helper').draw(rng)")
    (tmp_path / "tasks" / "late_helper.py").touch()
    for words in (SEARCH, ("tasks", "tasks/my_task.py")):
        done = recurrent(*words, cwd=tmp_path)
        expected = "ModuleNotFoundError: No module named 'late_helper'; import it at the top of the file\n"
        assert done.returncode == 2 and done.stderr.endswith(expected)


def test_a_task_may_replace_pythons_path(recurrent: Recurrent, tmp_path: Path) -> None:
    write(tmp_path, begin="import sys\nsys.path = [place for place in sys.path if 'tasks' not in place]")
    done = recurrent("tasks", "tasks/my_task.py", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_a_task_prints_is_no_part_of_json(recurrent: Recurrent, tmp_path: Path) -> None:
    write(tmp_path, begin="print('reading the data')")
    done = recurrent("tasks", "tasks/my_task.py", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["task"] == "tasks/my_task.py"
    assert (done.returncode, done.stderr) == (0, "reading the data\n")
