"""kill -9 at any moment: nothing is lost, nothing is doubled."""

import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import mlflow  # noqa: F401  processes are forked from this one, which has the imports
import optuna
import pytest
from mlflow import MlflowClient
from support.fakes import (
    EPOCHS,
    TRIALS,
    descendants,
    kill,
    make_fake,
    make_spec,
    start,
    wait_for_trials,
)

from experiments.config.folders import SearchFolder
from tracking.children import all_trials
from tracking.searches import find_search
from tracking.store import connect

pytestmark = pytest.mark.usefixtures("before_fork")

KILLS = 40


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds workers through /proc")
def test_random_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    folder, uri, rng = tmp_path / "searches" / "fake", f"sqlite:///{tmp_path}/mlflow.db", random.Random(0)
    folder.mkdir(parents=True)
    make_spec().write(SearchFolder(folder))
    connect(f"sqlite:///{tmp_path}/warm.db", create=True)  # what MLflow does at its first start is then done
    kills: Counter[str] = Counter()
    launcher = start(folder, uri)
    deadline = time.monotonic() + 600
    while sum(kills.values()) < KILLS:
        assert time.monotonic() < deadline, kills
        if rng.random() < 0.7:  # else at any moment of a start too
            wait_for_trials(launcher, folder)
        time.sleep(rng.uniform(0.0, 0.1))
        if not launcher.is_alive():  # it gives up when its workers die one after the other before they start a trial
            assert launcher.exitcode != 0, f"the search ended after {kills} only"
            launcher = start(folder, uri)
        workers = descendants(launcher.pid)
        victim = rng.choice(["worker", "launcher", "all"])
        if victim == "worker" and workers:
            kill(rng.choice(workers))
        elif victim != "worker":
            targets = [launcher.pid, *workers] if victim == "all" else [launcher.pid]
            for pid in targets:
                kill(pid)
            launcher.join()
            launcher = start(folder, uri)
        kills[victim] += 1
    launcher.join(timeout=600)  # a busy machine took more than 120
    assert launcher.exitcode == 0
    assert min(kills.values()) > KILLS / 6, kills
    check_record(folder, uri)


def check_record(folder: Path, uri: str) -> None:
    """Optuna's study, the journals and MLflow hold the same trials, each once, and each epoch once."""
    oracle = make_fake(SearchFolder(folder), make_spec(), 0, "check").oracle
    study = {trial.number: trial for trial in oracle.study.get_trials()}
    assert sorted(study) == list(range(TRIALS))
    points = {tuple(sorted(trial.params.items())) for trial in study.values()}
    assert len(points) == TRIALS, "a point was tried twice"

    client = MlflowClient(uri)
    parent = find_search(client, "fake")
    assert parent is not None and parent.info.status == "FINISHED"
    runs = all_trials(client, parent)
    assert [int(run.data.tags["recurrent.trial"]) for run in runs] == list(range(TRIALS))
    again = sum(int(run.data.tags["recurrent.attempts"]) - 1 for run in runs)
    assert again > KILLS / 10, f"only {again} kills met a trial that was running"
    for run in runs:
        check_trial(client, run, study[int(run.data.tags["recurrent.trial"])])


def check_trial(client: MlflowClient, run: Any, trial: optuna.trial.FrozenTrial) -> None:
    width = trial.params["width"]
    history = client.get_metric_history(run.info.run_id, "val_mse")
    assert [(point.step, point.value) for point in history] == [(epoch, width / (epoch + 1)) for epoch in range(EPOCHS)]
    assert list(trial.intermediate_values.items()) == [(point.step + 1, point.value) for point in history]
    assert run.data.params["width"] == str(width)
    killed = run.data.tags.get("recurrent.reason", "").startswith("killed its worker")
    if width % 20 == 0 or killed:
        assert (trial.state.name, run.info.status, run.data.tags["recurrent.outcome"]) == ("FAIL", "FAILED", "failed")
        assert killed or run.data.tags["recurrent.reason"] == "ValueError: a width of a multiple of 20"
    else:
        ending = (trial.state.name, run.info.status, run.data.tags["recurrent.outcome"])
        assert ending == ("COMPLETE", "FINISHED", "completed")
        assert run.data.metrics["best/mse"] == trial.value == width / EPOCHS
