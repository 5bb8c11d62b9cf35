"""A search whose record is MLflow on PostgreSQL: killed, resumed, sent again, read. MLflow's client checks it."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from support.searching import RECURRENT, begin, events, finished, run, wait_until

from experiments.benchmarks.postgresql import missing, mlflow_server, postgresql

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(reason := missing()), reason=reason or "it is possible")]

TRIALS, EPOCHS = 6, 4
WORDS = (
    *("search", "adding", "-o", "length=10", "-o", "train=512", "-o", "val=64", "-o", "test=64", "--batch", "16"),
    *("--cells", "simple_rnn,gru", "--depth", "1", "--width", "4,8,12", "--learning-rate", "0.01", "--oracle", "grid"),
    *("--epochs", str(EPOCHS), "--workers", "1", "--seed", "0"),
)
Curve = list[tuple[int, float]]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgresql() as database, mlflow_server(database, tmp_path_factory.mktemp("server")) as address:
        yield address


def runs(url: str, kind: str, name: str) -> list[Any]:
    client = MlflowClient(url)
    found = client.search_experiments(filter_string="name = 'adding'")
    text = f"tags.`recurrent.kind` = '{kind}' and tags.`recurrent.search_id` = '{name}'"
    return list(client.search_runs([one.experiment_id for one in found], text))


def curves(url: str, name: str) -> dict[str, Curve]:
    """The validation scores that MLflow has of each trial. A trial with two runs fails."""
    client, found = MlflowClient(url), runs(url, "trial", name)
    numbers = [run.data.tags["recurrent.trial"] for run in found]
    assert sorted(numbers) == sorted(set(numbers)), "each trial has one run"
    histories = [client.get_metric_history(run.info.run_id, "val_mse") for run in found]
    return {
        number: sorted((point.step, point.value) for point in history)
        for number, history in zip(numbers, histories, strict=True)
    }


def in_journals(folder: Path, name: str) -> dict[str, Curve]:
    found = {f"{number:04d}": events(folder, name, f"{number:04d}") for number in range(TRIALS)}
    return {
        number: [(line["epoch"], line["metrics"]["val_mse"]) for line in lines if line["event"] == "epoch"]
        for number, lines in found.items()
    }


def kill_in_the_middle(folder: Path, name: str, *words: str) -> None:
    """Begins a search, and kills its launcher while the third trial trains."""
    process = begin(*WORDS, *words, cwd=folder, program=RECURRENT)
    wait_until(lambda: any(line["event"] == "epoch" for line in events(folder, name, "0002")), process)
    os.kill(process.pid, signal.SIGKILL)
    assert finished(process).returncode == -signal.SIGKILL


@pytest.mark.parametrize("record", ["all", "best:1"])
def test_a_killed_search_is_whole_on_postgresql(tmp_path: Path, url: str, record: str) -> None:
    name, folder = record.replace(":", "-"), tmp_path.resolve()
    words = ("--name", name, "--record", record, "--tracking-uri", url)
    kill_in_the_middle(folder, name, *words)
    resumed = run(*WORDS, *words, "--resume", cwd=folder, program=RECURRENT, seconds=600)
    assert resumed.returncode == 0, resumed
    written = in_journals(folder, name)
    assert {number: [epoch for epoch, _ in curve] for number, curve in written.items()} == {
        f"{number:04d}": list(range(EPOCHS)) for number in range(TRIALS)
    }
    before = curves(url, name)
    check_curves(before, written, record)
    (parent,) = runs(url, "search", name)
    assert (parent.info.status, parent.data.tags["recurrent.record"]) == ("FINISHED", record)

    synced = run("sync", name, "--tracking-uri", url, cwd=folder)
    assert (synced.returncode, synced.stdout) == (0, f"{name}: {url} has all that its journals say\n"), synced
    assert curves(url, name) == before
    check_what_is_read(folder, name, url, written)


def check_curves(found: dict[str, Curve], written: dict[str, Curve], record: str) -> None:
    """Each epoch once. With best:1 those of the best trial of each cell, and the last one of every other trial."""
    assert found.keys() == written.keys()
    whole = {number for number, curve in found.items() if curve == written[number]}
    assert all(curve == written[number][-1:] for number, curve in found.items() if number not in whole)
    scores = {number: min(score for _, score in curve) for number, curve in written.items()}
    assert min(scores, key=lambda number: scores[number]) in whole
    assert whole == found.keys() if record == "all" else 2 <= len(whole) < TRIALS


def check_what_is_read(folder: Path, name: str, url: str, written: dict[str, Curve]) -> None:
    """The results and the report, which need nothing of the folder of the search."""
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    done = run("results", name, "--json", "--tracking-uri", url, cwd=elsewhere)
    assert (done.returncode, done.stderr) == (0, "")
    trials = json.loads(done.stdout)["trials"]
    assert {trial["trial"]: trial["score"] for trial in trials} == {
        number: pytest.approx(min(score for _, score in curve)) for number, curve in written.items()
    }
    done = run("report", name, "--to", "page.html", "--tracking-uri", url, cwd=elsewhere)
    assert (done.returncode, done.stderr) == (0, "")
    page = (elsewhere / "page.html").read_text("utf-8")
    assert "Learning curves" in page
    whole = [trial for trial in trials if trial["recorded"] == "all"]
    said = f"MLflow has the curves of {len(whole)} of {TRIALS} trials (--record best:1)."
    assert (said in page) == (len(whole) < TRIALS)
