"""`recurrent search` from the command line to its record: undisturbed, killed, interrupted, diverging, failing."""

import io
import json
import os
import re
import signal
import sqlite3
import subprocess
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from support.searching import (
    LANGUAGE,
    SEARCH,
    TEMPORARY,
    Searched,
    begin,
    events,
    finished,
    processes_in,
    run,
    text,
    wait_until,
)

from experiments.launcher.display import Display
from experiments.launcher.progress import Progress
from experiments.tasks.loading.digest import digest_of
from experiments.tasks.loading.find import make
from tracking.journal import Journal
from tracking.store import connect
from tracking.ui import server

OPTIONS = {"length": "50", "train": "256", "val": "128", "test": "128"}
PARAMETERS = {"architecture", "cell", "depth", "width", "learning_rate", "dropout"}

# Two trials of two executions of four epochs: enough to be killed in.
TWIN = (
    *("search", "adding", "-o", "length=20", "-o", "train=512", "-o", "val=64", "-o", "test=64", "--batch", "16"),
    *("--cells", "gru,simple_rnn", "--depth", "2", "--width", "8,16", "--dropout", "0.1:0.5", "--schedule", "cosine"),
    *("--trials", "2", "--epochs", "4", "--executions", "2", "--workers", "1", "--seed", "0", "--name", "twin"),
)
RATES = "1e30,0.01,1e-05"  # a grid begins with the last
# That learning rate learns nothing, the second something, the first one blows up.
GRID = (
    *("search", "adding", "-o", "length=10", "-o", "train=256", "-o", "val=64", "-o", "test=64", "--oracle", "grid"),
    *("--cells", "gru", "--depth", "1", "--width", "16", "--learning-rate", RATES, "--epochs", "2"),
    *("--workers", "1", "--name", "grid"),
)

TIMES = ("cost/seconds", "cost/ms_per_step", "test/")
EPOCH = ("loss", "val_mse", *(f"gradient/{name}" for name in ("norm_10pct", "norm_median", "norm_90pct", "clipped")))

linux = pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="finds processes through /proc")


def curves(searched: Searched, trial: Any) -> dict[str, list[tuple[int, float]]]:
    """Every metric with a step, as (step, value) in the order of logging; `test/` is there once it was exported."""
    others = ("best/", "cost/", "hp/", "floor/", "test/", "executions/", "horizon/")
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
    assert [run.data.tags["trial"] for run in found] == [f"{number:04d}" for number in range(trials)]
    every_epoch = list(range(epochs))
    for trial in found:
        assert (trial.info.status, trial.data.tags["outcome"]) == ("FINISHED", "completed")
        expected = {f"{prefix}{name}" for name in EPOCH for prefix in prefixes(executions)}
        steps = {name: [step for step, _ in curve] for name, curve in curves(searched, trial).items()}
        assert steps == dict.fromkeys(expected, every_epoch)
        written = events(searched.folder, searched.name, trial.data.tags["trial"])
        assert [(line["execution"], line["epoch"]) for line in written if line["event"] == "epoch"] == [
            (execution, epoch) for execution in range(executions) for epoch in every_epoch
        ]
        assert [line["event"] for line in written].count("end") == 1
    with closing(sqlite3.connect(searched.folder / "mlflow.db")) as database:
        rows = database.execute("SELECT key, step FROM metrics GROUP BY run_uuid, key, step HAVING count(*) > 1")
        assert rows.fetchall() == []


def prefixes(executions: int) -> list[str]:
    return ["", *(f"exec{number}/" for number in range(1, executions))]


# ---- the search of the issue ----


