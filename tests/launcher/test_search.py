"""`recurrent search` from the command line to its record, with nobody who disturbs it."""

import json
import re
import sqlite3
import subprocess
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import models
from support.compared import check_all_is_there_once
from support.searching import TEMPORARY, Searched, run, text

from experiments.tasks.loading.digest import digest_of
from experiments.tasks.loading.find import make

OPTIONS = {"length": "50", "train": "256", "val": "128", "test": "128"}
PARAMETERS = {"architecture", "cell", "depth", "width", "learning_rate", "dropout"}


def test_the_command_ends_well_and_says_what_it_found(searched: Searched) -> None:
    assert (searched.done.returncode, searched.done.stderr) == (0, "")
    lines = searched.done.stdout.splitlines()
    assert lines[0].startswith("t: adding, ")
    assert lines[1].startswith("6 trials x 1 execution(s) x 2 epochs, 2 worker(s), oracle tpe, seed 0;")
    assert lines[2] == "--trials 6 is few for 3 cells: with 9 each cell gets 3"
    marks = ": no memory 0.1667, half memory 0.08333; solved: 0.001 or less"
    assert lines[3].startswith("mse") and lines[3].endswith(marks)
    ended = re.compile(r" +(\d)/6  (\d{4})  (\S+) +MSE (\S+)  [\d,]+ parameters  \d+ s  .+")
    matches = [match for match in map(ended.fullmatch, lines) if match]
    assert [match[1] for match in matches] == sorted(match[1] for match in matches) and matches[-1][1] == "6"
    assert sorted(match[2] for match in matches) == [f"{number:04d}" for number in range(6)]
    board = searched.done.stdout
    assert board.index("Best by cell") < board.index("All trials") < board.index("next:")
    best = min(float(match[4]) for match in matches)
    trials = lines[lines.index("All trials") : lines.index("next:")]
    (row,) = [line for line in trials if line.endswith(min(matches, key=score)[2])]
    assert f"{best:.4g}" in row.split()
    assert any(line.startswith("This leaves open: ") for line in lines)
    assert "recurrent ui" in board and "recurrent export t --to DIR" in board


def score(line: re.Match[str]) -> float:
    return float(line[4])


def test_one_parent_and_exactly_six_children_all_finished(searched: Searched) -> None:
    client = searched.client
    experiments = {experiment.name: experiment.experiment_id for experiment in client.search_experiments()}
    assert set(experiments) == {"Default", "adding"}
    assert client.search_runs([experiments["Default"]]) == []
    runs = list(client.search_runs([experiments["adding"]]))
    assert len(runs) == 7, "and nothing else, deleted runs apart"
    parent = searched.parent
    children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert len(children) == 6
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert all(run.info.end_time >= run.info.start_time for run in runs)
    assert all(parent.info.start_time <= run.info.start_time for run in children)


def test_trials_have_their_parameters_metrics_and_tags(searched: Searched) -> None:
    trials = searched.trials()
    assert len({json.dumps(trial.data.params, sort_keys=True) for trial in trials}) == 6
    for number, trial in enumerate(trials):
        params, metrics, tags = trial.data.params, trial.data.metrics, trial.data.tags
        assert set(params) == PARAMETERS
        assert params["cell"] in ("simple_rnn", "lstm", "gru")
        depth, width, rate = int(params["depth"]), int(params["width"]), float(params["learning_rate"])
        assert depth in (1, 2, 3) and width in range(16, 129, 16) and 1e-4 <= rate <= 1e-2
        assert "e" not in params["learning_rate"]
        assert params["architecture"] == f"{params['cell']}-{width}" + (f"x{depth}" if depth > 1 else "")
        assert trial.info.run_name == f"{number:04d} {params['architecture']}"
        identity = {"kind": "trial", "search_id": "t", "trial": f"{number:04d}"}
        assert {name: tags[f"recurrent.{name}"] for name in identity} == identity
        assert (tags["recurrent.outcome"], tags["recurrent.attempts"]) == ("completed", "1")
        assert "recurrent.host" not in tags  # only a cluster's nodes are named
        assert tags["recurrent.kernel"] in ("cudnn", "native", "xla", "loop") and tags["recurrent.kernel_reason"]
        assert tags["recurrent.steps_per_execution"] == "4", "four steps an epoch"
        assert (metrics["hp/depth"], metrics["hp/width"]) == (depth, width)
        assert metrics["hp/learning_rate"] == pytest.approx(rate, rel=1e-6)
        assert metrics["hp/log10_learning_rate"] == pytest.approx(np.log10(rate), rel=1e-6)
        assert metrics["cost/parameters"] == count(params["cell"], depth, width)
        gates = {"simple_rnn": 1, "lstm": 4, "gru": 3}[params["cell"]]
        matrices = gates * sum(width * (size + width) for size in [2, *[width] * (depth - 1)])
        assert metrics["cost/flops_per_token"] == pytest.approx(2 * matrices + 2 * width / 50)
        assert metrics["cost/flops_per_step"] == pytest.approx(3 * 64 * (2 * 50 * matrices + 2 * width))
        assert 0 < metrics["cost/ms_per_step"] * 4 / 1000 < metrics["cost/seconds"]
        assert 0 < metrics["cost/seconds"] <= (trial.info.end_time - trial.info.start_time) / 1000 + 0.01


