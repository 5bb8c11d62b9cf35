"""The same search twice, killed, interrupted, and without its server: resumed, it ends as one that nobody disturbed."""

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import models as kept
from support.compared import check_all_is_there_once, curves, models, prefixes, scores
from support.searching import Searched, begin, events, finished, processes_in, run, wait_until

from tracking.store import connect
from tracking.ui import server

# Two trials of two executions of four epochs: enough to be killed in.
TWIN = (
    *("search", "adding", "-o", "length=20", "-o", "train=512", "-o", "val=64", "-o", "test=64", "--batch", "16"),
    *("--cells", "gru,simple_rnn", "--depth", "2", "--width", "8,16", "--dropout", "0.1:0.5", "--schedule", "cosine"),
    *("--trials", "2", "--epochs", "4", "--executions", "2", "--workers", "1", "--seed", "0", "--name", "twin"),
    *("--pruner", "none"),
)


linux = pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="finds processes through /proc")


# ---- the same command, the same search ----


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> tuple[Searched, Searched]:
    """The search `twin`, twice, undisturbed."""
    folders = [tmp_path_factory.mktemp(name).resolve() for name in ("first", "second")]
    processes = [begin(*TWIN, cwd=folder) for folder in folders]
    first, second = (finished(process) for process in processes)
    return Searched(folders[0], "twin", first), Searched(folders[1], "twin", second)


def test_the_same_seed_gives_the_same_trials_and_scores(twins: tuple[Searched, Searched]) -> None:
    first, second = twins
    assert (first.done.returncode, first.done.stderr) == (second.done.returncode, second.done.stderr) == (0, "")
    assert len(scores(first)) == 2
    assert scores(first) == scores(second)
    digests = {json.loads(one.parent.data.tags["recurrent.spec.0"])["digest"] for one in twins}
    assert len(digests) == 1


def test_executions_give_a_mean_and_a_spread(twins: tuple[Searched, Searched]) -> None:
    search = twins[0]
    check_all_is_there_once(search, trials=2, epochs=4, executions=2)
    shown = {trial["trial"]: trial for trial in search.results()["trials"]}
    for trial in search.trials():
        metrics = trial.data.metrics
        best = [min(value for _, value in curves(search, trial)[f"{prefix}val_mse"]) for prefix in prefixes(2)]
        assert best[0] != best[1], "each execution has a seed of its own"
        assert metrics["best/mse"] == pytest.approx(np.mean(best), rel=1e-12)
        assert metrics["best/mse_sd"] == pytest.approx(np.std(best, ddof=1), rel=1e-9)
        assert metrics["best/model_score"] in best
        line = shown[trial.data.tags["recurrent.trial"]]
        assert (line["score"], line["spread"]) == (metrics["best/mse"], metrics["best/mse_sd"])
    assert " ± " in search.done.stdout


# ---- killed and interrupted ----


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Searched, dict[str, Any], Searched]]:
    """The search `twin` killed and interrupted: as it was left, its record then, and what --resume made of it."""
    with ThreadPoolExecutor(2) as pool:  # two searches at a time, each on a core
        places = {how: tmp_path_factory.mktemp(how).resolve() for how in ("killed", "interrupted")}
        found = {how: pool.submit(stop_and_resume, how, place) for how, place in places.items()}
        return {how: future.result() for how, future in found.items()}


def stop_and_resume(how: str, folder: Path) -> tuple[Searched, dict[str, Any], Searched]:
    process = begin(*TWIN, cwd=folder)
    execution = {"killed": 1, "interrupted": 0}[how]
    wait_until(lambda: epochs(folder, execution) >= 1, process)
    if how == "killed":
        os.kill(process.pid, signal.SIGKILL)
    else:
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does it
    process.wait(timeout=60)
    left = remaining(folder) if how == "interrupted" else []
    before = Searched(folder, "twin", finished(process))
    record = {"left": left, "parent": before.parent.info.status}
    record["trials"] = [(run.info.status, run.data.tags.get("recurrent.outcome")) for run in before.trials()]
    record["journal"], record["models"] = events(folder, "twin", "0001"), models(before)
    return before, record, Searched(folder, "twin", run(*TWIN, "--resume", cwd=folder))


