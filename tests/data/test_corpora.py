import doctest
import hashlib
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest

from experiments.data import corpora

TEXT = "It was the best of times, it was the worst of times.\n" * 20  # 1,060 characters


def failure(source: str) -> str:
    with pytest.raises(ValueError) as error:
        corpora.load(source)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_bundled_text() -> None:
    from pydoc_data.topics import topics

    corpus = corpora.load("python-reference")
    assert corpus.name == "python-reference"
    assert corpus.text.split("\n\n")[0] == topics[min(topics)].split("\n\n")[0]
    assert len(corpus.text) == sum(len(text) + 2 for text in topics.values()) - 2
    assert corpus.sha256 == hashlib.sha256(corpus.text.encode()).hexdigest()
    assert corpora.load() is corpus
    if sys.version_info[:3] == (3, 11, 7):
        assert len(corpus.text) == 465_126
        assert corpus.sha256 == "71f2ff5d99bdc1f9c48c5c2353ad138201c5ca1c377e0226857ef8fa89b8bcee"


def test_a_python_without_the_bundled_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    corpora._bundled.cache_clear()
    assert failure("python-reference") == (
        "corpus: expected a Python with pydoc_data for 'python-reference', got one without it: "
        "give a text file of your own with -o corpus=PATH"
    )


def test_the_library() -> None:
    corpus = corpora.load("python-library")
    lib = Path(sysconfig.get_path("stdlib"))
    first, second = (lib / name for name in ("__future__.py", "__hello__.py"))
    assert corpus.name == "python-library"
    assert corpus.text.startswith(f"{first.read_text()}\n\n{second.read_text()}\n\n")
    assert len(corpus.text) == 2_000_000
    assert [len(part) for part in corpus.splits] == [1_600_000, 200_000, 200_000]
    assert all("def " in part for part in corpus.splits)
    assert (lib / "argparse.py").read_text() in corpus.text
    assert corpora.load("python-library") is corpus
    corpora._library.cache_clear()
    assert corpora.load("python-library") == corpus
    if sys.version_info[:3] == (3, 11, 7):
        assert corpus.sha256 == "10877a0248fe26d2bb469944d3577af67ac6a1b0ee81c5ee47e1471ee22a2c2d"


def test_what_of_a_python_is_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left_out = """test/a.py ctypes/test/a.py lib2to3/tests/a.py idlelib/idle_test/a.py site-packages/a.py
        dist-packages/a.py __pycache__/a.py config-3.11/a.py _sysconfigdata__linux.py notes.txt"""
    taken = ["a.py", "a/b.py", "a_b.py", "unittest/case.py"]  # "." < "/" < "_"
    for name in [*left_out.split(), *reversed(taken)]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(f"# {name}\r\n".encode() + b"x" * 1_000)
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    monkeypatch.setattr(corpora, "LIBRARY_SIZE", 4_030)
    corpora._library.cache_clear()
    library = "\n\n".join(f"# {name}\n" + "x" * 1_000 for name in taken)
    assert len(library) > 4_030
    assert corpora.load("python-library").text == library[:4_030]
    for name in taken:
        (tmp_path / name).unlink()
    corpora._library.cache_clear()
    assert failure("python-library") == (
        f"corpus: expected a Python with its source code in {tmp_path} for 'python-library', got none"
    )


def test_the_licence_of_every_corpus_is_known() -> None:
    assert all(map(corpora.licence, corpora.names()))
    assert corpora.licence("names.txt") == "", "that of a file is the user's affair"


def test_names() -> None:
    assert corpora.names() == (
        *("python-reference", "python-library", "tinyshakespeare", "ptb", "ptb-char", "text8"),
        *("wikitext-2", "wikitext-2-raw"),
    )


def test_importing_costs_no_text() -> None:
    code = "import sys, experiments.data.corpora; print('pydoc_data' in sys.modules, 'tensorflow' in sys.modules)"
    root = Path(corpora.__file__).parents[1]
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert run.stdout == "False False\n"


