"""kill -9 of quick fake finals at any moment: nothing is lost, nothing is doubled."""

import json
import multiprocessing
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import keras_tuner
import mlflow  # noqa: F401  processes are forked from this one, which has the imports
import pytest
from keras_tuner.engine.trial import Trial
from mlflow import MlflowClient
from support.fakes import EPOCHS, FakeSpace, FakeTuner, descendants, forked, kill, make_spec, wait_for_trials

from experiments.config.finals import Plan, plan
from experiments.config.folders import SearchFolder, TrialFolder
from experiments.config.spec import Spec
from experiments.launcher.supervise import Supervisor
from experiments.strategy.finals import FinalsOracle
from tracking.children import trial_runs
from tracking.final_runs import FinalsProjection
from tracking.record import Record
from tracking.results import results
from tracking.searches import find_search, open_search
from tracking.store import artifacts, connect

pytestmark = [pytest.mark.usefixtures("before_fork"), pytest.mark.slow]

KILLS, SEEDS = 40, 50
WIDTHS = {"0000": 7, "0001": 11}  # of the candidates


class FakeFinals(FakeTuner):
    """Finals of a few milliseconds."""

    def about(self, trial: Trial) -> dict[str, Any]:
        final = self.oracle.final(trial.trial_id)  # type: ignore[attr-defined]
        return {"final": {"candidate": final.candidate, "seed": final.seed, "data_seed": final.seed}}

    def run_execution(self, trial: Trial, folder: TrialFolder, execution: int) -> dict[str, Any]:
        found = super().run_execution(trial, folder, execution)
        return {**found, "test": found["score"] + self.oracle.final(trial.trial_id).seed / 100}  # type: ignore[attr-defined]


def make_finals(
    finals: SearchFolder, spec: Spec, index: int, session: str, memory_limit: int | None = None
) -> FakeFinals:
    space, objective = keras_tuner.HyperParameters(), keras_tuner.Objective("val_mse", "min")
    FakeSpace().declare_hyperparameters(space)
    made = Plan.read(finals)
    assert made is not None
    oracle: Any = FinalsOracle(finals, objective, made, space, session)
    return FakeFinals(oracle, FakeSpace(), 1, index, memory_limit)


def launch(folder: Path, uri: str) -> None:
    """What `recurrent finals` does."""

    def projection(session: str) -> FinalsProjection:
        client = connect(uri)
        parent = find_search(client, "fake")
        assert parent is not None
        return FinalsProjection(client, parent, folder / "finals" / "trials", "mse", "min", session, {})

    def open_record(session: str) -> Record:
        record = Record(uri, "fake", lambda: projection(session), lambda text: None)
        record.wait(lambda: False)
        return record

    finals = SearchFolder(folder / "finals")
    Supervisor(finals, 2, forked(finals, make_finals)).run(open_record, lambda: None)


def start(folder: Path, uri: str) -> Any:
    process = multiprocessing.get_context("fork").Process(target=launch, args=(folder, uri))
    process.start()
    return process


@pytest.fixture
def search(tmp_path: Path) -> tuple[Path, str]:
    """A search in a store, and the plan of its finals."""
    folder, uri = tmp_path / "searches" / "fake", f"sqlite:///{tmp_path}/mlflow.db"
    folder.mkdir(parents=True)
    spec = make_spec(id="1")
    spec.write(SearchFolder(folder))
    values = {name: {"cell": "gru", "width": width, "depth": 1} for name, width in WIDTHS.items()}
    made = plan(None, values, EPOCHS, {"seeds": SEEDS})
    made.write(SearchFolder(folder).finals)
    spec.write(SearchFolder(folder).finals)
    client, facts = connect(uri, create=True), {"versions": {}, "commit": "", "metric": "mse", "direction": "min"}
    parent = open_search(client, "fake", "adding", artifacts(uri, "adding"), {**spec.to_json(), **facts}, {})
    told = {"planned": len(made.finals), "seeds": SEEDS, "epochs": EPOCHS, "lengths": []}
    client.set_tag(parent.info.run_id, "recurrent.finals_plan", json.dumps(told))
    client.set_terminated(parent.info.run_id)
    return folder, uri


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds workers through /proc")
def test_random_kills_lose_and_double_no_final(search: tuple[Path, str]) -> None:
    (folder, uri), rng = search, random.Random(0)
    kills: Counter[str] = Counter()
    launcher = start(folder, uri)
    deadline = time.monotonic() + 600
    while sum(kills.values()) < KILLS and launcher.exitcode != 0:
        assert time.monotonic() < deadline, kills
        if rng.random() < 0.7:  # else at any moment of a start too
            wait_for_trials(launcher, folder / "finals")
        time.sleep(rng.uniform(0.0, 0.05))
        workers = descendants(launcher.pid)
        victim = rng.choice(["worker", "launcher", "all"])
        if victim == "worker" and workers:
            kill(rng.choice(workers))
        elif victim != "worker":
            for pid in [launcher.pid, *workers] if victim == "all" else [launcher.pid]:
                kill(pid)
            launcher.join()
        kills[victim] += 1
        if not launcher.is_alive() and launcher.exitcode != 0:
            launcher = start(folder, uri)
    launcher.join(timeout=120)
    assert launcher.exitcode == 0 and sum(kills.values()) > KILLS / 2, kills
    check(MlflowClient(uri))


def check(client: MlflowClient) -> None:
    """MLflow holds each final once, and each of its epochs once; the search is as it was."""
    parent = find_search(client, "fake")
    assert parent is not None and parent.info.status == "FINISHED"
    runs = [run for same in trial_runs(client, parent, "final").values() for run in same]
    tags = Counter((run.data.tags["recurrent.candidate"], run.data.tags["recurrent.seed"]) for run in runs)
    assert tags == Counter((name, str(seed)) for seed in range(SEEDS) for name in WIDTHS)
    again = 0
    for run in runs:
        again += int(run.data.tags["recurrent.attempts"]) - 1
        if run.data.tags.get("recurrent.reason", "").startswith("killed its worker"):
            continue
        width = WIDTHS[run.data.tags["recurrent.candidate"]]
        history = client.get_metric_history(run.info.run_id, "val_mse")
        expected = [(epoch, width / (epoch + 1)) for epoch in range(EPOCHS)]
        assert [(point.step, point.value) for point in history] == expected
        assert (run.info.status, run.data.tags["recurrent.outcome"]) == ("FINISHED", "completed")
        seed = int(run.data.tags["recurrent.seed"])
        assert run.data.metrics["test/mse"] == pytest.approx(width / EPOCHS + seed / 100)
    assert again > 3, f"only {again} kills met a final that was running"
    found = results(client, parent)["finals"]
    assert found["complete"] and found["winner"] == "0000"
