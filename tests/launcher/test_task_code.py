"""The code of a user's task: what runs is the search's copy, which no change of the user's files changes."""

import hashlib
import json
import shutil
import sys
from pathlib import Path

import pytest
from support.once import copied
from support.refusals import refused
from support.searching import NotRefused, Recurrent, Searched, run

from experiments.config.folders import SearchFolder
from experiments.config.spec import Spec
from experiments.launcher import trust
from experiments.tasks.loading import find, modules
from experiments.tasks.loading.code import check_name, checked, code_of
from experiments.tasks.loading.copied import Copy
from experiments.worker import build
from tracking.errors import BadInput, DataError
from tracking.searches import spec_of

TASK = '''"""Majority: more ones than zeros.

    x  1 0 1      y  1
"""
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from experiments.tasks.base import Arrays, Task, option
from helper import SIZE
from parts.answers import answers
import statistics

DATA = Path(__file__).with_name("data.txt").read_text()  # beside the user's file


@dataclass(frozen=True, kw_only=True)
class Base(Task):
    metric: ClassVar[str] = "accuracy"
    direction: ClassVar[str] = "max"
    knob: ClassVar[str] = "length"
    loss: ClassVar[str] = "categorical"

    length: int = option(SIZE, "steps", 1)

    @property
    def tokens(self) -> int:
        return 2

    @property
    def outputs(self) -> int:
        return 2

    def sample(self, rng: np.random.Generator, count: int) -> Arrays:
        import parts.late

        x = rng.integers(0, 2, (count, self.length), np.int32)
        return x, parts.late.same(answers(x))

    def floors(self, split: str = "val") -> dict[str, float]:
        return {"no_memory": statistics.fmean([0.25, 0.75])}


@dataclass(frozen=True, kw_only=True)
class Short(Base):
    length: int = option(5, "steps", 1)
'''
ANSWERS = """import numpy as np
def answers(x):
    return (2 * x.sum(axis=1) > x.shape[1]).astype(np.int32)
"""
HELPER = """from pathlib import Path
SIZE = 6 + int(Path(__file__).with_name("data.txt").read_text())
"""
FILES = {"my_task.py": TASK, "helper.py": HELPER, "parts/__init__.py": "", "parts/answers.py": ANSWERS}
FILES["parts/late.py"] = "def same(y):\n    return y\n"  # is imported when the data are made
OTHERS = {"unused.py": "", "data.txt": "1"}
SEARCH = (
    *("search", "my_task.py", "-o", "train=64", "-o", "val=16", "-o", "test=16", "--cells", "gru", "--depth", "1"),
    *("--width", "8,16", "--epochs", "1", "--workers", "1", "--oracle", "random", "--learning-rate", "0.01"),
    *("--no-horizon", "--name", "t", "--trials"),
)
RESUME = (*SEARCH, "2", "--resume")
SAID = "my_task.py: has the tasks Base, Short; the last one is taken"


def write(folder: Path, **changes: str) -> Path:
    for name, text in {**FILES, **OTHERS, **changes}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Searched:
    """A search over a user's task with neighbours, which then have changed or gone."""
    folder = write(tmp_path_factory.mktemp("own").resolve())
    search = Searched(folder, "t", run(*SEARCH, "1", cwd=folder))
    (folder / "my_task.py").write_text("raise RuntimeError('the users file is run')\n")
    (folder / "helper.py").unlink()
    return search


@pytest.fixture
def search(made: Searched, tmp_path: Path) -> Searched:
    """A copy of it, which a test may change."""
    return Searched(copied(made.folder, tmp_path.resolve() / "own"), "t", made.done)


def sha256s(folder: Path) -> dict[str, str]:
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FILES}


