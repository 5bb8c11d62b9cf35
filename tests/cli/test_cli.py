"""The command line: bad input is one line, exit code 2 and nothing written; help is quick and complete."""

import argparse
import dataclasses
import errno
import json
import os
import resource
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.searching import SEARCH, Recurrent, Searched, environment, listing, run, text

from experiments.cli import main as cli
from experiments.cli.commands import results as results_command
from experiments.cli.commands import search as search_command
from experiments.config.folders import SearchFolder
from experiments.launcher.supervise import Search
from experiments.tasks.loading import find
from experiments.tasks.loading.digest import digest_of
from experiments.tasks.loading.find import make
from tracking import store
from tracking.searches import open_search

HEAVY = {"tensorflow", "keras", "keras_tuner", "mlflow", "optuna", "pandas", "sklearn"}
COMMANDS = ("search", "results", "horizon", "tasks", "sync", "kernels", "doctor", "ui", "export", "sample")
# What a search would take seconds for if it was not refused.
SMALL = ("-o", "length=5", "-o", "train=32", "-o", "val=8", "--trials", "1", "--epochs", "1", "--workers", "1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder with some files, and no search."""
    folder = tmp_path_factory.mktemp("user").resolve()
    (folder / "text.txt").write_text(text(5_000, seed=1), encoding="utf-8")
    (folder / "empty.txt").touch()
    (folder / "short.txt").write_text("Too short a story.\n")
    (folder / "latin1.txt").write_bytes("Ångström und Überfluß\n".encode("latin-1") * 200)
    (folder / "directory").mkdir()
    (folder / "results").mkdir()
    (folder / "results" / "thesis.tex").write_text("years of work")
    return folder


def refused(done: subprocess.CompletedProcess[str], *expected: str) -> None:
    """One line on standard error that names the command and what was expected; exit code 2."""
    assert done.returncode == 2, done
    (line,) = done.stderr.splitlines()
    assert line.startswith("recurrent"), line
    for word in expected:
        assert word in line
    assert len(line) < 400


def check_refusal(recurrent: Recurrent, folder: Path, words: tuple[str, ...], *expected: str) -> None:
    before = listing(folder)
    done = recurrent(*words, cwd=folder)
    refused(done, *expected)
    assert listing(folder) == before
    assert done.stdout == "", "refused before anything is announced"


# ---- bad input that needs no store ----


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("nonsense",), ("expected one of adding, char_lm", "'nonsense'")),
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
        (("tasks", "nonsense"), ("adding, char_lm", "'nonsense'")),
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


# ---- stores that do not answer ----


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Somebody who listens and never answers."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        yield int(silent.getsockname()[1])


def test_results_whose_server_is_away(recurrent: Recurrent, folder: Path, closed_port: int) -> None:
    started, words = time.monotonic(), ("results", "t", "--tracking-uri", f"http://127.0.0.1:{closed_port}")
    check_refusal(recurrent, folder, words, "tracking-uri", f"http://127.0.0.1:{closed_port}")
    assert time.monotonic() - started < 30


@pytest.mark.slow
def test_a_tracking_server_that_is_silent(folder: Path, silent_port: int) -> None:
    started = time.monotonic()
    done = run("results", "--tracking-uri", f"http://127.0.0.1:{silent_port}", cwd=folder)
    assert time.monotonic() - started < 90
    refused(done, "tracking-uri")


