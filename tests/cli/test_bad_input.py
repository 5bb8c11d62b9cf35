"""Bad input that needs no store: one line, exit code 2 and nothing written."""

from pathlib import Path

import pytest
from support.refusals import check_refusal, refused
from support.searching import Recurrent, listing, run


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("nonsense",), ("expected one of adding, associative_recall, char_lm", "'nonsense'")),
        (("adding", "-o", "lenght=50"), ("-o", "expected one of", "length", "'lenght'")),
        (("adding", "-o", "length=many"), ("length", "whole number", "'many'")),
        (("adding", "-o", "length=1.5"), ("length", "whole number", "'1.5'")),
        (("adding", "-o", "length=1"), ("length", "2 or more", "1")),
        (("adding", "-o", "length=-50"), ("length", "2 or more", "-50")),
        (("adding", "-o", "train=0"), ("train", "1 or more", "0")),
        (("adding", "-o", "length"), ("-o", "KEY=VALUE", "'length'")),
        (("adding", "-o", "=5"), ("-o", "KEY=VALUE", "'=5'")),
        (("adding", "-o", ""), ("-o", "KEY=VALUE", "''")),
        (("adding", "-o"), ("-o",)),
        (("adding", "--cells", "gru,transformer"), ("--cells", "gru", "lstm", "simple_rnn", "'transformer'")),
        (("adding", "--cells", "gru,gru"), ("--cells", "once", "'gru,gru'")),
        (("adding", "--cells", "gru,"), ("--cells", "''")),
        (("adding", "--depth", "3:1"), ("--depth", "'3:1'", "A:B")),
        (("adding", "--depth", "0"), ("--depth", "'0'")),
        (("adding", "--depth", "deep"), ("--depth", "'deep'")),
        (("adding", "--depth", "1:2:3"), ("--depth", "'1:2:3'")),
        (("adding", "--width", "0"), ("--width", "'0'")),
        (("adding", "--width", "0:64"), ("--width", "'0:64'")),
        (("adding", "--width", "64:32"), ("--width", "'64:32'")),
        (("adding", "--width", ""), ("--width", "''")),
        (("adding", "--learning-rate", "0"), ("--learning-rate", "above 0", "'0'")),
        (("adding", "--learning-rate", "0:0.1"), ("--learning-rate", "above 0", "'0:0.1'")),
        (("adding", "--learning-rate=-1e-3"), ("--learning-rate", "'-1e-3'")),
        (("adding", "--learning-rate", "nan"), ("--learning-rate", "'nan'")),
        (("adding", "--learning-rate", "inf"), ("--learning-rate", "'inf'")),
        (("adding", "--learning-rate", "0.1:0.01"), ("--learning-rate", "'0.1:0.01'")),
        (("adding", "--schedule", "linear"), ("--schedule", "constant, cosine", "'linear'")),
        (("adding", "--dropout", "1"), ("--dropout", "below 1", "'1'")),
        (("adding", "--dropout=-0.1"), ("--dropout", "'-0.1'")),
        (("adding", "--init", "xavier"), ("--init", "default, orthogonal, identity, chrono", "'xavier'")),
        (("adding", "--init", "chrono"), ("--init", "default, identity for simple_rnn", "'chrono'")),
        (("adding", "--bias=-1"), ("--bias", "from 0", "'-1'")),
        (("adding", "--clip", "none"), ("--clip", "'none'")),
        (("adding", "--optimizer", "sgd"), ("--optimizer", "adam, rmsprop", "'sgd'")),
        (("adding", "--residual", "maybe"), ("--residual", "no, yes", "'maybe'")),
        (("nback", "--bidirectional", "yes"), ("--bidirectional", "answered at every step", "'yes'")),
        (("adding", "--oracle", "bayes"), ("--oracle", "random, grid, tpe", "'bayes'")),
        (("adding", "--oracle", "grid"), ("--learning-rate", "0.001,0.01", "grid")),
        (
            ("adding", "--oracle", "grid", "--learning-rate", "1e-4:1e-2"),
            ("--learning-rate", "a list like 0.001,0.01", "got a range"),
        ),
        (
            ("adding", "--oracle", "grid", "--learning-rate", "0.01", "--dropout", "0:0.5"),
            ("--dropout", "a list like 0,0.5", "got a range"),
        ),
        (("adding", "--pruner", "asha"), ("--pruner", "none, median, halving, hyperband", "'asha'")),
        (("adding", "--patience=-1"), ("--patience", "from 0", "'-1'")),
        (("adding", "--time-limit", "soon"), ("--time-limit", "45m", "'soon'")),
        (("adding", "--trial-time-limit", "0"), ("--trial-time-limit", "90s", "'0'")),
        (("adding", "--prefer", "small"), ("--prefer", "small:2%", "fast:2%", "'small'")),
        (("adding", "--record", "best:0"), ("--record: expected all or best:N, got 'best:0'",)),
        (("adding", "--record", "worst:3"), ("--record: expected all or best:N, got 'worst:3'",)),
        (("adding", "--target", "low"), ("--target", "a number", "'low'")),
        (("adding", "--memory-limit", "4"), ("--memory-limit", "4G", "'4'")),
        (("adding", "-o", "length=99999999999"), ("-o length", "below 2,147,483,648", "'99999999999'")),
        (("adding", "--depth", "1:1000000"), ("--depth", "1 to 100", "'1:1000000'")),
        (("adding", "--width", "1000000000"), ("--width", "1 to 65,536", "'1000000000'")),
        (("adding", "--workers", "²"), ("--workers", "a whole number", "'²'")),
        (("adding", "--trials", "9" * 5000), ("--trials", "below 2,147,483,648", "'999")),
        (("adding", "--trials", "0"), ("--trials", "from 1", "'0'")),
        (("adding", "--trials", "1e3"), ("--trials", "'1e3'")),
        (("adding", "--epochs", "0"), ("--epochs", "'0'")),
        (("adding", "--executions", "0"), ("--executions", "'0'")),
        (("adding", "--batch", "0"), ("--batch", "'0'")),
        (("adding", "--seed=-1"), ("--seed", "from 0", "'-1'")),
        (("adding", "--workers", "0"), ("--workers", "'0'")),
        (("adding", "--workers", "two"), ("--workers", "auto", "'two'")),
        (("adding", "--name", "a/b"), ("--name", "'a/b'")),
        (("adding", "--name", "../x"), ("--name", "'../x'")),
        (("adding", "--name", "a'b"), ("--name", '"a\'b"')),
        (("adding", "--name", ""), ("--name", "''")),
        (("adding", "--name", ".."), ("--name", "'..'")),
        (("adding", "--name=-rf"), ("--name", "'-rf'")),
        (("adding", "--name", "new\nline"), ("--name", r"'new\nline'")),
        (("adding", "--name", "x" * 101), ("--name",)),
        (("adding", "--trial", "5"), ("--trial",)),
        (("adding", "char_lm"), ("char_lm",)),
        ((), ("TASK",)),
        (("adding", "--tracking-uri", "file:///somewhere/mlruns"), ("tracking-uri", "sqlite:///", "'file:")),
        (("adding", "--tracking-uri", ""), ("tracking-uri", "sqlite:///FILE", "''")),
        (("adding", "--seed", "9" * 30), ("--seed", "from 0 below 2^63", "'999")),
        (("adding", "--tracking-uri", "mlruns"), ("tracking-uri", "sqlite:///", "'mlruns'")),
        (("adding", "--tracking-uri", "sqlite:///"), ("tracking-uri", "sqlite:///FILE")),
        (("adding", "--tracking-uri", "postgresql://host/db"), ("tracking-uri", "'postgresql:")),
    ],
    ids=lambda words: " ".join(words)[:40] if isinstance(words, tuple) else None,
)
def test_a_search_that_cannot_be(
    recurrent: Recurrent, folder: Path, words: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    check_refusal(recurrent, folder, ("search", *words), *expected)


@pytest.mark.parametrize(
    "words", [("search", "nonsense"), ("search", "adding", "--depth", "3:1"), ("search", "adding", "--seed=-1"), ()]
)
def test_a_refusal_in_a_process_of_its_own(folder: Path, words: tuple[str, ...]) -> None:
    before = listing(folder)
    done = run(*words, cwd=folder)
    refused(done)
    assert done.stdout == ""
    assert listing(folder) == before


def test_a_search_over_no_cell(recurrent: Recurrent, tmp_path: Path) -> None:
    check_refusal(recurrent, tmp_path, ("search", "adding", "--cells", ""), "--cells", "''")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("missing.txt", ("does not exist", "UTF-8 text file", "/missing.txt'")),
        ("empty.txt", ("empty", "1,000 characters", "/empty.txt'")),
        ("short.txt", ("1,000 characters", "got 19", "/short.txt'")),
        ("latin1.txt", ("UTF-8", "byte 0", "/latin1.txt'")),
        ("directory", ("text file", "folder", "/directory'")),
        ("text.txt/more", ("does not exist",)),
        ("", ("corpus", "expected")),
    ],
)
def test_a_corpus_that_cannot_be_read(
    recurrent: Recurrent, folder: Path, source: str, expected: tuple[str, ...]
) -> None:
    check_refusal(recurrent, folder, ("search", "char_lm", "-o", f"corpus={source}"), "corpus", *expected)


