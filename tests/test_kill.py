"""kill -9 at any moment: nothing is lost, nothing is doubled."""

import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import keras_tuner
import mlflow  # noqa: F401  processes are forked from this one, which has the imports
import optuna
import pytest
from keras_tuner.engine.trial import Trial
from mlflow import MlflowClient

from experiments.config.folders import SearchFolder, TrialFolder
from experiments.config.spec import Spec
from experiments.launcher.supervise import Search
from experiments.strategy.oracle import StudyOracle
from experiments.worker.tuner import SearchTuner
from tracking.record import Record
from tracking.runs import Projection
from tracking.searches import all_trials, find_search, open_search
from tracking.store import artifacts, connect

pytestmark = pytest.mark.usefixtures("before_fork")

KILLS = 100
TRIALS = 600
EPOCHS = 3
EPOCH_SECONDS = 0.005


class FakeSpace(keras_tuner.HyperModel):
    def declare_hyperparameters(self, hp: Any) -> None:
        hp.Choice("cell", ["lstm", "gru"])
        hp.Int("width", 1, 600)
        hp.Fixed("depth", 1)


class FakeTuner(SearchTuner):
    """Trials of a few milliseconds, with journal lines as real ones write them."""

    def run_execution(self, trial: Trial, folder: TrialFolder, execution: int) -> dict[str, Any]:
        width = trial.hyperparameters.get("width")
        written = [event["epoch"] for event in folder.journal.events() if event["event"] == "epoch"]
        for epoch in range(len(written), EPOCHS):
            time.sleep(EPOCH_SECONDS)
            folder.journal.append("epoch", execution=0, epoch=epoch, metrics={"val_mse": width / (epoch + 1)})
            self.oracle.update_trial(trial.trial_id, {"val_mse": width / (epoch + 1)}, epoch)
        if width % 20 == 0:
            raise ValueError("a width of a multiple of 20")
        return {"score": width / EPOCHS, "epoch": EPOCHS - 1, "seconds": 0.0}


def make_fake(search: SearchFolder, spec: Spec, index: int, session: str) -> FakeTuner:
    space, objective = keras_tuner.HyperParameters(), keras_tuner.Objective("val_mse", "min")
    FakeSpace().declare_hyperparameters(space)
    oracle = StudyOracle(search, objective, spec.oracle, spec.trials, spec.seed, space, session)
    return FakeTuner(oracle, FakeSpace(), 1, index)


def make_spec(**changes: Any) -> Spec:
    fields: dict[str, Any] = {"name": "fake", "task": "adding", "options": {}, "cells": ["lstm"], "oracle": "random"}
    return Spec(**{**fields, "trials": TRIALS, "digest": "0" * 64, **changes})


def launch(folder: Path, uri: str) -> None:
    """What the command line does for a fake search."""
    search = SearchFolder(folder)

    def projection(session: str) -> Projection:
        client = connect(uri, create=True)
        spec = {**make_spec().to_json(), "versions": {}, "commit": ""}
        parent = open_search(client, "fake", "adding", artifacts(uri, "adding"), spec, {"no_memory": 1 / 6})
        return Projection(client, parent, folder / "trials", "mse", "min", session, {"no_memory": 1 / 6})

    def open_record(session: str) -> Record:
        record = Record(uri, "fake", lambda: projection(session), lambda text: None)
        record.open(lambda: False)
        return record

    Search(search, 2, [], make_fake, "fork").run(open_record, lambda: None)


def start(folder: Path, uri: str) -> Any:
    process = multiprocessing.get_context("fork").Process(target=launch, args=(folder, uri))
    process.start()
    return process


def descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    found = [int(word) for word in children.read_text().split()] if children.exists() else []
    return found


def wait_for_trials(launcher: Any, folder: Path) -> None:
    """Until a journal grows: a start takes as long as the machine is slow, so that no clock says when trials run."""
    before = written(folder)
    while launcher.is_alive() and written(folder) == before:
        time.sleep(0.002)


def written(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("trials/*/journal.jsonl"))


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds workers through /proc")
def test_100_random_kills_lose_and_double_nothing(tmp_path: Path) -> None:
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
    launcher.join(timeout=120)
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
    assert [int(run.data.tags["trial"]) for run in runs] == list(range(TRIALS))
    again = sum(int(run.data.tags["attempts"]) - 1 for run in runs)
    assert again > KILLS / 10, f"only {again} kills met a trial that was running"
    for run in runs:
        check_trial(client, run, study[int(run.data.tags["trial"])])


def check_trial(client: MlflowClient, run: Any, trial: optuna.trial.FrozenTrial) -> None:
    width = trial.params["width"]
    history = client.get_metric_history(run.info.run_id, "val_mse")
    assert [(point.step, point.value) for point in history] == [(epoch, width / (epoch + 1)) for epoch in range(EPOCHS)]
    assert list(trial.intermediate_values.items()) == [(point.step + 1, point.value) for point in history]
    assert run.data.params["width"] == str(width)
    killed = run.data.tags.get("reason", "").startswith("killed its worker")
    if width % 20 == 0 or killed:
        assert (trial.state.name, run.info.status, run.data.tags["outcome"]) == ("FAIL", "FAILED", "failed")
        assert killed or run.data.tags["reason"] == "ValueError: a width of a multiple of 20"
    else:
        assert (trial.state.name, run.info.status, run.data.tags["outcome"]) == ("COMPLETE", "FINISHED", "completed")
        assert run.data.metrics["best/mse"] == trial.value == width / EPOCHS
