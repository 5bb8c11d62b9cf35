"""Names and texts that are not UTF-8, and users without a home."""

import os
import pwd
from pathlib import Path

import numpy as np
import pytest
from support.refusals import SMALL, refused
from support.searching import NotRefused, Recurrent, listing, run, text

from experiments.data import corpora
from experiments.tasks.loading.checks import check_floors, check_preprocessing
from tracking.errors import DataError
from tracking.values import batch

LATIN = os.fsdecode(b"caf\xe9")  # as a shell of another encoding writes it
FEW = SMALL[6:]  # without options of a task
HAIKU = "Ångström und Überfluß\n" * 200


def data(path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(path, x=rng.random((40, 5, 2), np.float32), y=rng.integers(0, 2, 40))


@pytest.mark.parametrize("task", ["npz", "py", "corpus"])
def test_a_file_whose_name_the_record_cannot_hold(recurrent: Recurrent, tmp_path: Path, task: str) -> None:
    data(tmp_path / f"{LATIN}.npz")
    (tmp_path / f"{LATIN}.txt").write_text(text(3_000, seed=0), "utf-8")
    words = [f"{LATIN}.{task}"] if task != "corpus" else ["char_lm", "-o", f"corpus={LATIN}.txt"]
    before = listing(tmp_path)
    done = recurrent("search", *words, *FEW, cwd=tmp_path)
    refused(done, "-o corpus: expected" if task == "corpus" else "TASK: expected", "UTF-8", "caf\\udce9")
    assert (done.stdout, listing(tmp_path)) == ("", before)


@pytest.mark.parametrize("words", [("search", "adding", *SMALL), ("results",), ("export", "t", "--to", "best")])
def test_a_folder_whose_name_the_record_cannot_hold(
    recurrent: Recurrent, tmp_path: Path, words: tuple[str, ...]
) -> None:
    folder = tmp_path / LATIN
    folder.mkdir()
    refused(recurrent(*words, cwd=folder), "tracking-uri: expected", "UTF-8", "/caf\\udce9/mlflow.db'")
    assert not list(folder.iterdir())


def test_a_search_of_no_such_name(recurrent: Recurrent, old: Path) -> None:
    for name in (LATIN, "'"):
        refused(recurrent("results", name, cwd=old), "NAME: expected a search in", "(old)")
    for words in (("results",), ("sync",), ("export", "--to", "best"), ("delete",), ("rename", "--new-id")):
        refused(recurrent(*words, "odl", cwd=old), "expected a search in", "got 'odl'; did you mean 'old'?")


def test_what_a_users_code_says_can_be_stored() -> None:
    end = {"event": "end", "time": 1, "outcome": "failed", "score": None, "reason": f"no file {LATIN}"}
    _, _, (tag,) = batch([end], 0, "mse")
    assert (tag.key, tag.value) == ("recurrent.reason", "no file caf\\udce9")
    for name in ("50%", LATIN, ".", "", "a/b", 201 * "a"):
        with pytest.raises(DataError, match="my.py: floors: expected names"):
            check_floors({"no memory": 0.5, name: 1.0}, "my.py")
    check_floors({"no memory: 4-gram_x.y": 0.5}, "my.py")
    for wrong in ({"words": [LATIN]}, {"mean": float("nan")}):
        with pytest.raises(DataError, match="my.py: preprocessing: expected what JSON can hold"):
            check_preprocessing(wrong, "my.py")


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """No HOME, and no entry of this user in the system's list, as in many containers."""

    def missing(*_: object) -> None:
        raise KeyError("getpwuid(): uid not found: 54321")

    for name in ("HOME", "USER", "LOGNAME", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", missing)


@pytest.mark.parametrize(
    "words",
    [
        ("search", "~/data.npz"),
        ("search", "~/my.py"),
        ("search", "char_lm", "-o", "corpus=~/a.txt"),
        ("tasks", "~/d.npz"),
    ],
)
def test_a_users_file_without_a_home(
    recurrent: Recurrent, homeless: None, tmp_path: Path, words: tuple[str, ...]
) -> None:
    refused(recurrent(*words, cwd=tmp_path), "expected", "does not exist")


def test_commands_without_a_home(
    recurrent: Recurrent, homeless: None, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RECURRENT_SEARCH_CACHE")
    with pytest.raises(NotRefused):
        recurrent("search", "adding", *SMALL, cwd=old)
    for words in (("tasks", "adding"), ("results", "old"), ("export", "old", "--to", "best"), ("horizon", "old")):
        done = recurrent(*words, cwd=old)
        assert (done.returncode, done.stderr) == (0, ""), done


HOMELESS = """
import os, pwd, sys

def missing(*_):
    raise KeyError("getpwuid(): uid not found: 54321")

for name in ("HOME", "USER", "LOGNAME", "LNAME", "USERNAME"):
    os.environ.pop(name, None)
pwd.getpwuid = missing

from experiments.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def test_libraries_ask_for_a_home_when_they_are_imported(old: Path) -> None:
    done = run("export", "old", "--to", "best", cwd=old, program=("-c", HOMELESS))
    assert (done.returncode, done.stderr) == (0, "")


# ---- texts of other encodings ----


@pytest.mark.parametrize("task", ["char_lm", "word_lm"])
def test_a_text_of_another_encoding(recurrent: Recurrent, tmp_path: Path, task: str) -> None:
    for encoding in ("latin-1", "utf-16"):
        (tmp_path / f"{encoding}.txt").write_bytes(HAIKU.encode(encoding))
    words = ("search", task, "-o", "corpus=latin-1.txt", "-o", "window=4", "--batch", "2", *FEW)
    refused(recurrent(*words, cwd=tmp_path), "UTF-8", "at byte 0 of", "-o encoding=latin-1")
    with pytest.raises(NotRefused):
        recurrent(*words, "-o", "encoding=latin-1", cwd=tmp_path)
    refused(recurrent(*words, "-o", "encoding=utf-16", cwd=tmp_path), "corpus: expected UTF-16 text", "latin-1.txt")
    for wrong in ("klingon", "hex", "base64", LATIN):
        refused(recurrent(*words, "-o", f"encoding={wrong}", cwd=tmp_path), "encoding", "expected")
    more = ("-o", "corpus=python-reference", "-o", "encoding=latin-1")
    refused(recurrent(*words, *more, cwd=tmp_path), "expected utf-8 for the corpus 'python-reference'")


def test_the_encoding_does_not_change_the_corpus(tmp_path: Path) -> None:
    found = set()
    for encoding in ("utf-8", "utf-8-sig", "latin-1", "utf-16", "utf-32"):
        (tmp_path / "a.txt").write_bytes(HAIKU.encode(encoding))
        found.add(corpora.load(str(tmp_path / "a.txt"), encoding).sha256)
    assert len(found) == 1


def test_what_is_no_character_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\\ud800" * 1_000)
    with pytest.raises(DataError, match="expected UNICODE_ESCAPE text, got other bytes in"):
        corpora.load(str(tmp_path / "a.txt"), "unicode_escape")
