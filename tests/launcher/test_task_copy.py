"""A search's copy of a user's code runs in every process as the user's files ran, and nothing else runs instead."""

import sys
from pathlib import Path

import pytest
from launcher.test_task_code import ANSWERS, RESUME, SEARCH, sha256s, write
from support.refusals import check_refusal, refused
from support.searching import NotRefused, Recurrent, run

from experiments.tasks.loading import find, modules
from experiments.tasks.loading.code import checked, code_of
from experiments.tasks.loading.copied import Copy
from tracking.errors import BadInput, DataError

LIVE = "raise RuntimeError('the neighbour of today is run')\n"


def copy_of(folder: Path, *names: str) -> Copy:
    """A copy of some files of a folder, which then has others in their places."""
    copy = Copy(folder / "searches" / "s" / "task", names)
    for name in names:
        (copy.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).rename(copy.folder / name)
        (folder / name).write_text(LIVE)
    return copy


@pytest.fixture
def begun(recurrent: Recurrent, tmp_path: Path) -> Path:
    """The folder of a search that has begun."""
    folder = tmp_path.resolve() / "project"
    folder.mkdir()
    write(folder)
    with pytest.raises(NotRefused):
        recurrent(*SEARCH, "1", cwd=folder)
    return folder


@pytest.mark.parametrize("link", [False, True])
def test_a_folder_on_pythons_path_has_no_say(
    recurrent: Recurrent, begun: Path, monkeypatch: pytest.MonkeyPatch, link: bool
) -> None:
    """PYTHONPATH=$PWD, or an editable install, perhaps by another name of the folder."""
    other = begun.with_name("other")
    other.symlink_to(begun)
    monkeypatch.syspath_prepend(str(other if link else begun))
    for name in ("helper.py", "parts/answers.py", "parts/late.py"):
        (begun / name).write_text(LIVE)
    with pytest.raises(NotRefused):
        recurrent(*RESUME, cwd=begun)
    assert find.task_class("my_task.py", checked(sha256s(begun / "searches/t/task"), begun / "searches/t/task"))


@pytest.mark.parametrize("link", [False, True])
def test_neighbours_that_python_finds_by_itself_are_copied(
    recurrent: Recurrent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, link: bool
) -> None:
    folder = tmp_path.resolve() / "project"
    folder.mkdir()
    write(folder)
    (tmp_path / "other").symlink_to(folder)
    monkeypatch.syspath_prepend(str(tmp_path / "other" if link else folder))
    with pytest.raises(NotRefused):
        recurrent(*SEARCH, "1", cwd=folder)
    copy = folder / "searches" / "t" / "task"
    assert sha256s(copy) == sha256s(folder)


def test_only_the_names_of_the_copy_are_found_in_it(tmp_path: Path) -> None:
    (tmp_path / "task.py").write_text("import helper\n")
    (tmp_path / "helper.py").write_text("import other\n")
    copy = copy_of(tmp_path, "task.py", "helper.py")
    (copy.folder / "other.py").write_text("")
    before = list(sys.meta_path)
    with pytest.raises(BadInput, match="No module named 'other'"):
        modules.run(tmp_path / "task.py", copy)
    assert sys.meta_path == before


def test_a_copy_that_runs_a_file_of_the_user_is_refused(tmp_path: Path) -> None:
    """Whatever way it takes."""
    load = "import importlib.util as u, sys; from pathlib import Path\n"
    load += "s = u.spec_from_file_location('helper', Path(__file__).with_name('helper.py'))\n"
    (tmp_path / "task.py").write_text(
        f"{load}sys.modules['helper'] = m = u.module_from_spec(s); s.loader.exec_module(m)"
    )
    (tmp_path / "helper.py").write_text("SIZE = 7\n")
    copy = copy_of(tmp_path, "task.py", "helper.py")
    (tmp_path / "helper.py").write_text("SIZE = 8\n")
    with pytest.raises(DataError, match=r"task: expected the copy in .*/task to run, got .*/helper.py, which it imp"):
        modules.run(tmp_path / "task.py", copy)


def test_packages_of_every_kind_are_found_in_the_copy(tmp_path: Path) -> None:
    """Without __init__.py, with data beside the module, and with a neighbour that imports the task's file."""
    for name in ("plain/deep/one.py", "data/__init__.py", "back.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "task.py").write_text("SIZE = 7\nimport back, data\nfrom plain.deep.one import PLACE\n")
    (tmp_path / "plain/deep/one.py").write_text("PLACE = __file__\n")
    (tmp_path / "data/__init__.py").write_text(
        "from importlib.resources import files\nTEXT = (files(__name__) / 'table.csv').read_text()\n"
    )
    (tmp_path / "data/table.csv").write_text("1,2")
    (tmp_path / "back.py").write_text("import task\nSIZE = task.SIZE\n")
    names = tuple(code_of(str(tmp_path / "task.py")))
    assert names == ("task.py", "back.py", "data/__init__.py", "plain/deep/one.py")
    module = modules.run(tmp_path / "task.py", copy_of(tmp_path, *names))
    assert (module.back.SIZE, module.data.TEXT) == (7, "1,2")
    assert str(tmp_path / "plain/deep/one.py") == module.PLACE


def test_a_copy_that_cannot_run_is_refused_before_anything_begins(recurrent: Recurrent, tmp_path: Path) -> None:
    reads = "import parts\nfrom pathlib import Path\nSIZE = int(Path(parts.__path__[0], 'size.txt').read_text())\n"
    write(tmp_path, **{"helper.py": reads, "parts/size.txt": "7"})
    expected = "my_task.py: expected the same data from the search's copy of it, got "
    check_refusal(recurrent, tmp_path, (*SEARCH, "1"), expected, "FileNotFoundError")
    write(tmp_path, **{"parts/answers.py": f"{ANSWERS}STATE = [0]\n", "parts/late.py": CHANCE})
    check_refusal(recurrent, tmp_path, (*SEARCH, "1"), f"{expected}others; do they depend on something else than")


CHANCE = """import numpy as np
def same(y):
    return np.random.default_rng().permutation(y)
"""


def test_a_fault_in_a_copy_is_a_line(begun: Path) -> None:
    """Also in a neighbour whose own file has gone."""
    for name in ("parts/late.py", "data.txt"):
        (begun / name).unlink()
    done = run(*RESUME, cwd=begun)
    refused(done, "task/my_task.py: expected a file that Python can run, got FileNotFoundError: ", "/data.txt")