def remaining(folder: Path) -> list[int]:
    """The processes that do not end within a few seconds."""
    deadline = time.monotonic() + 5
    while (found := processes_in(folder)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def epochs(folder: Path, execution: int) -> int:
    """How many epochs of the second trial's execution are done."""
    lines = events(folder, "twin", "0001")
    return sum(line["event"] == "epoch" and line["execution"] == execution for line in lines)


@linux
def test_ctrl_c_ends_cleanly(stopped: dict[str, tuple[Searched, dict[str, Any], Searched]]) -> None:
    before, record, _ = stopped["interrupted"]
    assert (before.done.returncode, before.done.stderr) == (130, "")
    *_, explanation, command = before.done.stdout.splitlines()
    assert explanation == "stopped; finished trials stay, the others come again with:"
    assert command.strip() == " ".join(["recurrent", *TWIN, "--resume"])
    assert record["left"] == []
    assert record["parent"] == "KILLED"
    assert record["trials"] == [("FINISHED", "completed"), ("KILLED", "interrupted")]
    assert [line["event"] for line in record["journal"]].count("end") == 0, "it was running"
    first = before.trials()[0]
    assert [run_id for _, run_id in record["models"]] == [first.info.run_id], "the best model so far"


def test_kill_9_leaves_no_end(stopped: dict[str, tuple[Searched, dict[str, Any], Searched]]) -> None:
    before, record, _ = stopped["killed"]
    assert before.done.returncode == -signal.SIGKILL
    assert record["parent"] == "RUNNING"
    assert record["models"] == [], "the next --resume logs it"
    assert [line["event"] for line in record["journal"]].count("end") == 0, "it was running"


@pytest.mark.parametrize("how", ["interrupted", "killed"])
def test_resume_finishes_every_trial_once(
    stopped: dict[str, tuple[Searched, dict[str, Any], Searched]], how: str
) -> None:
    *_, after = stopped[how]
    assert (after.done.returncode, after.done.stderr) == (0, "")
    check_all_is_there_once(after, trials=2, epochs=4, executions=2)
    assert after.parent.info.status == "FINISHED"
    assert [run.data.tags["recurrent.attempts"] for run in after.trials()] == ["1", "2"]
    best = min(after.trials(), key=lambda run: run.data.metrics["best/mse"])
    assert best.info.run_id in [run_id for _, run_id in models(after)]


@pytest.mark.parametrize("how", ["interrupted", "killed"])
def test_a_resumed_search_scores_as_one_that_was_not_disturbed(
    stopped: dict[str, tuple[Searched, dict[str, Any], Searched]], twins: tuple[Searched, Searched], how: str
) -> None:
    after = stopped[how][2]
    assert scores(after) == scores(twins[0])
    assert kept.logged(after).keys() == kept.logged(twins[0]).keys() <= kept.on_disk(after)


def test_resuming_a_finished_search_changes_nothing(twins: tuple[Searched, Searched]) -> None:
    search = twins[1]
    before = scores(search), [run.info.end_time for run in search.trials()], models(search)
    done = run(*TWIN, "--resume", cwd=search.folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert (scores(search), [run.info.end_time for run in search.trials()], models(search)) == before
    assert search.parent.info.status == "FINISHED"


# ---- the server goes away ----


@pytest.mark.slow
def test_a_server_that_dies_costs_the_search_nothing(tmp_path: Path) -> None:
    store, user = tmp_path / "store", tmp_path / "user"
    store.mkdir()
    user.mkdir()
    connect(f"sqlite:///{store}/mlflow.db", create=True)
    with server(f"sqlite:///{store}/mlflow.db") as running:
        port = int(running.url.rsplit(":", 1)[1])
        words = (*TWIN, "--tracking-uri", running.url)
        process = begin(*words, cwd=user)
        wait_until(lambda: epochs(user, 0) >= 1, process)
    done = finished(process)
    assert done.returncode == 1
    assert "the tracking store failed" in done.stdout
    assert "2/2" in done.stdout, "every trial has been trained"
    assert f"recurrent sync twin --tracking-uri {words[-1]}" in done.stderr
    with server(f"sqlite:///{store}/mlflow.db", port):
        done = run(*words, "--resume", cwd=user)
        assert (done.returncode, done.stderr) == (0, "")
        done = run("export", "twin", "--to", "best", "--tracking-uri", words[-1], cwd=user)
        assert (done.returncode, done.stderr) == (0, "")
    search = Searched(store, "twin", done)
    assert [run.info.status for run in search.trials()] == ["FINISHED", "FINISHED"]
    assert all(
        list(points) == [(epoch, value) for epoch, (_, value) in enumerate(points)]
        for trial in search.trials()
        for points in curves(search, trial).values()
    )
    assert (user / "best" / "model.keras").exists() and not (user / "mlflow.db").exists()
