"""Which execution's model is kept and exported, and that its card says why."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import keras_tuner
import pytest
from mlflow import MlflowClient
from support.searching import Recurrent
from support.tuners import make

from experiments.worker.execution import RecurrentTuner
from tracking.executions import best_first, middle, reason

GOOD, FAIR, POOR, BAD = 0.1, 0.2, 0.3, 0.4  # of a score that is small where it is good
KEPT = [([GOOD], GOOD), ([FAIR, GOOD], FAIR), ([POOR, GOOD, FAIR], FAIR), ([FAIR, BAD, GOOD, POOR], POOR)]


@pytest.mark.parametrize("direction", ["min", "max"])
@pytest.mark.parametrize(("scores", "kept"), KEPT, ids=lambda value: str(len(value)) if isinstance(value, list) else "")
def test_a_trial_keeps_the_middle_execution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scores: list[float], kept: float, direction: str
) -> None:
    sign = 1 if direction == "min" else -1
    written: list[dict[str, Any]] = []
    monkeypatch.setattr(
        RecurrentTuner, "run_execution", lambda self, trial, folder, number: {"score": sign * scores[number]}
    )
    monkeypatch.setattr(RecurrentTuner, "save_model", lambda self, trial, folder, event: written.append(event))
    tuner = make(tmp_path, executions=len(scores))
    tuner.oracle.objective = keras_tuner.Objective("val_mse", direction)
    tuner.search()
    end = tuner.oracle.folder.trial(0).journal.events()[-1]
    (saved,) = written
    assert (end["execution"], end["model_score"]) == (scores.index(kept), sign * kept)
    assert (saved["execution"], saved["score"]) == (scores.index(kept), sign * kept)
    assert end["score"] == pytest.approx(sign * sum(scores) / len(scores))


@pytest.mark.parametrize("direction", ["min", "max"])
def test_of_equal_executions_the_earlier_one_is_better(direction: str) -> None:
    assert best_first([0.5, 0.5, 0.5], direction) == [0, 1, 2]
    assert middle([0.5, 0.5], direction) == 1
    assert reason([0.5, 0.5], direction, 1) == "rank 2 of 2, best first: the worse of the two in the middle"


@pytest.mark.parametrize(
    ("scores", "why"),
    [
        ([58 / 60], "the only execution"),
        ([58 / 60, 59 / 60], "rank 2 of 2, best first: the worse of the two in the middle"),
        ([58 / 60, 59 / 60, 57 / 60], "rank 2 of 3, best first: the middle one"),
        ([58 / 60, 57 / 60], "rank 1 of 2, best first, as an earlier version chose"),
    ],
)
def test_an_export_says_which_one_it_took(recurrent: Recurrent, old: Path, scores: list[float], why: str) -> None:
    client = MlflowClient(f"sqlite:///{old}/mlflow.db")
    (experiment,) = client.search_experiments(filter_string="name = 'data'")
    runs = client.search_runs([experiment.experiment_id])
    (parent,) = [run for run in runs if run.data.tags["kind"] == "search"]
    (trial,) = [run for run in runs if run.data.tags.get("trial") == "0000"]
    spec = {**json.loads(parent.data.tags["spec"]), "executions": len(scores)}
    client.set_tag(parent.info.run_id, "spec", json.dumps(spec))
    for number, score in enumerate(scores[1:], start=1):
        client.log_metric(trial.info.run_id, "executions/accuracy", score, step=number)
    done = recurrent("export", "old", "--to", "best", cwd=old)
    card = json.loads((old / "best" / "model.json").read_text("utf-8"))
    assert (card["execution"], card["execution_reason"], card["executions"]) == (0, why, scores)
    line = f"execution 0, counted from 0, is {why}\n"
    assert (line in done.stdout) is (len(scores) > 1), done


def test_of_equally_good_trials_the_logged_one_is_exported(recurrent: Recurrent, old: Path) -> None:
    client = MlflowClient(f"sqlite:///{old}/mlflow.db")
    (experiment,) = client.search_experiments(filter_string="name = 'data'")
    runs = {run.data.tags.get("trial"): run.info.run_id for run in client.search_runs([experiment.experiment_id])}
    client.log_metric(runs["0001"], "best/accuracy", 58 / 60)
    client.log_metric(runs["0001"], "executions/accuracy", 58 / 60)
    with closing(sqlite3.connect(old / "mlflow.db")) as database, database:  # it was the first to end
        database.execute("UPDATE logged_models SET source_run_id = ?", (runs["0001"],))
    done = recurrent("export", "old", "--to", "best", cwd=old)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_help_says_it(recurrent: Recurrent, tmp_path: Path) -> None:
    text = " ".join(recurrent("search", "--help", cwd=tmp_path).stdout.split())
    assert "the model is that of the middle one, best first; of an even number it is the worse of the two" in text