def test_trials_have_their_horizons(searched: Searched) -> None:
    for trial in searched.trials():
        metrics = trial.data.metrics
        assert metrics["horizon/task_lag"] == 49
        for moment in ("", "init_"):
            assert 0.5 < metrics[f"horizon/{moment}half_life_50"] <= 300
            curve = [(point.step, point.value) for point in searched.curve(trial, f"horizon/{moment}log10_gain")]
            assert dict(curve)[0] == 0 and max(curve)[0] == 99 and 50 < len(curve) < 70
            assert metrics[f"horizon/{moment}tau_1pct"] > 1 and metrics[f"horizon/{moment}g50_g0"] > 0
        assert metrics["horizon/rate"] != metrics["horizon/init_rate"]


def count(cell: str, depth: int, width: int) -> int:
    """Weights of the model: by the definition of its gates, a linear head and two features of input."""
    gates = {"simple_rnn": 1, "lstm": 4, "gru": 3}[cell]
    biases = 2 if cell == "gru" else 1
    inputs = [2, *[width] * (depth - 1)]
    return sum(gates * width * (size + width + biases) for size in inputs) + width + 1


def test_every_epoch_has_its_metrics(searched: Searched) -> None:
    check_all_is_there_once(searched, trials=6, epochs=2, executions=1)
    for trial in searched.trials():
        assert trial.data.metrics["floor/no_memory"] == pytest.approx(1 / 6), "a score never stands alone"
        curve = [point.value for point in searched.curve(trial, "val_mse")]
        assert trial.data.metrics["best/mse"] == min(curve)
        assert trial.data.metrics["best/model_score"] == min(curve)
        assert trial.data.metrics["best/epoch"] == curve.index(min(curve))
        assert not [name for name in trial.data.metrics if name.startswith(("validation", "test_"))]
        for point in searched.curve(trial, "val_mse"):
            assert trial.info.start_time <= point.timestamp <= trial.info.end_time


def test_the_parent_says_what_was_searched(searched: Searched) -> None:
    parent = searched.parent
    params, metrics, tags = parent.data.params, parent.data.metrics, parent.data.tags
    assert parent.info.run_name == "t"
    assert (metrics["floor/no_memory"], metrics["floor/half_memory"]) == pytest.approx((1 / 6, 1 / 12))
    assert {key: params[f"option.{key}"] for key in OPTIONS} == OPTIONS
    expected = {"task": "adding", "epochs": "2", "seed": "0", "executions": "1", "oracle": "tpe"}
    assert {key: params[key] for key in expected} == expected
    assert tags["recurrent.trials"] == "6", "which may change on --resume"
    for package in ("python", "tensorflow", "keras", "keras-tuner", "mlflow", "optuna", "numpy"):
        assert re.match(r"\d+\.\d+", tags[f"recurrent.version.{package}"]), package
    assert re.fullmatch(r"([0-9a-f]{40}\+?)?", tags["recurrent.commit"])
    spec = json.loads(tags["recurrent.spec.0"])
    task = make("adding", OPTIONS)
    assert spec["digest"] == digest_of([task.split(name, 0) for name in ("train", "val")])
    (dataset,) = parent.inputs.dataset_inputs
    assert (dataset.dataset.name, dataset.dataset.digest) == ("adding", spec["digest"][:32])
    assert spec["versions"]["python"] == tags["recurrent.version.python"]


@pytest.mark.skipif(not (Path(__file__).parents[2] / ".git").exists(), reason="no git checkout: no commit to record")
def test_the_commit_is_this_checkouts(searched: Searched) -> None:
    here = Path(__file__).parents[2]
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=True)
    known = subprocess.run(["git", "log", "-5", "--format=%H"], cwd=here, capture_output=True, text=True, check=True)
    assert searched.parent.data.tags["recurrent.commit"].rstrip("+") in {head.stdout.strip(), *known.stdout.split()}


