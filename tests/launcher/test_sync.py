"""The record survives its server: stopped in mid-search and restarted, or away until `recurrent sync`."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from mlflow.artifacts import download_artifacts
from support.once import copied
from support.searching import IMPATIENT, Recurrent, Searched, begin, events, finished, run, text, wait_until
from support.servers import WORDS, Servers, curves, ended, in_journals

from experiments.config.folders import SearchFolder
from experiments.config.spec import Spec
from experiments.tasks.loading.digest import digest_of
from experiments.tasks.loading.find import make
from tracking.searches import find_search
from tracking.store import connect


def test_a_server_that_goes_and_comes_back(tmp_path: Path, servers: Servers) -> None:
    words = ("--trials", "3", "--tracking-uri", servers.url)
    process = begin(*WORDS, *words, cwd=tmp_path)
    wait_until(lambda: ended(tmp_path, 0), process)
    servers.stop()
    wait_until(lambda: ended(tmp_path, 1), process)  # training goes on
    servers.start()
    done = finished(process)
    assert done.returncode == 0, done
    searched = Searched(tmp_path, "away", done)
    assert curves(searched) == in_journals(tmp_path, 3) and len(curves(searched)) == 3

    servers.stop()
    process = begin_impatient(*WORDS, "--trials", "4", "--tracking-uri", servers.url, cwd=tmp_path, servers=servers)
    done = finished(process)
    assert done.returncode == 1 and ended(tmp_path, 3)
    assert f"recurrent sync away --tracking-uri {servers.url}" in done.stderr.replace("\n", " ")
    assert len(curves(searched)) < 4 or curves(searched)[3][1] != "FINISHED"

    servers.start()
    for found in ("1 missing trial(s) sent; ", ""):  # the second time changes nothing
        synced = run("sync", "away", "--tracking-uri", servers.url, cwd=tmp_path)
        assert (synced.returncode, synced.stderr) == (0, "")
        known = {f"away: {words}{servers.url} has all that its journals say\n" for words in (found, "")}
        assert synced.stdout in known, "its run may have been made before the server went"
        assert curves(searched) == in_journals(tmp_path, 4)
        assert searched.parent.info.status == "FINISHED"


def begin_impatient(*words: str, cwd: Path, servers: Servers) -> Any:
    """A search whose server goes as soon as its workers begin."""
    servers.start()
    process = begin(*words, cwd=cwd, code=IMPATIENT)
    wait_until(lambda: bool(events(cwd, "away", "0003")), process)
    servers.stop()
    return process


def test_a_server_that_is_away_at_the_start(tmp_path: Path, servers: Servers) -> None:
    words = ("--tracking-uri", servers.url)
    servers.stop()
    done = run(*WORDS, "--trials", "1", *words, cwd=tmp_path, code=IMPATIENT)
    assert done.returncode == 1 and ended(tmp_path, 0), "it has trained"
    said = done.stdout.replace("\n", " ")
    assert f"got {servers.url}: no answer; the search goes on without its store" in said
    assert said.count("no answer") == 1 and f"`recurrent sync away --tracking-uri {servers.url}` sends them" in said

    servers.start()
    synced = run("sync", "away", *words, cwd=tmp_path)
    assert (synced.returncode, synced.stderr) == (0, "")
    assert curves(Searched(tmp_path, "away", synced)) == in_journals(tmp_path, 1)
    servers.stop()
    process = begin(*WORDS, "--trials", "2", *words, cwd=tmp_path)
    wait_until(lambda: ended(tmp_path, 1), process)  # training does not wait
    servers.start()
    done = finished(process)
    assert (done.returncode, done.stderr) == (0, "")
    searched = Searched(tmp_path, "away", done)
    assert curves(searched) == in_journals(tmp_path, 2) and len(curves(searched)) == 2
    assert searched.parent.info.status == "FINISHED"


@pytest.mark.parametrize(
    ("events", "status", "stopped"),
    [
        ([], "KILLED", "its launcher was killed"),
        ([("start", {}), ("end", {"status": "FINISHED", "why": "the target"})], "FINISHED", "the target"),
        ([("start", {}), ("end", {"status": "FAILED", "why": "workers end"})], "FAILED", "workers end"),
        ([("end", {"status": "FINISHED", "why": "the target"}), ("start", {})], "KILLED", "its launcher was killed"),
    ],
)
def test_sync_leaves_a_search_as_it_ended(
    tmp_path: Path, recurrent: Recurrent, events: list[tuple[str, dict[str, str]]], status: str, stopped: str
) -> None:
    folder = SearchFolder(tmp_path / "searches" / "away")
    folder.path.mkdir(parents=True)
    options = {"length": "5", "train": "16", "val": "16", "test": "16"}
    task = make("adding", options)
    found = digest_of([task.split(name, 0) for name in ("train", "val")])
    Spec(name="away", task="adding", options=options, cells=["gru"], digest=found, id="1").write(folder)
    folder.task.write_text('{"metric": "ms')  # damaged: it is made again
    for event, fields in events:
        folder.journal.append(event, **fields)
    done = recurrent("sync", "away", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    parent = find_search(connect(f"sqlite:///{tmp_path}/mlflow.db"), "away")
    assert parent is not None
    assert (parent.info.status, parent.data.tags["recurrent.stopped"]) == (status, stopped)


def test_a_copy_beside_a_search_does_not_undo_it(tmp_path: Path, recurrent: Recurrent, searched: Searched) -> None:
    """The copy was made while a trial ran. To its journals the trial was interrupted."""
    project = copied(searched.folder, tmp_path.resolve() / "project")
    shutil.copytree(project / "searches" / "t", project / "searches" / "t-backup")
    journal = project / "searches" / "t-backup" / "trials" / "0005" / "journal.jsonl"
    journal.write_text("".join(journal.read_text().splitlines(keepends=True)[:-1]))
    done = recurrent("sync", "t-backup", cwd=project)
    assert done.returncode == 2
    expected = "NAME: expected the folder of the search 't', got searches/t-backup, a copy of it or its new name;"
    assert done.stderr.startswith(f"recurrent sync: {expected} `recurrent rename t-backup --new-id` makes it ")
    there = Searched(project, "t", searched.done)
    ends = [run.data.tags["recurrent.outcome"] for run in there.trials()]
    assert ends == [run.data.tags["recurrent.outcome"] for run in searched.trials()]
    assert recurrent("rename", "t-backup", "--new-id", cwd=project).returncode == 0
    assert recurrent("sync", "t-backup", cwd=project).returncode == 0
    assert len(Searched(project, "t-backup", searched.done).trials()) == 6


def test_sync_says_what_the_search_was_run_with_and_refuses_other_data(tmp_path: Path, recurrent: Recurrent) -> None:
    folder = SearchFolder(tmp_path / "searches" / "away")
    folder.path.mkdir(parents=True)
    (tmp_path / "text.txt").write_text(text(42_000, seed=0), encoding="utf-8")
    options = {"corpus": str(tmp_path / "text.txt"), "window": "16"}
    task = make("char_lm", options)
    found = digest_of([task.split(name, 0) for name in ("train", "val")])
    Spec(name="away", task="char_lm", options=options, cells=["gru"], digest=found, id="1").write(folder)
    earlier = {**json.loads(folder.spec.read_text()), "commit": "earlier", "versions": {"keras": "3.0.0"}}
    folder.spec.write_text(json.dumps(earlier))
    assert recurrent("sync", "away", cwd=tmp_path).returncode == 0
    parent = find_search(connect(f"sqlite:///{tmp_path}/mlflow.db"), "away")
    assert parent is not None
    assert (parent.data.tags["recurrent.commit"], parent.data.tags["recurrent.version.keras"]) == ("earlier", "3.0.0")
    (tmp_path / "text.txt").write_text(text(42_000, seed=1), encoding="utf-8")
    done = recurrent("sync", "away", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"recurrent sync: data: expected those of the search, digest {found[:12]}, got ")
    floors = find_search(connect(f"sqlite:///{tmp_path}/mlflow.db"), "away").data.metrics  # type: ignore[union-attr]
    assert floors == parent.data.metrics


def curves_of(searched: Searched, metric: str) -> list[tuple[int, float]]:
    (run,) = searched.trials()
    return [(one.step, one.value) for one in searched.curve(run, metric)]


def test_data_that_have_changed_keep_no_search_from_being_sent(
    tmp_path: Path, servers: Servers, recurrent: Recurrent
) -> None:
    """Its floors, and the vocabulary of its model, are those that it was run with; the text itself is not needed."""
    corpus = tmp_path / "text.txt"
    corpus.write_text(text(42_000, seed=0), encoding="utf-8")
    words = ("search", "char_lm", "-o", "corpus=text.txt", "-o", "train=9600", "-o", "window=16", "--cells", "gru")
    words += ("--depth", "1", "--width", "16", "--oracle", "grid", "--learning-rate", "0.02", "--epochs", "2")
    words += ("--batch", "8", "--workers", "1", "--name", "away", "--tracking-uri", servers.url)
    process = begin(*words, cwd=tmp_path, code=IMPATIENT)
    wait_until(lambda: bool(events(tmp_path, "away", "0000")), process)
    servers.stop()
    done = finished(process)
    assert done.returncode == 1 and ended(tmp_path, 0), done
    corpus.unlink()
    servers.start()
    synced = recurrent("sync", "away", "--tracking-uri", servers.url, cwd=tmp_path)
    assert (synced.returncode, synced.stderr) == (0, "")
    searched = Searched(tmp_path, "away", done)
    assert curves_of(searched, "val_bits_per_character") == [
        (one["epoch"], one["metrics"]["val_bits_per_character"])
        for one in events(tmp_path, "away", "0000")
        if one["event"] == "epoch"
    ]
    described = json.loads((tmp_path / "searches" / "away" / "task.json").read_text())
    floors = {name.removeprefix("floor/"): value for name, value in searched.parent.data.metrics.items()}
    assert {name: floors[name] for name in described["floors"]} == described["floors"] and len(described["floors"]) > 1
    (model,) = searched.client.search_logged_models([searched.parent.info.experiment_id])
    folder = download_artifacts(artifact_uri=model.artifact_location, tracking_uri=servers.uri, dst_path=str(tmp_path))
    card = json.loads((Path(folder) / "model.json").read_text())
    assert card["preprocessing"]["vocabulary"] == described["preprocessing"]["vocabulary"]
    assert (card["metric"], card["direction"], card["shapes"]) == (
        "bits_per_character",
        "min",
        {
            "input": {"shape": [None, None], "dtype": "int32"},
            "output": {"shape": [None, None, len(card["preprocessing"]["vocabulary"])], "dtype": "float32"},
        },
    )


def test_a_search_that_runs_is_not_sent_by_two(tmp_path: Path) -> None:
    folder = SearchFolder(tmp_path / "searches" / "away")
    folder.path.mkdir(parents=True)
    spec = {"name": "away", "task": "adding", "options": {"length": "5"}, "cells": ["gru"]}
    folder.spec.write_text(json.dumps(spec))
    with folder.launcher_lock:
        done = run("sync", "away", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "recurrent sync: NAME: expected a search that is not running, got 'away', which is\n"
    assert not (tmp_path / "mlflow.db").exists()
