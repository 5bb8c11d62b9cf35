"""Searches of quick fake trials, and how to kill them."""

import multiprocessing
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import keras_tuner
import mlflow  # noqa: F401  processes are forked from this one, which has the imports
from keras_tuner.engine.trial import Trial

from experiments.config.folders import SearchFolder, TrialFolder
from experiments.config.spec import Spec
from experiments.engines.local import LocalEngine
from experiments.launcher.crew import Crew
from experiments.launcher.supervise import Supervisor
from experiments.strategy.oracle import StudyOracle
from experiments.worker.tuner import SearchTuner
from tracking.record import Record
from tracking.runs import Projection
from tracking.searches import open_search
from tracking.store import artifacts, connect

EPOCH_SECONDS = 0.005


def forked(search: SearchFolder, make: Any) -> Crew:
    """Workers of this machine that are forked from this process, which has the imports."""
    return Crew(LocalEngine(search, (), make, "fork"))


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
        record.wait(lambda: False)
        return record

    Supervisor(search, 2, forked(search, make_fake)).run(open_record, lambda: None)


def written(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("trials/*/journal.jsonl"))


TRIALS = 600


EPOCHS = 3


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


def make_fake(search: SearchFolder, spec: Spec, index: int, session: str, memory_limit: int | None = None) -> FakeTuner:
    space, objective = keras_tuner.HyperParameters(), keras_tuner.Objective("val_mse", "min")
    FakeSpace().declare_hyperparameters(space)
    oracle = StudyOracle(search, objective, spec.oracle, spec.trials, spec.seed, space, session)
    return FakeTuner(oracle, FakeSpace(), 1, index, memory_limit)


def make_spec(**changes: Any) -> Spec:
    fields: dict[str, Any] = {"name": "fake", "task": "adding", "options": {}, "cells": ["lstm"], "oracle": "random"}
    return Spec(**{**fields, "trials": TRIALS, "digest": "0" * 64, **changes})


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


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
