"""A task in a user's file: whatever is wrong with it is one line, before anything is trained or written."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.searching import NotRefused, Recurrent, listing

from experiments.tasks import base
from experiments.tasks.loading import find
from experiments.tasks.loading.checks import check_data, check_floors, check_solved
from experiments.tasks.loading.digest import digest_of
from experiments.training.scoring import scorer
from tracking.errors import DataError

GOOD = '''"""The first of some letters.

    x  a b c     y  a
"""
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from experiments.tasks.base import Task, option


@dataclass(frozen=True, kw_only=True)
class First(Task):
    metric: ClassVar[str] = "accuracy"
    direction: ClassVar[str] = "max"
    knob: ClassVar[str] = "length"
    loss: ClassVar[str] = "categorical"

    length: int = option(5, "letters", 1)

    @property
    def tokens(self) -> int:
        return 4

    @property
    def outputs(self) -> int:
        return 4

    def sample(self, rng, count):
        x = rng.integers(0, 4, (count, self.length))
        return x, x[:, 0]

    def floors(self, split="val"):
        return {"no_memory": 0.25, "half_memory": 0.5}
'''

WRONG = {
    "no dataclass": ("@dataclass(frozen=True, kw_only=True)", "", "expected class First under @dataclass("),
    "no option": ('option(5, "letters", 1)', "5", "expected length = option(…), got no option"),
    "metric": ('"accuracy"', '"my metric %"', "metric: expected letters, digits and _, got 'my metric %'"),
    "direction": ('"max"', '"up"', "direction: expected min or max, got 'up'"),
    "loss": ('"categorical"', '"hinge"', "loss: expected one of mse, categorical, binary, got 'hinge'"),
    "knob": (
        '"length"',
        '"size"',
        "knob: expected the name of an option, one of train, val, ",
    ),
    "no metric": ('    metric: ClassVar[str] = "accuracy"\n', "", "metric: expected letters, digits and _, got None"),
    "no floors": ("def floors", "def bars", "expected floors in class First, got none"),
    "no sample": ("def sample", "def samples_of", "expected sample in class First, got none"),
    "sample raises": (
        "        return x, x[:, 0]",
        "        return x, x[:, 99]",
        "line 32: IndexError: index 99 is",
    ),
    "lists": ("return x, x[:, 0]", "return x.tolist(), 1", "train: expected two NumPy arrays (x, y), got tuple"),
    "one array": ("return x, x[:, 0]", "return x", "train: expected two NumPy arrays (x, y), got ndarray"),
    "short y": ("return x, x[:, 0]", "return x, x[:9, 0]", "train: y: expected shape (64,), no side of it 0, got (9,)"),
    "steps": (
        "(count, self.length)",
        "(count, self.length + 1)",
        "train: expected x of 5 steps, as the property steps",
    ),
    "token": ("0, 4, (count", "0, 5, (count", "train: x: expected 0 to 3, got 0 to 4"),
    "class": ("return x, x[:, 0]", "return x, x[:, 0] + 1", "train: y: expected 0 to 3, got 1 to 4"),
    "floats": ("return x, x[:, 0]", "return x / 1, x[:, 0]", "train: x: expected integers, got float64"),
    "neither": ("def tokens", "def token", "train: expected features or tokens, got None and None"),
    "floors": (
        "0.25,",
        "float('nan'),",
        "floors: expected names with finite numbers, got {'no_memory': nan, ",
    ),
    "solved": (
        "    def floors",
        "    solved = 'low'\n\n    def floors",
        "solved: expected a finite number or None, got 'low'",
    ),
    "preprocessing": (
        "    def sample",
        "    def preprocessing(self):\n        return np.zeros(1)\n\n    def sample",
        "preprocessing: expected what JSON can hold, got: Object of type ndarray is not",
    ),
    "preprocessing that is not a number": (
        "    def sample",
        "    def preprocessing(self):\n        return {'scale': np.nan}\n\n    def sample",
        "preprocessing: expected what JSON can hold, got: Out of range float values",
    ),
    "a default that is not a number": (
        'option(5, "letters", 1)',
        'option(5, "letters", 1)\n    rate: float = option(float("nan"), "a rate")',
        "expected a finite default of rate, got nan",
    ),
    "a default that the record cannot hold": (
        'option(5, "letters", 1)',
        'option(5, "letters", 1)\n    way: str = option("a\\udce9", "a way")',
        "default of way: expected a name in UTF-8, which the record can hold, got 'a\\udce9'",
    ),
    "outputs": (
        "outputs(self) -> int:\n        return 4",
        "outputs(self):\n        return np.int64(4)",
        "train: outputs: ",
    ),
    "steps of NumPy": (
        "    def sample",
        "    steps = np.int64(5)\n\n    def sample",
        "train: steps: expected an int, got int64",
    ),
    "floors of NumPy": (
        "0.25,",
        "np.float32(0.25),",
        "got {'no_memory': np.float32(0.25), 'half_memory': 0.5}; float(…) makes one of a number of NumPy",
    ),
    "a metric that the record takes for something else": ('"accuracy"', '"epoch"', "and none of epoch, execution, "),
    "a metric that is too long": ('"accuracy"', '"a" * 201', "metric: expected at most 200 characters and none of "),
    "names": (
        '"no_memory": 0.25',
        '("no", "memory"): 0.25',
        "floors: expected names with finite numbers, got {('no', ",
    ),
    "a name that MLflow refuses": (
        '"no_memory": 0.25',
        '"no memory!": 0.25',
        "floors: expected names of letters, digits, '_', '.', '-', ':', ' ', got 'no memory!'",
    ),
    "no floor": ('return {"no_memory": 0.25, "half_memory": 0.5}', "return 3", "floors: expected names with finite"),
}


@pytest.fixture
def small(tmp_path: Path) -> Path:
    (tmp_path / "first.py").write_text(GOOD)
    return tmp_path


@pytest.mark.parametrize("what", WRONG)
def test_a_task_that_is_wrong(recurrent: Recurrent, small: Path, what: str) -> None:
    old, new, line = WRONG[what]
    assert GOOD.count(old) == 1
    (small / "first.py").write_text(GOOD.replace(old, new))
    before = listing(small)
    done = recurrent("search", "first.py", "-o", "train=64", cwd=small)
    assert (done.returncode, done.stdout) == (2, "")
    (said,) = done.stderr.splitlines()
    assert re.match(r"recurrent search: (\S+/)?first\.py[:,] ", said) and line in said
    assert listing(small) == before


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_an_option_that_is_not_finite(recurrent: Recurrent, small: Path, value: str) -> None:
    more = 'option(5, "letters", 1)\n    rate: float = option(0.5, "a rate")'
    (small / "first.py").write_text(GOOD.replace('option(5, "letters", 1)', more))
    done = recurrent("search", "first.py", "-o", f"rate={value}", cwd=small)
    assert (done.returncode, done.stderr) == (
        2,
        f"recurrent search: -o rate: expected a finite number, got {value!r}\n",
    )


def test_a_task_that_is_right_begins(recurrent: Recurrent, small: Path) -> None:
    with pytest.raises(NotRefused):
        recurrent("search", "first.py", "-o", "train=64", cwd=small)


def test_an_export_is_not_scored_on_nothing(small: Path) -> None:
    """The test split is first read there. Its score would be NaN."""
    steps = "y = np.where(np.arange(self.length) < self.length - 1, -1, x[:, :1])\n        "
    text = GOOD.replace("return x, x[:, 0]", f"{steps}return x, y if count != self.test else 0 * y - 1")
    (small / "first.py").write_text(
        text.replace("    loss: Class", "    per_step: ClassVar[bool] = True\n    loss: Class")
    )
    words = {"train": "64", "val": "32", "test": "16"}
    task = find.make(str(small / "first.py"), words)
    digest = digest_of([task.split(name, 0) for name in ("train", "val")])
    score = scorer({"task": str(small / "first.py"), "options": words, "seed": 0, "digest": digest})
    with pytest.raises(DataError, match=r"^test: y: expected a step that is scored, got none; are there too few"):
        score(small / "model.keras", "test")


@pytest.mark.parametrize("name", ["queue", "tracking", "numpy"])
def test_a_file_may_be_called_as_a_module_is(recurrent: Recurrent, tmp_path: Path, name: str) -> None:
    import queue

    (tmp_path / f"{name}.py").write_text(GOOD)
    done = recurrent("tasks", f"{name}.py", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "The first of some letters." in done.stdout
    assert queue.LifoQueue and np.arange(1).size == 1


def test_tasks_says_in_one_line_what_a_file_does_wrong(recurrent: Recurrent, small: Path) -> None:
    (small / "first.py").write_text(GOOD.replace('return {"no_memory"', 'return 1 / 0, {"no_memory"'))
    done = recurrent("tasks", "first.py", cwd=small)
    assert done.returncode == 2
    assert done.stderr.endswith("first.py, line 35: ZeroDivisionError: division by zero\n")


@pytest.mark.parametrize(
    "line",
    ["solved = 0.9", "@property\n    def solved(self):\n        return 0.9", 'solved: float = option(0.9, "the aim")'],
)
def test_a_file_may_say_what_counts_as_solved(recurrent: Recurrent, tmp_path: Path, line: str) -> None:
    (tmp_path / "first.py").write_text(GOOD.replace("    def floors", f"    {line}\n\n    def floors"))
    done = recurrent("tasks", "first.py", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "accuracy, floors: no memory 0.25, half memory 0.5; solved: 0.9 or more" in done.stdout


@pytest.mark.parametrize("value", [True, float("nan"), float("inf"), "0.9", np.zeros(2)])
def test_what_cannot_count_as_solved(value: object) -> None:
    with pytest.raises(DataError, match=r"^my\.py: solved: expected a finite number or None, got "):
        check_solved(value, "my.py")
    check_solved(None, "my.py")
    check_solved(np.float64(0.5), "my.py")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda y: y, ""),
        (lambda y: y.astype(np.int32), "train: y: expected floats, got int32"),
        (lambda y: np.where(y == 1, 2, y), "train: y: expected 0, 1 and -1, got -1 to 2"),
        (lambda y: np.where(y == 1, 0.5, y), "train: y: expected 0, 1 and -1, got -1 to 0.5"),
        (lambda y: np.full_like(y, -1), "train: y: expected a step that is scored, got none"),
        (lambda y: y[..., 0], "train: y: expected shape (20, 41, 8), no side of it 0, got (20, 41)"),
    ],
)
def test_bits_are_zero_one_or_not_scored(change: Callable[[np.ndarray], np.ndarray], line: str) -> None:
    task = find.make("ntm_copy", {"train": "20"})
    x, y = task.split("train", 0)
    if not line:
        return check_data(task, "mine.py", "train", (x, change(y)))
    with pytest.raises(DataError, match=f"^mine.py: {re.escape(line)}"):
        check_data(task, "mine.py", "train", (x, change(y)))


@pytest.mark.parametrize("name", find.names())
def test_our_own_tasks_keep_the_contract(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECURRENT_SEARCH_CACHE", str(tmp_path))
    task = find.make(name, {"train": "400", "val": "160", "test": "150"})
    for split in base.SPLITS:
        check_data(task, name, split, task.split(split, 0))
    check_floors(task.floors(), name)


def test_what_does_not_fit_into_memory(recurrent: Recurrent, tmp_path: Path) -> None:
    done = recurrent("search", "adding", "-o", "length=1000000000", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("recurrent search: expected what fits into memory, got: Unable to allocate")
    done = recurrent("search", "adding", "-o", "length=99999999999", cwd=tmp_path)
    assert "-o length: expected a whole number below 2,147,483,648, got '99999999999'" in done.stderr


def test_an_option_has_the_type_that_its_task_gives_it(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        GOOD.replace('option(5, "letters", 1)', 'option(5, "letters", 1)\n    rate: float = option(1, "a rate")')
    )
    assert find.make(str(tmp_path / "mine.py"), {"rate": "0.5", "length": "3"}).rate == 0.5  # type: ignore[attr-defined]
