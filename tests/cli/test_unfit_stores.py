"""Stores and searches that do not fit a command: one line, exit code 2 and nothing written."""

import errno
import json
import shlex
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from support.refusals import SMALL, check_refusal, refused
from support.searching import SEARCH, Recurrent, Searched, listing, run, text

from experiments.cli.commands import results as results_command
from experiments.config.folders import SearchFolder
from experiments.launcher.supervise import Supervisor
from experiments.tasks.loading.digest import digest_of
from experiments.tasks.loading.find import make
from tracking import store
from tracking.searches import open_search

# ---- stores that do not answer ----


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
    assert results_command.show(searched.name, searched.uri) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert f"recurrent ui --tracking-uri {searched.uri} " in told
    assert f"recurrent export {searched.name} --to DIR --tracking-uri {searched.uri} " in told
    monkeypatch.setenv("MLFLOW_TRACKING_URI", searched.uri)
    results_command.show(searched.name, searched.uri)
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
    monkeypatch.setattr(Supervisor, "run", lambda *_: "interrupted")
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
    assert not (tmp_path / "searches" / "mine").exists()


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
    monkeypatch.setattr(Supervisor, "run", lambda *_: "interrupted")
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
    best = min(searched.trials(), key=lambda run: run.data.metrics["best/mse"]).data.tags["recurrent.trial"]
    other = next(trial for trial in folder.trials() if trial.path.name != best)
    other.model.touch()  # whoever runs it may need it, and takes it away
    before = {name: file for name, file in listing(folder.path).items() if not name.endswith(".lock")}
    with folder.launcher_lock:
        done = recurrent(*SEARCH, "--resume", cwd=searched.folder)
    refused(done, "'t'", "not running")
    after = {name: file for name, file in listing(folder.path).items() if not name.endswith(".lock")}
    other.model.unlink()
    assert after == before


def test_a_grid_shares_nothing_out(recurrent: Recurrent, tmp_path: Path) -> None:
    done = recurrent("search", "adding", "--oracle", "grid", "--allocate", "fair", cwd=tmp_path)
    expected = "--allocate: expected none with --oracle grid, which trains all models, got 'fair'"
    assert (done.returncode, done.stderr) == (2, f"recurrent search: {expected}\n")
