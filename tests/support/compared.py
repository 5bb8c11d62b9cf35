"""What two searches of the same models are compared by."""

import sqlite3
from contextlib import closing
from typing import Any

from support.searching import Searched, events

TIMES = ("cost/seconds", "cost/ms_per_step", "test/")
EPOCH = ("loss", "val_mse", *(f"gradient/{name}" for name in ("norm_10pct", "norm_median", "norm_90pct", "clipped")))


def curves(searched: Searched, trial: Any) -> dict[str, list[tuple[int, float]]]:
    """Every metric with a step, as (step, value) in the order of logging; `test/` is there once it was exported."""
    others = ("best/", "reached/", "cost/", "hp/", "floor/", "test/", "executions/", "horizon/")
    names = [name for name in trial.data.metrics if not name.startswith(others)]
    return {name: [(point.step, point.value) for point in searched.curve(trial, name)] for name in names}


def scores(searched: Searched) -> list[dict[str, Any]]:
    """What must be the same in two searches with one seed: all but times and MLflow's own names."""
    found = []
    for trial in searched.trials():
        metrics = {name: value for name, value in trial.data.metrics.items() if not name.startswith(TIMES)}
        found.append({"params": trial.data.params, "metrics": metrics, "curves": curves(searched, trial)})
    return found


def check_all_is_there_once(searched: Searched, trials: int, epochs: int, executions: int) -> None:
    """Trials with the numbers from 0, all FINISHED, every epoch once, in the store and in the journals."""
    found = searched.trials()
    assert [run.data.tags["recurrent.trial"] for run in found] == [f"{number:04d}" for number in range(trials)]
    every_epoch = list(range(epochs))
    for trial in found:
        assert (trial.info.status, trial.data.tags["recurrent.outcome"]) == ("FINISHED", "completed")
        expected = {f"{prefix}{name}" for name in EPOCH for prefix in prefixes(executions)}
        steps = {name: [step for step, _ in curve] for name, curve in curves(searched, trial).items()}
        assert steps == dict.fromkeys(expected, every_epoch)
        written = events(searched.folder, searched.name, trial.data.tags["recurrent.trial"])
        assert [(line["execution"], line["epoch"]) for line in written if line["event"] == "epoch"] == [
            (execution, epoch) for execution in range(executions) for epoch in every_epoch
        ]
        assert [line["event"] for line in written].count("end") == 1
    with closing(sqlite3.connect(searched.folder / "mlflow.db")) as database:
        rows = database.execute("SELECT key, step FROM metrics GROUP BY run_uuid, key, step HAVING count(*) > 1")
        assert rows.fetchall() == []


def prefixes(executions: int) -> list[str]:
    return ["", *(f"exec{number}/" for number in range(1, executions))]


def models(searched: Searched) -> list[tuple[str, str]]:
    """(id, run) of every model in the store."""
    client = searched.client
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return [(model.model_id, model.source_run_id) for model in client.search_logged_models(experiments)]