def test_the_copy_and_the_record(made: Searched) -> None:
    assert (made.done.returncode, made.done.stderr) == (0, "")
    assert made.done.stdout.splitlines()[0] == SAID
    copy, spec = made.folder / "searches" / "t" / "task", spec_of(made.parent)
    assert spec["code"] == sha256s(copy)
    assert next(iter(spec["code"])) == "my_task.py"
    assert (copy / "my_task.py").read_text("utf-8") == TASK
    files = {str(path.relative_to(copy)) for path in copy.rglob("*.*") if "__pycache__" not in path.parts}
    assert files == set(FILES)
    (artifacts,) = made.folder.glob("mlartifacts/**/my_task.py")
    assert sha256s(artifacts.parent) == spec["code"]


def test_the_copy_is_gone_on_with(made: Searched) -> None:
    done = run(*RESUME, cwd=made.folder)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    changed = "changed since the search began, which goes on with its copy in searches/t/task"
    assert lines[:2] == [SAID, f"my_task.py, helper.py: {changed}"]
    assert "the search has ended: all 2 trials are done" in lines
    assert [trial.data.tags["recurrent.outcome"] for trial in made.trials()] == ["completed"] * 2


def test_the_copy_is_exported_and_sent(recurrent: Recurrent, search: Searched) -> None:
    (search.folder / "searches" / "t" / "task.json").unlink()
    for words in (("sync", "t"), ("export", "t", "--to", "best")):
        done = recurrent(*words, cwd=search.folder)
        assert (done.returncode, done.stderr) == (0, ""), done
    about = json.loads((search.folder / "best" / "model.json").read_text("utf-8"))
    assert about["options"]["length"] == 5