def test_the_servers_address_may_come_from_the_environment(
    recurrent: Recurrent, folder: Path, closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{closed_port}")
    check_refusal(recurrent, folder, ("results",), f"http://127.0.0.1:{closed_port}")


def test_a_store_that_is_a_folder(recurrent: Recurrent, folder: Path) -> None:
    uri = f"sqlite:///{folder}"
    check_refusal(recurrent, folder, ("results", "--tracking-uri", uri), "tracking-uri", "a file", "a folder")


def test_a_store_in_a_folder_that_does_not_exist(recurrent: Recurrent, folder: Path) -> None:
    check_refusal(recurrent, folder, ("results", "--tracking-uri", "sqlite:///nowhere/mlflow.db"), "nowhere/mlflow.db")


def test_a_store_that_is_no_database(recurrent: Recurrent, tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("not a database, although it is long enough to be read as the head of one" * 9)
    check_refusal(recurrent, tmp_path, ("results",), "mlflow.db")


# ---- searches that are there, or not ----


@pytest.mark.parametrize("command", [("results", "nothing"), ("export", "nothing", "--to", "new")], ids=lambda w: w[0])
def test_an_unknown_search(recurrent: Recurrent, searched: Searched, command: tuple[str, ...]) -> None:
    before = set(listing(searched.folder))
    done = recurrent(*command, cwd=searched.folder)
    refused(done, "'nothing'", "(t)")
    assert done.stdout == ""
    assert set(listing(searched.folder)) - before <= {"mlflow.db-wal", "mlflow.db-shm"}


@pytest.mark.parametrize("default", [None, "file:./mlruns", "http://127.0.0.1:9"])
def test_next_steps_name_a_store_that_commands_do_not_find_by_themselves(
    searched: Searched,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    default: str | None,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    if default:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", default)
    assert results_command.show(searched.name, searched.uri, hints=True) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert f"recurrent ui --tracking-uri {searched.uri} " in told
    assert f"recurrent export {searched.name} --to DIR --tracking-uri {searched.uri} " in told
    monkeypatch.setenv("MLFLOW_TRACKING_URI", searched.uri)
    results_command.show(searched.name, searched.uri, hints=True)
    assert "--tracking-uri" not in capsys.readouterr().out


def test_an_unknown_search_with_a_quote(recurrent: Recurrent, searched: Searched) -> None:
    refused(recurrent("results", "a'b", cwd=searched.folder), "a'b")


def test_a_name_that_is_used(recurrent: Recurrent, searched: Searched) -> None:
    before = listing(searched.folder / "searches")
    done = recurrent(*SEARCH, cwd=searched.folder)
    refused(done, "--name", "'t'", "--resume")
    assert done.stdout == ""
    assert listing(searched.folder / "searches") == before


def test_a_name_that_its_store_holds_already(searched: Searched, tmp_path: Path) -> None:
    before = [(run.info.run_id, run.data.tags) for run in searched.runs("search")]
    done = run("search", "adding", *SMALL, "--name", "t", "--tracking-uri", searched.uri, cwd=tmp_path)
    refused(done, "--name", "'t'", "mlflow.db")
    assert [(run.info.run_id, run.data.tags) for run in searched.runs("search")] == before
    assert not (tmp_path / "searches" / "t").exists()
    assert not (tmp_path / "mlflow.db").exists()


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (("--epochs", "3"), ("--epochs", "2", "3")),
        (("--seed", "1"), ("--seed", "0", "1")),
        (("-o", "length=60"), ("length", "50", "60")),
        (("-o", "train=128"), ("train", "256", "128")),
        (("--cells", "gru"), ("--cells", "lstm", "gru")),
        (("--depth", "1:2"), ("--depth", "1:3", "1:2")),
        (("--width", "16:64"), ("--width", "16:128", "16:64")),
        (("--learning-rate", "0.001"), ("--learning-rate", "1e-4:1e-2", "0.001")),
        (("--dropout", "0,0.5"), ("--dropout", "0,0.5")),
        (("--schedule", "cosine"), ("--schedule", "constant", "cosine")),
        (("--batch", "32"), ("--batch", "64", "32")),
        (("--executions", "2"), ("--executions", "1", "2")),
        (("--oracle", "random"), ("--oracle", "tpe", "random")),
        (("--mixed",), ("--mixed",)),
        (("--recipe",), ("--recipe", "False", "True")),
        (("--init", "default,chrono"), ("--init", "default,chrono")),
    ],
    ids=lambda words: words[0],
)
def test_resume_with_another_spec(
    recurrent: Recurrent, searched: Searched, changed: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    before = listing(searched.folder / "searches")
    done = recurrent(*SEARCH, *changed, "--resume", cwd=searched.folder)
    refused(done, "--resume", "as when the search began", *expected)
    assert done.stdout == ""
    assert listing(searched.folder / "searches") == before


def test_a_refused_search_takes_away_only_what_it_made(tmp_path: Path, closed_port: int) -> None:
    mine = tmp_path / "searches" / "mine"
    mine.mkdir(parents=True)
    (mine / "notes.txt").write_text("years of work")
    before = listing(tmp_path / "searches")
    away = ("--tracking-uri", f"http://127.0.0.1:{closed_port}")
    done = run("search", "adding", *SMALL, "--name", "mine", *away, cwd=tmp_path)
    refused(done, "--name", "a new name", "'mine'", "no spec.json")
    words = ("search", "adding", *SMALL, "--name", "new", "--tracking-uri", f"sqlite:///{tmp_path}/no/mlflow.db")
    refused(run(*words, cwd=tmp_path), "tracking-uri")
    assert listing(tmp_path / "searches") == before


@pytest.mark.parametrize("left", ["launcher.lock", "new-0a0a0a0a-7-spec.json"])
def test_what_a_kill_left_of_a_spec_does_not_take_the_name(
    recurrent: Recurrent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    folder = tmp_path / "searches" / "mine"
    folder.mkdir(parents=True)
    (folder / left).write_text("{")
    monkeypatch.setattr(Search, "run", lambda *_: "interrupted")
    assert recurrent("search", "adding", *SMALL, "--name", "mine", cwd=tmp_path).returncode == 130
    assert {path.name for path in folder.iterdir()} - {left, "launcher.lock"} == {"spec.json"}


def test_a_full_disk_does_not_take_a_name(
    recurrent: Recurrent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "spec")

    with monkeypatch.context() as patched:
        patched.setattr("os.replace", full)
        done = recurrent("search", "adding", *SMALL, "--name", "mine", cwd=tmp_path)
    refused(done, "No space left")
    assert list((tmp_path / "searches" / "mine").iterdir()) == []


def test_a_file_where_the_searches_should_lie(recurrent: Recurrent, tmp_path: Path) -> None:
    (tmp_path / "searches").touch()
    check_refusal(recurrent, tmp_path, ("search", "adding", *SMALL), "--name", "searches", "a file")


def test_a_damaged_spec(recurrent: Recurrent, tmp_path: Path) -> None:
    (tmp_path / "searches" / "t").mkdir(parents=True)
    (tmp_path / "searches" / "t" / "spec.json").write_text("{")
    words = ("search", "adding", *SMALL, "--name", "t", "--resume")
    check_refusal(recurrent, tmp_path, words, "searches/t/spec.json", "the spec of a search", "damaged")


def test_resume_with_another_task(recurrent: Recurrent, searched: Searched) -> None:
    done = recurrent("search", "char_lm", "--name", "t", "--resume", cwd=searched.folder)
    refused(done, "--resume", "adding", "char_lm")


def test_resume_without_a_name(recurrent: Recurrent, tmp_path: Path) -> None:
    check_refusal(recurrent, tmp_path, ("search", "adding", *SMALL, "--resume"), "--resume", "--name")


def test_export_to_somebody_elses_folder(recurrent: Recurrent, searched: Searched, folder: Path) -> None:
    before = listing(folder)
    done = recurrent("export", "t", "--to", "results", "--tracking-uri", searched.uri, cwd=folder)
    refused(done, "--to", "'results'", "new folder")
    done = recurrent("export", "t", "--to", "text.txt", "--tracking-uri", searched.uri, cwd=folder)
    refused(done, "--to", "'text.txt'")
    assert listing(folder) == before


@pytest.mark.parametrize("to", ["/proc/x", "x" * 300])
def test_export_to_where_nothing_can_be_written(
    recurrent: Recurrent, searched: Searched, folder: Path, to: str
) -> None:
    done = recurrent("export", "t", "--to", to, "--tracking-uri", searched.uri, cwd=folder)
    refused(done, "--to", "can be made")


def test_export_below_a_file(recurrent: Recurrent, searched: Searched, folder: Path) -> None:
    refused(recurrent("export", "t", "--to", "text.txt/best", "--tracking-uri", searched.uri, cwd=folder), "--to")


def test_a_search_without_a_finished_trial(recurrent: Recurrent, tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    client = store.connect(uri, create=True)
    options = {"length": "5", "train": "16", "val": "16", "test": "16"}
    data = digest_of([make("adding", options).split(name, 0) for name in ("train", "val")])
    words = {"name": "early", "task": "adding", "options": options, "seed": 0, "digest": data, "commit": ""}
    place = store.artifacts(uri, "adding")
    open_search(client, "early", "adding", place, {**words, "versions": {}, "metric": "mse", "direction": "min"}, {})
    before = set(listing(tmp_path))
    done = recurrent("export", "early", "--to", "best", cwd=tmp_path)
    refused(done, "completed trial", "'early'")
    assert done.stdout == ""
    assert set(listing(tmp_path)) - before <= {"mlflow.db-wal", "mlflow.db-shm"}
    found = json.loads(recurrent("results", "early", "--json", cwd=tmp_path).stdout)
    assert (found["trials"], found["floors"], found["status"]) == ([], {}, "RUNNING")
    done = recurrent("results", "early", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "no trial has completed" in done.stdout


def test_sample_of_a_model_that_writes_no_text(recurrent: Recurrent, exported: Path) -> None:
    done = recurrent("sample", "best", "--length", "5", cwd=exported.parent)
    refused(done, "language model", "'adding'")
    assert done.stdout == ""


# ---- stopped, or refused because it runs ----


def test_how_to_go_on_can_be_typed(recurrent: Recurrent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my text.txt").write_text(text(5_000, seed=1), encoding="utf-8")
    words = ("search", "char_lm", "-o", "corpus=my text.txt", "--batch", "8")
    monkeypatch.setattr(Search, "run", lambda *_: "interrupted")
    monkeypatch.setattr(sys, "argv", ["recurrent", *words])
    done = recurrent(*words, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (130, "")
    again = shlex.split(done.stdout.splitlines()[-1])
    assert again == ["recurrent", *words, "--name", "char_lm-1", "--resume"]


def test_a_search_that_is_running_is_left_alone(
    recurrent: Recurrent, searched: Searched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    folder = SearchFolder(searched.folder / "searches" / "t")
    best = min(searched.trials(), key=lambda run: run.data.metrics["best/mse"]).data.tags["trial"]
    other = next(trial for trial in folder.trials() if trial.path.name != best)
    other.model.touch()  # whoever runs it may need it, and takes it away
    before = {name: file for name, file in listing(folder.path).items() if not name.endswith(".lock")}
    with folder.launcher_lock:
        done = recurrent(*SEARCH, "--resume", cwd=searched.folder)
    refused(done, "'t'", "not running")
    after = {name: file for name, file in listing(folder.path).items() if not name.endswith(".lock")}
    other.model.unlink()
    assert after == before


# ---- help ----


answering = pytest.mark.parametrize(
    "words",
    [("--help",), ("tasks",), ("tasks", "--json"), *((command, "--help") for command in COMMANDS)],
    ids=" ".join,
)


@answering
def test_answers_in_half_a_second(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Of processor time: what runs beside it takes its share of the cores."""
    seconds = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, "-m", "experiments", *words], cwd=tmp_path, env=environment(tmp_path), capture_output=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
        assert (done.returncode, done.stderr) == (0, b"")
        if seconds[-1] < 0.5:
            break
    assert min(seconds) < 0.5


@answering
def test_answers_at_once(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Nothing is imported that takes long, and nothing that was counted before is counted again."""
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "experiments", *words],
            cwd=tmp_path,
            env=environment(tmp_path),
            capture_output=True,
            text=True,
        )
    lines = done.stderr.splitlines()
    assert done.returncode == 0 and all(line.startswith("import time:") for line in lines)
    imported = {line.rsplit("|", 1)[1].strip().split(".")[0] for line in lines}
    assert "experiments" in imported
    slow = {
        "keras",
        "keras_tuner",
        "matplotlib",
        "mlflow",
        "optuna",
        "pandas",
        "rich",
        "scipy",
        "sqlalchemy",
        "tensorflow",
    }
    assert not imported & (slow if words[0] == "tasks" else slow | {"numpy"})
    assert "pydoc_data" not in imported, "the floors of texts are kept"


@pytest.mark.parametrize("words", [["--help"], ["tasks"], ["tasks", "char_lm"], ["search", "--help"]], ids=" ".join)
def test_answers_without_heavy_imports(tmp_path: Path, words: list[str]) -> None:
    program = (
        "import sys\nfrom experiments.cli import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit: pass\nprint(*sys.modules, file=sys.stderr)"
    )
    run(*words, cwd=tmp_path)  # counts what is kept from then on
    done = run(*words, cwd=tmp_path, program=("-c", program))
    assert done.stdout
    assert "experiments.cli" in done.stderr.split()
    assert not HEAVY & {name.split(".")[0] for name in done.stderr.split()}


def options() -> list[tuple[str, argparse.Action]]:
    """(command, option) of everything that can be given."""
    top = cli.parser()
    (commands,) = [action for action in top._actions if isinstance(action, argparse._SubParsersAction)]
    assert tuple(commands.choices) and set(commands.choices) == set(COMMANDS)
    return [(name, action) for name, parser in commands.choices.items() for action in parser._actions]


@pytest.mark.parametrize(
    ("command", "action"), [pytest.param(*pair, id=f"{pair[0]} {pair[1].dest}") for pair in options()]
)
def test_every_option_has_help_and_its_default(command: str, action: argparse.Action) -> None:
    assert action.help and action.help != argparse.SUPPRESS
    switch = action.nargs == 0 or action.required or action.dest == "options"
    if switch or not action.option_strings:
        return
    assert "default" in action.help, action.option_strings
    default = action.default if action.default is not None else search_command.DEFAULTS.get(action.dest)
    if default not in (None, "", dataclasses.MISSING):
        assert str(default) in action.help


def test_help_shows_the_whole_contract(recurrent: Recurrent, tmp_path: Path) -> None:
    def rendered(*words: str) -> str:
        done = recurrent(*words, "--help", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    shown = rendered("search")
    contract = "-o --cells --depth --width --mixed --learning-rate --dropout --batch --epochs --trials --executions"
    contract += " --recipe --init --bias --clip --optimizer --residual --bidirectional"
    for flag in [*contract.split(), "--oracle", "--workers", "--seed", "--name", "--resume", "--tracking-uri", "TASK"]:
        assert flag in shown
    for default in ("1:3", "16:128", "1e-4:1e-2", "64", "tpe", "auto"):
        assert f"default: {default})" in shown or f"{default}" in shown
    for command in ("results", "ui", "export"):
        assert "--tracking-uri" in rendered(command)
    assert "--port" in rendered("ui") and "--to" in rendered("export")
    for flag in ("--prompt", "--length", "--temperature", "--top-k", "--top-p", "--seed"):
        assert flag in rendered("sample")
    top = rendered()
    assert all(command in top for command in COMMANDS)


def test_the_console_command_is_installed(tmp_path: Path) -> None:
    command = shutil.which("recurrent", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    assert command, "pip install -e . makes it"
    done = subprocess.run([command, "tasks"], cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == run("tasks", cwd=tmp_path).stdout


# ---- what scripts read ----


def strict(text: str) -> Any:
    """JSON without Python's NaN and Infinity, which other programs refuse."""

    def refuse(word: str) -> None:
        raise ValueError(word)

    return json.loads(text, parse_constant=refuse)


def test_tasks_as_json(recurrent: Recurrent, tmp_path: Path) -> None:
    found = strict(recurrent("tasks", "--json", cwd=tmp_path).stdout)
    assert [entry["task"] for entry in found] == find.names()
    for entry in found:
        assert set(entry) == {"task", "what", "knob", "metric", "direction", "floors", "options", "definition"}
        assert entry["knob"] in entry["options"]
        assert {"train", "val", "test"} <= set(entry["options"])
        assert all(set(option) == {"default", "help"} and option["help"] for option in entry["options"].values())
        assert entry["floors"] and all(isinstance(value, float) for value in entry["floors"].values())
    assert strict(recurrent("tasks", "adding", "--json", cwd=tmp_path).stdout) == found[0]
    assert found[0]["floors"] == pytest.approx({"no_memory": 1 / 6, "half_memory": 1 / 12})
    assert found[1]["metric"] == "bits_per_character"


def test_tasks_as_text(recurrent: Recurrent, tmp_path: Path) -> None:
    done = recurrent("tasks", cwd=tmp_path)
    assert "adding" in done.stdout and "char_lm" in done.stdout and "floors" in done.stdout
    page = recurrent("tasks", "adding", cwd=tmp_path).stdout
    assert "-o length=100" in page and "-o train=10000" in page
    assert "Hochreiter" in page


def test_results_as_json(searched: Searched) -> None:
    done = run("results", "t", "--json", cwd=searched.folder)
    assert (done.returncode, done.stderr) == (0, "")
    found = strict(done.stdout)
    contract = {"search", "task", "metric", "direction", "floors", "trials"}
    assert set(found) == contract | {"status"}
    expected = ("t", "adding", "mse", "min")
    assert (found["search"], found["task"], found["metric"], found["direction"]) == expected
    assert found["floors"] == pytest.approx({"no_memory": 1 / 6, "half_memory": 1 / 12})
    assert [trial["trial"] for trial in found["trials"]] == [f"{number:04d}" for number in range(6)]
    for trial, run_ in zip(found["trials"], searched.trials(), strict=True):
        contract = {"trial", "architecture", "values", "score", "status", "outcome", "parameters", "seconds"}
        assert contract <= set(trial)
        assert (trial["status"], trial["outcome"]) == ("FINISHED", "completed")
        assert trial["score"] == run_.data.metrics["best/mse"]
        assert trial["flops_per_token"] == run_.data.metrics["cost/flops_per_token"] and trial["ms_per_step"] > 0
        assert trial["horizon"]["half_life_50"] == run_.data.metrics["horizon/half_life_50"]
        assert isinstance(trial["parameters"], int) and isinstance(trial["seconds"], float)
        assert set(trial["values"]) == {"cell", "depth", "width", "learning_rate", "dropout"}
        kinds = {name: type(trial["values"][name]) for name in ("cell", "depth", "width", "learning_rate")}
        assert kinds == {"cell": str, "depth": int, "width": int, "learning_rate": float}
        assert trial["architecture"] == run_.data.params["architecture"]


def test_horizon_draws_the_cells_of_a_search(recurrent: Recurrent, searched: Searched, tmp_path: Path) -> None:
    uri = ("--tracking-uri", searched.uri)
    done = recurrent("horizon", "t", *uri, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in tmp_path.glob("*.*")] == ["t-horizon.png"], "it reads MLflow alone"
    assert (tmp_path / "t-horizon.png").read_bytes().startswith(b"\x89PNG")
    cells = {trial.data.params["cell"] for trial in searched.trials()}
    rows = [line for line in done.stdout.splitlines() if " init " in line]
    assert sorted(row.split("-")[0] for row in rows) == sorted(cells)
    assert done.stdout.count("trained") == len(cells) and "half-life" in done.stdout
    done = recurrent("horizon", "t", "--to", "here.svg", *uri, cwd=tmp_path)
    drawing = (tmp_path / "here.svg").read_text("utf-8")
    assert done.returncode == 0 and drawing.startswith("<?xml")
    refused(recurrent("horizon", "t", "--to", "here.docx", *uri, cwd=tmp_path), "--to", ".png", "here.docx")
    refused(recurrent("horizon", "t", "--to", "no/here.png", *uri, cwd=tmp_path), "no/here.png")
    refused(recurrent("horizon", "nothing", *uri, cwd=tmp_path), "'nothing'")


def test_results_list_all_searches(recurrent: Recurrent, searched: Searched) -> None:
    done = recurrent("results", "--json", cwd=searched.folder)
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = strict(done.stdout)
    assert set(line) == {"search", "task", "metric", "best", "status"}
    assert (line["search"], line["task"], line["metric"], line["status"]) == ("t", "adding", "mse", "FINISHED")
    done = recurrent("results", cwd=searched.folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split()[:3] == ["t", "adding", "mse"]


def test_results_need_mlflow_alone(recurrent: Recurrent, searched: Searched, tmp_path: Path) -> None:
    done = recurrent("results", "t", "--tracking-uri", searched.uri, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    for heading in ("floors: no memory 0.1667", "Best by cell", "All trials"):
        assert heading in done.stdout
    rows = [line.split() for line in done.stdout[done.stdout.index("All trials") :].splitlines()[2:] if line.strip()]
    scores = [float(row[1]) for row in rows]
    assert len(scores) == 6 and scores == sorted(scores)


def test_a_reader_that_stops_early_is_no_error(searched: Searched) -> None:
    command = f"{sys.executable} -m experiments results t --json | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], cwd=searched.folder, env=environment(searched.folder), capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "{\n", "")
