"""The published sets, in miniature: files with the real names and members, put into the cache folder by hand."""

import gzip
import hashlib
import io
import re
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.data import corpora
from experiments.data.published import DATASETS, Dataset, File

SPLITS = "train", "valid", "test"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RECURRENT_SEARCH_CACHE", str(tmp_path))
    (tmp_path / "downloads").mkdir()
    return tmp_path / "downloads"


def miniature(monkeypatch: pytest.MonkeyPatch, folder: Path, name: str, *contents: bytes) -> None:
    """Puts `contents` where the files of a set are looked for, and their sums into its row."""
    (real,) = (dataset for dataset in DATASETS if dataset.name == name)
    files = []
    for file, content in zip(real.files, contents, strict=True):
        (folder / file.name).write_bytes(content)
        known = hashlib.sha256(content).hexdigest() if file.sha256 else None
        files.append(replace(file, url="http://127.0.0.1:9/", sha256=known))
    rows = tuple(replace(row, files=tuple(files)) if row is real else row for row in DATASETS)
    monkeypatch.setattr(corpora, "DATASETS", rows)


def zipped(members: dict[str, str]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(zipfile.ZipInfo(name), text)  # without a time: the files are names of tests, too
    return content.getvalue()


def tarred(members: dict[str, str]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, text in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return gzip.compress(content.getvalue(), mtime=0)


def failure(name: str) -> str:
    with pytest.raises(ValueError) as error:
        corpora.load(name)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_tinyshakespeare(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    miniature(monkeypatch, folder, "tinyshakespeare", "First Citizén:\r\n12345".encode())
    corpus = corpora.load("tinyshakespeare")
    assert corpus.splits == ("First Citizén:\r\n", "12", "345")  # 16.8, 2.1 and 2.1 of 21 characters
    assert corpus.name == "tinyshakespeare"
    assert corpus.sha256 == hashlib.sha256("First Citizén:\r\n12345".encode()).hexdigest()
    assert corpora.load("tinyshakespeare") is corpus


def test_ptb(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    miniature(monkeypatch, folder, "ptb", b" no it was n't \n", b" <unk> N \n", b" a_b \n")
    corpus = corpora.load("ptb")
    assert corpus.splits == (" no it was n't \n", " <unk> N \n", " a_b \n")
    assert corpus.text == " no it was n't \n <unk> N \n a_b \n"
    assert corpus.sha256 == hashlib.sha256(corpus.text.encode()).hexdigest()


@pytest.mark.parametrize("prefix", ["./", ""])
def test_ptb_char(folder: Path, monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    members = {
        "simple-examples/data/ptb.test.txt": "words",
        "simple-examples/data/ptb.char.test.txt": "a s _ < u n k >\n",
        "simple-examples/data/ptb.char.train.txt": "n o _ i t _ w a s\n m r . \n",
        "simple-examples/data/ptb.char.valid.txt": "N\n",
    }
    content = tarred({f"{prefix}{name}": text for name, text in members.items()})
    miniature(monkeypatch, folder, "ptb-char", content)
    assert corpora.load("ptb-char").splits == ("no it was\nmr.\n", "N\n", "as <unk>\n")
    pinned = (folder / "simple-examples.tgz.sha256").read_text()
    assert pinned == hashlib.sha256(content).hexdigest() + "\n"


def test_text8(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "anarchism " * 10
    miniature(monkeypatch, folder, "text8", zipped({"text8": text}))
    assert corpora.load("text8").splits == (text[:90], "anarc", "hism ")


@pytest.mark.parametrize(
    ("name", "pattern"),
    [("wikitext-2", "wikitext-2/wiki.{}.tokens"), ("wikitext-2-raw", "wikitext-2-raw/wiki.{}.raw")],
)
def test_wikitext(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, pattern: str) -> None:
    members = {pattern.format(split): f" = {split} = \n wörter @-@ _ \n" for split in reversed(SPLITS)}
    miniature(monkeypatch, folder, name, zipped({"README.txt": "", **members}))
    assert corpora.load(name).splits == tuple(f" = {split} = \n wörter @-@ _ \n" for split in SPLITS)
    assert [path.suffix for path in folder.iterdir()] == [".zip"]  # nothing is unpacked


def test_another_cache_folder_is_another_corpus(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    miniature(monkeypatch, folder, "text8", zipped({"text8": "anarchism"}))
    assert corpora.load("text8").text == "anarchism"
    monkeypatch.setenv("RECURRENT_SEARCH_CACHE", str(tmp_path / "other"))
    assert failure("text8").startswith("text8.zip: expected to download it from http://127.0.0.1:9/, got ")


@pytest.mark.parametrize(
    ("name", "content", "got"),
    [
        ("text8", b"<html>", "File is not a zip file"),
        ("text8", zipped({"text9": ""}), "no member text8"),
        ("ptb-char", b"<html>", "not a gzip file"),
        ("ptb-char", tarred({"a": "b" * 9})[:-30], "(?:Compressed file ended|unexpected end).*"),
        (
            "ptb-char",
            tarred({"./simple-examples/data/ptb.char.valid.txt": ""}),
            "no member simple-examples/data/ptb.char.train.txt, simple-examples/data/ptb.char.test.txt",
        ),
        ("tinyshakespeare", b"caf\xe9 noir", "'utf-8' codec can't decode byte 0xe9 in position 3: .*"),
    ],
)
def test_a_file_that_holds_other_things(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes, got: str
) -> None:
    miniature(monkeypatch, folder, name, content)
    (file,) = (path for path in folder.iterdir())
    assert re.fullmatch(
        f"corpus: expected {name} in {re.escape(str(file))}, got {got}; "
        "delete it, and the .sha256 beside it, to download it again",
        failure(name),
    )


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda dataset: dataset.name)
def test_every_row(dataset: Dataset) -> None:
    assert len(dataset.members or dataset.files) in (1, 3)
    assert len(dataset.files) == 1 or not dataset.members
    for file in dataset.files:
        assert file.url.startswith("https://")
        assert Path(file.name).suffix == Path(file.url).suffix
        assert file.sha256 is None or re.fullmatch("[0-9a-f]{64}", file.sha256)


def test_no_two_files_share_a_name() -> None:
    files: list[File] = [file for dataset in DATASETS for file in dataset.files]
    assert len({file.name for file in files}) == len(files)
    assert [file.name for file in files if not file.sha256] == ["simple-examples.tgz"]