def test_another_copy_is_refused(recurrent: Recurrent, search: Searched, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = search.folder / "searches" / "t" / "task" / "helper.py"
    sent = search.folder / "searches" / "t" / "task.json"
    copy.write_text("SIZE = 7  # changed\n")
    sent.unlink()
    for words in (RESUME, ("export", "t", "--to", "best"), ("sync", "t")):
        done = recurrent(*words, cwd=search.folder)
        refused(done, "task: expected", "task/helper.py as the search has run it, sha256 ", ", got sha256 ")
    assert not (search.folder / "best").exists()
    folder = SearchFolder(search.folder / "searches" / "t")
    monkeypatch.setattr(build, "use_one_thread", lambda: None)  # TensorFlow has begun in this process
    with pytest.raises(DataError, match="task/helper.py as the search has run it"):
        build.make_tuner(folder, Spec.read(folder), 0, "session")


def test_a_copy_that_a_kill_left_out_is_made_again(recurrent: Recurrent, search: Searched) -> None:
    shutil.rmtree(search.folder / "searches" / "t" / "task")
    done = recurrent(*RESUME, cwd=search.folder)
    refused(done, "task: expected", "task/my_task.py as the search has run it", "got none")
    write(search.folder)
    with pytest.raises(NotRefused):
        recurrent(*RESUME, cwd=search.folder)
    assert sha256s(search.folder / "searches" / "t" / "task") == sha256s(search.folder)


@pytest.mark.parametrize("server", [False, True])
def test_a_record_without_its_folder(
    recurrent: Recurrent, search: Searched, monkeypatch: pytest.MonkeyPatch, server: bool
) -> None:
    """Its code comes from the record; from a server only if the user trusts it."""
    shutil.rmtree(search.folder / "searches")
    words = ("export", "t", "--to", "best")
    if server:
        monkeypatch.setattr(trust, "is_server", lambda client: True)
        refused(recurrent(*words, cwd=search.folder), "--trust-task: expected", "my_task.py")
        assert not (search.folder / "best").exists()
        words = (*words, "--trust-task")
    done = recurrent(*words, cwd=search.folder)
    assert (done.returncode, done.stderr) == (0, ""), done
    shutil.rmtree(search.folder / "best")
    (artifact,) = search.folder.glob("mlartifacts/**/helper.py")
    artifact.write_text("SIZE = 7  # changed\n")
    refused(recurrent(*words, cwd=search.folder), "helper.py as the search has run it, sha256 ")


def test_another_search_of_the_same_name_lends_no_code(recurrent: Recurrent, search: Searched) -> None:
    """The record may be another one than that of the folder, with --tracking-uri."""
    folder = SearchFolder(search.folder / "searches" / "t")
    content = json.loads(folder.spec.read_text("utf-8"))
    folder.spec.write_text(json.dumps({**content, "id": "another"}), "utf-8")
    for name in FILES:
        (folder.code / name).write_text("raise RuntimeError('the code of another search is run')\n")
    done = recurrent("export", "t", "--to", "best", cwd=search.folder)
    assert (done.returncode, done.stderr) == (0, ""), done


def test_the_description_of_a_file_is_checked_as_a_search_does(recurrent: Recurrent, tmp_path: Path) -> None:
    write(tmp_path)
    done = recurrent("tasks", "my_task.py", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{SAID}\n\nmy_task.py: Majority: more ones than zeros.\n")
    one = TASK[: TASK.index("@dataclass(frozen=True, kw_only=True)\nclass Short")]
    wrong = one.replace("same(answers(x))", "same(answers(x))[:, None]")
    for name, text in {"one.py": one, "wrong.py": wrong}.items():
        (tmp_path / name).write_text(text)
    assert recurrent("tasks", "one.py", cwd=tmp_path).stdout.startswith("one.py: Majority")
    for command in ("tasks", "search"):
        done = recurrent(command, "wrong.py", cwd=tmp_path)
        refused(done, "train: y: expected shape (10000,), no side of it 0, got (10000, 1)")


def test_the_neighbours_of_two_files_are_apart(tmp_path: Path) -> None:
    sizes = []
    for size in (3, 4):
        folder = tmp_path / str(size)
        folder.mkdir()
        write(folder, **{"helper.py": f"SIZE = {size}\n"})
        module = modules.run(folder / "my_task.py")
        sizes.append(module.SIZE)
        assert module.__file__ == str(folder / "my_task.py")
    assert sizes == [3, 4]


def test_what_python_has_under_the_same_name_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, **{"statistics.py": "raise RuntimeError('a neighbour')\n"})
    monkeypatch.delitem(sys.modules, "statistics", raising=False)
    before = list(sys.path)
    file = str(tmp_path / "my_task.py")
    assert list(code_of(file)) == list(FILES)[:-1]
    find.make(file, {"train": "4"}).split("train", 0)
    assert list(code_of(file)) == list(FILES), "with what is imported later"
    assert sys.path == before


def test_packages_in_the_folder_are_no_neighbours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A virtual environment, or this project, may lie beside the file."""
    site = tmp_path / ".venv" / "site-packages"
    site.mkdir(parents=True)
    (site / "installed.py").write_text("SIZE = 7\n")
    monkeypatch.syspath_prepend(str(site))
    file = write(tmp_path, **{"my_task.py": TASK.replace("from helper", "from installed")}) / "my_task.py"
    assert list(code_of(str(file))) == ["my_task.py", "parts/__init__.py", "parts/answers.py"]
    assert find.task_class(str(file)).__name__ == "Short"


@pytest.mark.parametrize("name", ["../evil.py", "/etc/evil.py", "a/../../evil.py", "", "a\\b.py"])
def test_a_record_names_no_file_elsewhere(name: str) -> None:
    with pytest.raises(BadInput, match="task: expected a file beside TASK in the record"):
        check_name(name)


def test_what_is_checked(tmp_path: Path) -> None:
    write(tmp_path)
    assert checked(sha256s(tmp_path), tmp_path) == Copy(tmp_path, tuple(FILES))
    assert checked({}, tmp_path) is None
    with pytest.raises(DataError, match="none.py as the search has run it, sha256 abc, got none"):
        checked({"my_task.py": sha256s(tmp_path)["my_task.py"], "none.py": "abc"}, tmp_path)