def test_a_corpus_too_short_for_one_batch(recurrent: Recurrent, folder: Path) -> None:
    words = ("search", "char_lm", "-o", "corpus=text.txt", "-o", "window=128")
    check_refusal(recurrent, folder, words, "8192 characters", "got 3999", "--batch", "window")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), ("COMMAND",)),
        (("serach",), ("'serach'", "search")),
        (("tasks", "nonsense"), ("adding, associative_recall, char_lm", "'nonsense'")),
        (("tasks", ""), ("task", "adding, associative_recall, char_lm", "''")),
        (("tasks", "", "--show", "1"), ("task", "''")),
        (("export", "t"), ("--to",)),
        (("export",), ("NAME",)),
        (("ui", "--port", "http"), ("--port", "'http'")),
        (("sample",), ("DIR",)),
        (("sample", "missing"), ("missing", "no folder")),
        (("sample", "text.txt"), ("text.txt", "no folder")),
        (("sample", "directory"), ("directory", "model.keras", "model.json")),
        (("sample", "directory", "--length", "0"), ("--length", "'0'")),
        (("sample", "directory", "--temperature=-1"), ("temperature", "-1")),
        (("sample", "directory", "--temperature", "nan"), ("temperature", "nan")),
        (("sample", "directory", "--temperature", "inf"), ("temperature", "finite", "inf")),
        (("sample", "directory", "--temperature", "hot"), ("temperature", "a number", "'hot'")),
        (("sample", "directory", "--top-k=-1"), ("top-k", "-1")),
        (("sample", "directory", "--top-k", "1.5"), ("top-k", "whole number", "'1.5'")),
        (("sample", "directory", "--top-p", "0"), ("top-p", "0")),
        (("sample", "directory", "--top-p", "x"), ("top-p", "a number", "'x'")),
        (("sample", "directory", "--length", "9" * 30), ("--length", "below 2,147,483,648")),
        (("sync", "missing"), ("NAME", "searches/", "'missing'")),
        (("sync", "a/b"), ("NAME", "'a/b'")),
        (("sample", "directory", "--seed=-1"), ("--seed", "'-1'")),
    ],
    ids=lambda words: " ".join(words)[:40] if isinstance(words, tuple) else None,
)
def test_a_command_that_cannot_be(
    recurrent: Recurrent, folder: Path, words: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    check_refusal(recurrent, folder, words, *expected)


@pytest.mark.parametrize(
    "words", [("results",), ("results", "t"), ("export", "t", "--to", "best"), ("ui",)], ids=lambda words: words[0]
)
def test_without_a_record(recurrent: Recurrent, folder: Path, words: tuple[str, ...]) -> None:
    check_refusal(recurrent, folder, words, "expected", "mlflow.db", "recurrent search")
