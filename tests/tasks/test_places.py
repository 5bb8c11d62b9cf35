"""Where a user's files are looked for: first where the user says, and what is a file is said by the task's option."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from support.searching import NotRefused, Recurrent, text
from tasks.test_checks import GOOD

from experiments.tasks.loading import find, places
from experiments.tasks.loading.digest import digest_of
from tracking.errors import DataError

READS = "size = int(Path(__file__).with_name('size.txt').read_text())\n        "
LENGTH = 'length: int = option(5, "letters", 1)'


def task(folder: Path, name: str, *changes: tuple[str, str]) -> Path:
    folder.mkdir(exist_ok=True)
    code = GOOD
    for old, new in changes:
        assert code.count(old) == 1
        code = code.replace(old, new)
    (folder / name).write_text(code)
    return folder / name


def reading(folder: Path, size: str) -> Path:
    """A task whose `sample` reads a file beside it."""
    change = ("x = rng.integers(0, 4, (", f"{READS}x = size * rng.integers(0, 2, (")
    file = task(folder, "first.py", ("import numpy as np", "from pathlib import Path\n\nimport numpy as np"), change)
    (folder / "size.txt").write_text(size)
    return file


OPTIONS = {"train": "20", "val": "20", "test": "20"}


def spec_of(file: Path) -> dict[str, Any]:
    made = find.make(str(file), OPTIONS)
    digest = digest_of(made.split(name, 0) for name in ("train", "val"))
    return {"task": str(file), "options": OPTIONS, "seed": 0, "digest": digest, "reading": 2}


def test_a_place_whose_data_are_gone_does_not_hide_another(tmp_path: Path) -> None:
    """The task itself raises FileNotFoundError there, or anything else."""
    here, there = reading(tmp_path / "here", "2"), reading(tmp_path / "there", "2")
    spec, given = spec_of(here), (str(there), OPTIONS)
    for broken in ("", "two", None):
        size = here.with_name("size.txt")
        size.unlink() if broken is None else size.write_text(broken)
        with pytest.raises(DataError, match=r"here/first.py, line 33: (ValueError|FileNotFoundError): "):
            places.source_of(spec, (Path(),))
        assert places.source_of(spec, (Path(),), [given]) == given


def test_what_the_user_says_is_asked_first(tmp_path: Path) -> None:
    here, there = reading(tmp_path / "here", "2"), reading(tmp_path / "there", "2")
    spec = spec_of(here)
    assert places.source_of(spec, (Path(),), [(str(there), OPTIONS)]) == (str(there), OPTIONS)
    there.with_name("size.txt").write_text("1")
    assert places.source_of(spec, (Path(),), [(str(there), OPTIONS)]) == (str(here), OPTIONS)
    here.with_name("size.txt").write_text("1")
    with pytest.raises(DataError, match="data: expected those of the search, digest"):
        places.source_of(spec, (Path(),), [(str(there), OPTIONS)])


def options_of(folder: Path) -> dict[str, str]:
    return dict(json.loads((folder / "searches" / "s" / "spec.json").read_text("utf-8"))["options"])


def test_an_option_called_corpus_is_what_its_task_says(recurrent: Recurrent, tmp_path: Path) -> None:
    more = f'{LENGTH}\n    corpus: str = option("small", "a size", choices=("small", "large"))'
    task(tmp_path, "first.py", (LENGTH, more))
    words = ("search", "first.py", "-o", "train=64", "-o", "corpus=large", "--name", "s")
    for resume in ((), ("--resume",)):
        with pytest.raises(NotRefused):
            recurrent(*words, *resume, cwd=tmp_path)
        assert options_of(tmp_path)["corpus"] == "large"
    done = recurrent(*words[:-3], "corpus=small", "--name", "s", "--resume", cwd=tmp_path)
    assert done.returncode == 2 and "-o corpus large, got small" in done.stderr
    (tmp_path / "large").write_text("a file of this name is none of its texts")
    copy = tmp_path.rename(tmp_path.with_name(f"{tmp_path.name}-moved"))
    with pytest.raises(NotRefused):
        recurrent(*words, "--resume", cwd=copy)


def test_a_users_task_over_a_text_finds_it_again(recurrent: Recurrent, tmp_path: Path) -> None:
    """Its option says so, whatever it is called."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    (here / "letters.py").write_text(LETTERS)
    (here / "text.txt").write_text(text(9_000, seed=0), "utf-8")
    words = ("search", "letters.py", "-o", "book=text.txt", "--name", "s")
    with pytest.raises(NotRefused):
        recurrent(*words, cwd=here)
    assert options_of(here)["book"] == "text.txt"
    shutil.move(here, there)
    (there / "text.txt").rename(tmp_path / "other.txt")
    with pytest.raises(NotRefused):
        recurrent(*words[:2], "-o", f"book={tmp_path / 'other.txt'}", *words[4:], "--resume", cwd=there)


LETTERS = '''"""Letters of a text: predict the next one."""
from dataclasses import dataclass

from experiments.tasks.base import option
from experiments.tasks.char_lm import CharLM


@dataclass(frozen=True, kw_only=True)
class Letters(CharLM):
    book: str = option("python_reference", "a text", corpus=True)
    corpus: str = option("none", "not used")

    @property
    def _corpus(self):
        from experiments.data import corpora

        return corpora.load(self.book, self.encoding)
'''