def test_a_file(tmp_path: Path) -> None:
    (tmp_path / "tale.txt").write_bytes(TEXT.encode())
    corpus = corpora.load(str(tmp_path / "tale.txt"))
    splits = TEXT[:848], TEXT[848:954], TEXT[954:]  # 80, 10 and 10% of 1,060
    assert corpus == corpora.Corpus("tale.txt", splits, hashlib.sha256(TEXT.encode()).hexdigest())
    assert corpus.text == TEXT
    assert corpora.load(str(tmp_path / "tale.txt")) is corpus


def test_byte_order_mark_and_line_ends_do_not_matter(tmp_path: Path) -> None:
    text = "é\ufeff€ \U0001f600 a\rb\n" + TEXT  # a mark inside and a lone return stay
    (tmp_path / "unix.txt").write_bytes(text.encode())
    (tmp_path / "windows.txt").write_bytes(("\ufeff" + text.replace("\n", "\r\n")).encode())
    unix, windows = (corpora.load(str(tmp_path / f"{name}.txt")) for name in ("unix", "windows"))
    assert unix.text == windows.text == text
    assert unix.sha256 == windows.sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_a_path_from_home_or_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tale.txt").write_text(TEXT)
    (tmp_path / "ptb").write_text(TEXT)
    (tmp_path / "python-reference").write_text(TEXT)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert corpora.load("~/tale.txt").text == TEXT
    monkeypatch.chdir(tmp_path)
    assert corpora.load("tale.txt").text == TEXT
    assert corpora.load("./python-reference").text == corpora.load("./ptb").text == TEXT
    assert corpora.load("python-reference").text != TEXT
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "tale.txt").write_text(TEXT.upper())
    status = Path("tale.txt").stat()
    monkeypatch.chdir(tmp_path / "elsewhere")
    os.utime("tale.txt", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert corpora.load("tale.txt").text == TEXT.upper()


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "tale.txt"
    file.write_text(TEXT)
    before = corpora.load(str(file))
    file.write_text(TEXT.replace("best", "last"))  # as long as before
    os.utime(file, ns=(0, 0))
    assert corpora.load(str(file)).text == TEXT.replace("best", "last")
    assert corpora.load(str(file)).sha256 != before.sha256


def test_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("empty.txt").write_bytes(b"")
    Path("mark.txt").write_bytes(b"\xef\xbb\xbf")
    Path("short.txt").write_bytes(b"\xef\xbb\xbf" + "é".encode() * 999)
    Path("latin.txt").write_bytes(b"\xef\xbb\xbfcaf\xe9 " + TEXT.encode())
    Path("loop").symlink_to("loop")
    os.mkfifo("pipe")
    missing = (
        "corpus: expected python-reference, python-library, tinyshakespeare, ptb, ptb-char, text8, wikitext-2, "
        "wikitext-2-raw or the path of a UTF-8 text file, got {}, which does not exist"
    )
    assert failure("no\nwhere.txt") == missing.format(r"'no\nwhere.txt'")
    assert failure("empty.txt/text") == missing.format("'empty.txt/text'") + "; did you mean 'text8'?"
    assert failure("folder") == "corpus: expected a text file, got the folder 'folder'"
    assert failure("") == "corpus: expected a text file, got the folder ''"
    assert failure("pipe") == "corpus: expected a regular text file, got 'pipe'"
    latin = "corpus: expected UTF-8 text, got other bytes at byte 6 of 'latin.txt'"
    assert failure("latin.txt") == f"{latin}; -o encoding=latin-1 names another encoding"
    assert failure("empty.txt") == "corpus: expected at least 1,000 characters, got the empty file 'empty.txt'"
    assert failure("mark.txt") == "corpus: expected at least 1,000 characters, got the empty file 'mark.txt'"
    assert failure("short.txt") == "corpus: expected at least 1,000 characters, got 999 in 'short.txt'"
    for name, encoding in (("marked.txt", "utf-16"), ("wide.txt", "utf-16-le")):
        Path(name).write_bytes(("é" + TEXT).encode(encoding))
    Path("ascii.txt").write_bytes(TEXT.encode("utf-16-le"))  # is UTF-8, too
    assert failure("marked.txt").endswith(" at byte 0 of 'marked.txt'; -o encoding=utf-16 names another encoding")
    wide = "corpus: expected text, got NUL characters in {!r}; is -o encoding=utf-16 meant?"
    assert failure("ascii.txt") == wide.format("ascii.txt")
    with pytest.raises(ValueError, match=re.escape(wide.format("wide.txt"))):
        corpora.load("wide.txt", "latin-1")
    assert corpora.load("ascii.txt", "utf-16").text == TEXT
    assert failure("loop").startswith("corpus: expected a readable text file, got 'loop': ")
    assert failure("a\0b") == r"corpus: expected a readable text file, got 'a\x00b': embedded null byte"


def test_an_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "tale.txt").write_text(TEXT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Path, "read_bytes", refused)
    assert failure("tale.txt") == "corpus: expected a readable text file, got 'tale.txt': Permission denied"