def test_the_command_ends_well_and_says_what_it_found(searched: Searched) -> None:
    assert (searched.done.returncode, searched.done.stderr) == (0, "")
    lines = searched.done.stdout.splitlines()
    assert lines[0].startswith("t: adding, ")
    assert lines[1].startswith("6 trials x 1 execution(s) x 2 epochs, 2 worker(s), oracle tpe, seed 0;")
    assert lines[2].startswith("mse") and lines[2].endswith(": no memory 0.1667, half memory 0.08333")
    finished = [re.fullmatch(r" +(\d)/6  (\d{4})  (\S+) +MSE (\S+)  [\d,]+ parameters  \d+ s", line) for line in lines]
    matches = [match for match in finished if match]
    assert [match[1] for match in matches] == sorted(match[1] for match in matches) and matches[-1][1] == "6"
    assert sorted(match[2] for match in matches) == [f"{number:04d}" for number in range(6)]
    board = searched.done.stdout
    assert board.index("Best by cell") < board.index("All trials") < board.index("next:")
    best = min(float(match[4]) for match in matches)
    (row,) = [line for line in lines[lines.index("next:") - 8 :] if line.endswith(min(matches, key=score)[2] + "  ")]
    assert f"{best:.4g}" in row.split()
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
        assert (tags["kind"], tags["search_id"], tags["trial"]) == ("trial", "t", f"{number:04d}")
        assert (tags["outcome"], tags["attempts"]) == ("completed", "1")
        assert tags["kernel"] in ("cudnn", "xla", "loop") and tags["kernel_reason"]
        assert tags["steps_per_execution"] == "4", "four steps an epoch"
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
    assert tags["trials"] == "6", "which may change on --resume"
    for package in ("python", "tensorflow", "keras", "keras-tuner", "mlflow", "optuna", "numpy"):
        assert re.match(r"\d+\.\d+", tags[f"version.{package}"]), package
    assert re.fullmatch(r"([0-9a-f]{40}\+?)?", tags["commit"])
    spec = json.loads(tags["spec"])
    task = make("adding", OPTIONS)
    assert spec["digest"] == digest_of([task.split(name, 0) for name in ("train", "val")])
    (dataset,) = parent.inputs.dataset_inputs
    assert (dataset.dataset.name, dataset.dataset.digest) == ("adding", spec["digest"][:32])
    assert spec["versions"]["python"] == tags["version.python"]


@pytest.mark.skipif(not (Path(__file__).parents[2] / ".git").exists(), reason="no git checkout: no commit to record")
def test_the_commit_is_this_checkouts(searched: Searched) -> None:
    here = Path(__file__).parents[2]
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=True)
    known = subprocess.run(["git", "log", "-5", "--format=%H"], cwd=here, capture_output=True, text=True, check=True)
    assert searched.parent.data.tags["commit"].rstrip("+") in {head.stdout.strip(), *known.stdout.split()}


def test_the_parent_shows_the_best_score(searched: Searched) -> None:
    best = min(trial.data.metrics["best/mse"] for trial in searched.trials())
    assert searched.parent.data.metrics["best/mse"] == best
    (line,) = json.loads(run("results", "--json", cwd=searched.folder).stdout)
    assert line["best"] == best


def test_nothing_but_the_search_lies_in_the_folder(searched: Searched) -> None:
    ours = {"mlflow.db", "mlflow.db-wal", "mlflow.db-shm", "mlflow.db.lock", "mlartifacts", "searches", ".cache"}
    others = {"best", "mlflow-server.log", TEMPORARY}  # what the tests made here
    assert {path.name for path in searched.folder.iterdir()} <= ours | others
    assert [path.name for path in (searched.folder / "searches").iterdir()] == ["t"]
    with closing(sqlite3.connect(searched.folder / "mlflow.db")) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


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
    (parent,) = found_runs(served, "tags.kind = 'search' and tags.search_id = 't'")
    assert parent["info"]["status"] == "FINISHED"
    children = found_runs(served, f"tags.`mlflow.parentRunId` = '{parent['info']['run_id']}'")
    assert len(children) == 6
    assert {child["info"]["status"] for child in children} == {"FINISHED"}
    assert sorted(pairs(child["data"]["tags"])["trial"] for child in children) == [f"{n:04d}" for n in range(6)]
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
        order = {"filter": "tags.kind = 'trial'", "order_by": [f"metrics.`{metric}` ASC"]}
        body = {"experiment_ids": [experiment], **order}
        values = [pairs(run["data"]["metrics"])[metric] for run in ask(served, "runs/search", body)["runs"]]
        assert len(values) == 6 and values == sorted(values)


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
    digests = {json.loads(one.parent.data.tags["spec"])["digest"] for one in twins}
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
        line = shown[trial.data.tags["trial"]]
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
    record["trials"] = [(run.info.status, run.data.tags.get("outcome")) for run in before.trials()]
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
    assert [run.data.tags["attempts"] for run in after.trials()] == ["1", "2"]
    best = min(after.trials(), key=lambda run: run.data.metrics["best/mse"])
    assert [run_id for _, run_id in models(after)] == [best.info.run_id]