def test_the_parent_shows_the_best_score(searched: Searched) -> None:
    best = min(trial.data.metrics["best/mse"] for trial in searched.trials())
    assert searched.parent.data.metrics["best/mse"] == best
    (line,) = json.loads(run("results", "--json", cwd=searched.folder).stdout)
    assert line["best"] == best


def test_the_models_that_no_other_one_beats_are_kept(searched: Searched) -> None:
    """The models of large searches would fill a disk. On disk each cell has its own front."""
    kept = models.logged(searched)
    assert kept.keys() == models.wanted(searched)
    assert kept.keys() <= models.on_disk(searched) <= {run.data.tags["recurrent.trial"] for run in searched.trials()}
    best = min(searched.trials(), key=lambda trial: trial.data.metrics["best/mse"])
    assert models.best_model(searched).source_run_id == best.info.run_id
    assert {model.name for model in kept.values()} == {f"t-{trial}" for trial in kept}


def test_nothing_but_the_search_lies_in_the_folder(searched: Searched) -> None:
    database = {f"mlflow.db{end}" for end in ("", "-wal", "-shm", ".lock", ".root")}
    ours = {*database, "mlartifacts", "searches", ".cache"}
    others = {"best", "mlflow-server.log", TEMPORARY}  # what the tests made here
    assert {path.name for path in searched.folder.iterdir()} <= ours | others
    assert [path.name for path in (searched.folder / "searches").iterdir()] == ["t"]
    with closing(sqlite3.connect(searched.folder / "mlflow.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_no_temporary_file_is_left(searched: Searched, language: Searched) -> None:
    assert searched.temporary == language.temporary == []


# ---- over the REST API of a real server ----


def ask(url: str, what: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """MLflow's REST API in JSON: POST with a body, GET without."""
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(f"{url}/api/2.0/mlflow/{what}", data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as reply:
        return dict(json.loads(reply.read()))


def found_runs(url: str, text: str) -> list[dict[str, Any]]:
    experiment = ask(url, "experiments/get-by-name?experiment_name=adding")["experiment"]["experiment_id"]
    return list(ask(url, "runs/search", {"experiment_ids": [experiment], "filter": text}).get("runs", []))


def pairs(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {item["key"]: item["value"] for item in items}


def test_the_rest_api_has_the_same_runs(served: str) -> None:
    (parent,) = found_runs(served, "tags.`recurrent.kind` = 'search' and tags.`recurrent.search_id` = 't'")
    assert parent["info"]["status"] == "FINISHED"
    children = found_runs(served, f"tags.`mlflow.parentRunId` = '{parent['info']['run_id']}'")
    assert len(children) == 6
    assert {child["info"]["status"] for child in children} == {"FINISHED"}
    assert sorted(pairs(child["data"]["tags"])["recurrent.trial"] for child in children) == [
        f"{n:04d}" for n in range(6)
    ]
    for child in children:
        assert set(pairs(child["data"]["params"])) == PARAMETERS
        wanted = f"metrics/get-history?run_id={child['info']['run_id']}&metric_key=val_mse"
        history = ask(served, wanted)["metrics"]
        assert [int(point.get("step", 0)) for point in history] == [0, 1]
        assert min(point["value"] for point in history) == pairs(child["data"]["metrics"])["best/mse"]
    assert {"floor/no_memory", "floor/half_memory", "best/mse"} <= set(pairs(parent["data"]["metrics"]))
    (dataset,) = parent["inputs"]["dataset_inputs"]
    assert dataset["dataset"]["name"] == "adding"


def test_the_rest_api_sorts_by_numbers(served: str) -> None:
    experiment = ask(served, "experiments/get-by-name?experiment_name=adding")["experiment"]["experiment_id"]
    for metric in ("best/mse", "hp/width", "hp/log10_learning_rate", "cost/parameters"):
        order = {"filter": "tags.`recurrent.kind` = 'trial'", "order_by": [f"metrics.`{metric}` ASC"]}
        body = {"experiment_ids": [experiment], **order}
        values = [pairs(run["data"]["metrics"])[metric] for run in ask(served, "runs/search", body)["runs"]]
        assert len(values) == 6 and values == sorted(values)


def test_a_language_search_on_a_text_file(language: Searched) -> None:
    assert (language.done.returncode, language.done.stderr) == (0, "")
    assert [run.data.params["cell"] for run in language.trials()] == ["gru", "lstm"]
    floors = [name for name in language.parent.data.metrics if name.startswith("floor/")]
    assert {"floor/unigram", "floor/bigram", "floor/trigram"} <= set(floors)
    for trial in language.trials():
        assert 0 < trial.data.metrics["best/bits_per_character"] < np.log2(len(set(text(42_000, seed=0))) + 1)
        assert [point.step for point in language.curve(trial, "val_bits_per_character")] == [0]