def test_a_thousand_characters_are_enough(tmp_path: Path) -> None:
    (tmp_path / "tale.txt").write_text(TEXT[:1_000])
    assert len(corpora.load(str(tmp_path / "tale.txt")).text) == 1_000


def test_worked_example() -> None:
    assert doctest.testmod(corpora) == doctest.TestResults(failed=0, attempted=2)
    assert corpora.vocabulary("abba") == "\ufffdab"
    ids = corpora.encode("abc", "\ufffdab")
    assert ids.dtype == np.int32
    assert ids.tolist() == [1, 2, 0]
    assert corpora.decode(ids, "\ufffdab") == "ab\ufffd"


def test_vocabulary_is_sorted_and_names_the_unknown_once() -> None:
    assert corpora.vocabulary("") == "\ufffd"
    assert corpora.vocabulary("z\ufffd\U0001f600aé\n") == "\ufffd\nazé\U0001f600"


def test_round_trip() -> None:
    text = corpora.load().text + "é€\U0001f600\0"
    vocabulary = corpora.vocabulary(text)
    ids = corpora.encode(text, vocabulary)
    assert ids.shape == (len(text),)
    assert [vocabulary[i] for i in ids[-500:]] == list(text[-500:])
    assert ids.min() == 1 and ids.max() == len(vocabulary) - 1 == len(set(text))
    assert corpora.decode(ids, vocabulary) == text
    assert corpora.decode(corpora.encode("", vocabulary), vocabulary) == ""
    assert corpora.decode(np.array([]), vocabulary) == ""


def test_unknown_characters() -> None:
    assert corpora.encode("aéa\ufffd\udcff\U0010ffff", "\ufffda").tolist() == [1, 0, 1, 0, 0, 0]
    train, _, test = corpora.split("a" * 90 + "z" * 10)
    assert corpora.encode(test, corpora.vocabulary(train)).tolist() == [0] * 10


def test_a_vocabulary_without_the_unknown_is_refused() -> None:
    for wrong in ("ab", "", "\ufffdaba"):
        with pytest.raises(ValueError) as error:
            corpora.encode("a", wrong)
        assert str(error.value) == f"vocabulary: expected U+FFFD and then distinct characters, got {wrong!r}"


@pytest.mark.parametrize("ids", [[-1, 1], [0, 3]])
def test_ids_out_of_range_are_refused(ids: list[int]) -> None:
    with pytest.raises(ValueError) as error:
        corpora.decode(np.array(ids), "\ufffdab")
    assert str(error.value) == f"ids: expected 0 to 2, got {ids[0]} to {ids[1]}"


@pytest.mark.parametrize("length", [1_000, 1_001, 1_009, 465_126])
def test_splits_are_disjoint_and_in_order(length: int) -> None:
    text = "".join(map(chr, np.arange(length) % 50_000))
    train, validation, test = corpora.split(text)
    assert train + validation + test == text
    assert [len(train), len(validation)] == pytest.approx([0.8 * length, 0.1 * length], abs=1)
    assert len(test) == pytest.approx(0.1 * length, abs=1)