@pytest.mark.parametrize("how", ["interrupted", "killed"])
def test_a_resumed_search_scores_as_one_that_was_not_disturbed(
    stopped: dict[str, tuple[Searched, dict[str, Any], Searched]], twins: tuple[Searched, Searched], how: str
) -> None:
    assert scores(stopped[how][2]) == scores(twins[0])


def test_resuming_a_finished_search_changes_nothing(twins: tuple[Searched, Searched]) -> None:
    search = twins[1]
    before = scores(search), [run.info.end_time for run in search.trials()], models(search)
    done = run(*TWIN, "--resume", cwd=search.folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert (scores(search), [run.info.end_time for run in search.trials()], models(search)) == before
    assert search.parent.info.status == "FINISHED"


def models(searched: Searched) -> list[tuple[str, str]]:
    """(id, run) of every model in the store."""
    client = searched.client
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return [(model.model_id, model.source_run_id) for model in client.search_logged_models(experiments)]


# ---- what goes wrong inside a trial costs that trial ----


FAILING = f"""
import functools, sys
sys.path.insert(0, {str(Path(__file__).parents[1] / "support")!r})
import experiments.launcher.launch, searching
from experiments.cli.main import main
from experiments.launcher.supervise import Search

experiments.launcher.launch.Search = functools.partial(Search, make=searching.failing_tuner)
sys.exit(main(sys.argv[1:]))
"""


@dataclass(frozen=True)
class Trouble:
    """The search `grid` with one trial, the models in the store then, the search with up to 100 trials; and one that
    cannot build its first model."""

    first: Searched
    models: list[tuple[str, str]]
    grid: Searched
    failing: Searched


@pytest.fixture(scope="module")
def trouble(tmp_path_factory: pytest.TempPathFactory) -> Trouble:
    folder, other = (tmp_path_factory.mktemp(name).resolve() for name in ("grid", "failing"))
    words = [*GRID, "--trials", "100"]
    words[words.index("16")], words[words.index(RATES)] = "32,16", "0.01"

    def fails() -> Searched:
        return Searched(other, "grid", run(*words, cwd=other, program=("-c", FAILING)))

    with ThreadPoolExecutor(1) as pool:  # on the other core
        failing = pool.submit(fails)
        first = Searched(folder, "grid", run(*GRID, "--trials", "1", cwd=folder))
        logged = models(first)
        grid = Searched(folder, "grid", run(*GRID, "--trials", "100", "--resume", cwd=folder))
        return Trouble(first, logged, grid, failing.result())


def test_a_grid_stops_after_exactly_its_space(trouble: Trouble) -> None:
    first, search = trouble.first, trouble.grid
    assert (first.done.returncode, first.done.stderr) == (0, "")
    assert (search.done.returncode, search.done.stderr) == (0, "")
    assert [float(run.data.params["learning_rate"]) for run in search.trials()] == [1e-5, 0.01, 1e30]
    assert search.parent.info.status == "FINISHED"


def test_a_diverging_trial_costs_itself_alone(trouble: Trouble) -> None:
    search = trouble.grid
    good, better, bad = search.trials()
    assert [run.data.tags["outcome"] for run in (good, better, bad)] == ["completed", "completed", "failed"]
    assert [run.info.status for run in (good, better, bad)] == ["FINISHED", "FINISHED", "FAILED"]
    assert re.fullmatch(r"diverged in epoch 0: \w+ is (nan|inf)", bad.data.tags["reason"])
    assert "best/mse" not in bad.data.metrics
    assert all(np.isfinite(value) for value in bad.data.metrics.values())
    assert "2/3" not in search.done.stdout.splitlines()[-1]
    shown = search.results()["trials"][2]
    assert (shown["score"], shown["status"], shown["outcome"]) == (None, "FAILED", "failed")
    assert shown["reason"] == bad.data.tags["reason"]
    (line,) = [line for line in search.done.stdout.splitlines() if line.startswith("   3/3")]
    assert "failed: diverged in epoch 0" in line


def test_one_model_is_logged_and_a_better_one_takes_its_place(trouble: Trouble) -> None:
    before, search = trouble.models, trouble.grid
    good, better, _ = search.trials()
    assert better.data.metrics["best/mse"] < good.data.metrics["best/mse"]
    assert [run_id for _, run_id in before] == [good.info.run_id]
    assert [run_id for _, run_id in models(search)] == [better.info.run_id]


def test_learning_rates_are_plain_decimals(trouble: Trouble) -> None:
    assert [run.data.params["learning_rate"] for run in trouble.grid.trials()][:2] == ["0.00001", "0.01"]


def test_an_exception_costs_its_trial_alone(trouble: Trouble) -> None:
    search = trouble.failing
    assert (search.done.returncode, search.done.stderr) == (0, "")
    assert [run.data.params["width"] for run in search.trials()] == ["32", "16"], (
        "the largest first, whatever was typed"
    )
    assert [run.info.status for run in search.trials()] == ["FAILED", "FINISHED"]
    failed = search.trials()[0].data
    assert failed.tags["outcome"] == "failed"
    assert "house" in failed.tags["reason"] and "\n" not in failed.tags["reason"]
    assert "RuntimeError: no such width" in failed.tags["error"], "the traceback"
    assert "Traceback" in failed.tags["error"]


@pytest.mark.slow
def test_a_search_without_a_completed_trial_fails(tmp_path: Path) -> None:
    words = [*GRID, "--trials", "100"]
    words[words.index(RATES)] = "1e30"
    done = run(*words, cwd=tmp_path)
    assert done.returncode == 1
    assert "no trial has completed" in done.stdout
    done = run("export", "grid", "--to", "best", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "recurrent export: export: expected a search with a completed trial, got 'grid', which has none\n"
    )
    assert not (tmp_path / "best").exists()


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


# ---- what a person sees ----


def test_lines_count_up(tmp_path: Path) -> None:
    told = io.StringIO()
    progress = Progress(tmp_path, "min", planned=2, epochs=1)
    display = Display(Console(file=told, width=100), progress, "mse", {"no_memory": 1 / 6}, epochs=1)
    for number, score in enumerate((0.25, None)):
        (tmp_path / f"{number:04d}").mkdir()
        journal = Journal(tmp_path / f"{number:04d}" / "journal.jsonl")
        journal.append("start", session="s", worker=0, parameters={"architecture": "gru-16"})
        journal.append("built", parameters=1_234)
        outcome = "failed" if score is None else "completed"
        journal.append("end", outcome=outcome, score=score, seconds=61.0, reason="no [bold]memory")
    with display:
        display.tick()
        display.tick()
    first, second = sorted(told.getvalue().splitlines(), key=lambda line: "0001" in line)
    assert sorted(line.split()[0] for line in (first, second)) == ["1/2", "2/2"]
    assert first.split()[1:] == ["0000", "gru-16", "MSE", "0.25", "1,234", "parameters", "1", "min", "1", "s"]
    assert second.split()[1:] == ["0001", "gru-16", "failed:", "no", "[bold]memory"]


def test_a_terminal_shows_who_does_what(tmp_path: Path) -> None:
    told = io.StringIO()
    console = Console(file=told, width=120, force_terminal=True, color_system=None)
    journals = [Journal(tmp_path / name / "journal.jsonl") for name in ("0000", "0001")]
    for journal in journals:
        journal.path.parent.mkdir()
    values = {"architecture": "gru-16x2", "learning_rate": 0.0125}
    journals[0].append("start", session="s", worker=1, parameters=values)
    journals[0].append("epoch", execution=0, epoch=0, metrics={"loss": 1.0, "val_mse": 0.125})
    progress = Progress(tmp_path, "min", planned=8, epochs=3)
    with Display(console, progress, "mse", {"no_memory": 1 / 6}, epochs=3) as display:
        display.session = "s"
        journals[1].append("start", session="killed launcher", worker=0, parameters=values)
        journals[0].append("epoch", execution=0, epoch=1, metrics={"loss": 0.5, "val_mse": 0.0625})
        display.tick()
        screen = Console(file=(drawn := io.StringIO()), width=120)
        screen.print(display.screen())
    lines = drawn.getvalue().splitlines()
    assert "0/8 trials" in lines[0] and "1 running" in lines[0] and "left" in lines[0]
    assert lines[1].split() == ["worker", "trial", "candidate", "learning", "rate", "epoch", "MSE"]
    assert lines[2].split() == ["1", "0000", "gru-16x2", "0.0125", "3/3", "0.0625"]
    assert lines[3].startswith("best MSE -") and "no memory 0.1667" in lines[3]


def test_the_display_counts_the_epochs_of_the_execution_that_runs(tmp_path: Path) -> None:
    (tmp_path / "0000").mkdir()
    journal = Journal(tmp_path / "0000" / "journal.jsonl")
    values = {"architecture": "gru-16", "learning_rate": 0.1}
    journal.append("start", session="s", worker=0, parameters=values)
    display = Display(Console(), Progress(tmp_path, "min", 1, 20), "mse", {}, 10)
    display.session = "s"

    def shown() -> str:
        display.progress.update()
        screen = Console(file=(drawn := io.StringIO()), width=120)
        screen.print(display.screen())
        return drawn.getvalue().splitlines()[2].split()[-2]

    for epoch in range(4):  # then patience ends the first execution
        journal.append("epoch", execution=0, epoch=epoch, metrics={"loss": 0.5, "val_mse": 0.25})
    assert shown() == "5/10"
    journal.append("execution", execution=0, score=0.25)
    assert shown() == "1/10"
    journal.append("epoch", execution=1, epoch=0, metrics={"loss": 0.5, "val_mse": 0.25})
    assert shown() == "2/10"


# ---- language ----


def test_a_language_search_on_a_text_file(language: Searched) -> None:
    assert (language.done.returncode, language.done.stderr) == (0, "")
    assert [run.data.params["cell"] for run in language.trials()] == ["gru", "lstm"]
    floors = [name for name in language.parent.data.metrics if name.startswith("floor/")]
    assert {"floor/unigram", "floor/bigram", "floor/trigram"} <= set(floors)
    for trial in language.trials():
        assert 0 < trial.data.metrics["best/bits_per_character"] < np.log2(len(set(text(42_000, seed=0))) + 1)
        assert [point.step for point in language.curve(trial, "val_bits_per_character")] == [0]


def test_the_searches_of_these_tests_are_small() -> None:
    assert SEARCH[:2] == ("search", "adding") and LANGUAGE[:2] == ("search", "char_lm")
    without_sizes = re.sub(r" -o (train|val|test)=\d+", "", " ".join(SEARCH))
    assert without_sizes == "search adding -o length=50 --trials 6 --epochs 2 --workers 2 --seed 0 --name t"
