"""What scripts and people read of `recurrent tasks`, `results` and `horizon`."""

import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from support.refusals import refused
from support.searching import Recurrent, Searched, environment, run, with_floors

from experiments.config.folders import SearchFolder
from experiments.tasks.adding import Adding
from experiments.tasks.loading import find


def strict(text: str) -> Any:
    """JSON without Python's NaN and Infinity, which other programs refuse."""

    def refuse(word: str) -> None:
        raise ValueError(word)

    return json.loads(text, parse_constant=refuse)


def by_hand(mse: float) -> str:
    """The verdict of a score of adding: floors 1/6 and 1/12, solved at 0.001, a margin of a tenth of the way."""
    passed = [name for name, floor in (("half", 1 / 12), ("no", 1 / 6)) if mse <= floor - 0.1 * (floor - 0.001)]
    if mse <= 0.001:
        return "solved"
    return f"learning, above {passed[0]} memory" if passed else "no better than no memory"


@pytest.fixture
def counted(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with_floors(tmp_path_factory, tmp_path)


@pytest.mark.usefixtures("counted")
def test_tasks_as_json(recurrent: Recurrent, tmp_path: Path) -> None:
    found = strict(recurrent("tasks", "--json", cwd=tmp_path).stdout)
    assert [entry["task"] for entry in found] == find.names()
    for entry in found:
        known = {"task", "what", "knob", "metric", "direction", "floors", "solved", "trials", "epochs", "options"}
        assert set(entry) - {"data"} == known | {"definition", "licence"}
        assert entry["knob"] in entry["options"]
        assert {"train", "val", "test"} <= set(entry["options"])
        assert all(set(option) == {"default", "help"} and option["help"] for option in entry["options"].values())
        assert entry["floors"] and all(isinstance(value, float) for value in entry["floors"].values())
    assert strict(recurrent("tasks", "adding", "--json", cwd=tmp_path).stdout) == found[0]
    assert found[0]["floors"] == pytest.approx({"no_memory": 1 / 6, "half_memory": 1 / 12})
    text = found[find.names().index("char_lm")]
    assert (found[0]["solved"], text["solved"]) == (0.001, min(text["floors"].values()))
    assert {entry["task"] for entry in found if entry["solved"] is None} == {"listops", "pixels"}
    assert text["metric"] == "bits_per_character"
    assert (found[0]["trials"], found[0]["epochs"]) == (Adding.default_trials, Adding.default_epochs)


@pytest.mark.usefixtures("counted")
def test_tasks_as_text(recurrent: Recurrent, tmp_path: Path) -> None:
    done = recurrent("tasks", cwd=tmp_path)
    assert "adding" in done.stdout and "char_lm" in done.stdout and "floors" in done.stdout
    page = recurrent("tasks", "adding", cwd=tmp_path).stdout
    assert "-o length=100" in page and "-o train=10000" in page
    assert "mse, floors: no memory 0.1667, half memory 0.08333; solved: 0.001 or less" in page
    assert "Hochreiter" in page
    assert f"by default {Adding.default_trials} trials of at most {Adding.default_epochs} epochs" in page


def test_results_as_json(searched: Searched) -> None:
    done = run("results", "t", "--json", cwd=searched.folder)
    assert (done.returncode, done.stderr) == (0, "")
    found = strict(done.stdout)
    contract = {"search", "task", "metric", "direction", "floors", "trials"}
    concluded = {"prefer", "ranking", "tied", "preferred", "cells"}
    assert set(found) == contract | concluded | {"status", "stopped", "solved", "ranges", "finals", "trained"}
    expected = ("t", "adding", "mse", "min")
    assert (found["search"], found["task"], found["metric"], found["direction"]) == expected
    assert found["floors"] == pytest.approx({"no_memory": 1 / 6, "half_memory": 1 / 12})
    assert found["solved"] == 0.001
    assert found["ranges"] == {"depth": "1:3", "width": "16:128", "learning_rate": "1e-4:1e-2", "dropout": "0"}
    assert [trial["trial"] for trial in found["trials"]] == [f"{number:04d}" for number in range(6)]
    for trial, run_ in zip(found["trials"], searched.trials(), strict=True):
        contract = {"trial", "architecture", "values", "score", "status", "outcome", "parameters", "seconds"}
        assert contract <= set(trial)
        assert (trial["status"], trial["outcome"]) == ("FINISHED", "completed")
        assert trial["score"] == run_.data.metrics["best/mse"]
        assert trial["verdict"] == run_.data.tags["recurrent.verdict"] == by_hand(trial["score"])
        assert trial["flops_per_token"] == run_.data.metrics["cost/flops_per_token"] and trial["ms_per_step"] > 0
        assert trial["horizon"]["half_life_50"] == run_.data.metrics["horizon/half_life_50"]
        assert isinstance(trial["parameters"], int) and isinstance(trial["seconds"], float)
        assert set(trial["values"]) == {"cell", "depth", "width", "learning_rate", "dropout"}
        kinds = {name: type(trial["values"][name]) for name in ("cell", "depth", "width", "learning_rate")}
        assert kinds == {"cell": str, "depth": int, "width": int, "learning_rate": float}
        assert trial["architecture"] == run_.data.params["architecture"]


def test_horizon_draws_the_cells_of_a_search(recurrent: Recurrent, searched: Searched, tmp_path: Path) -> None:
    uri = ("--tracking-uri", searched.uri)
    done = recurrent("horizon", "t", *uri, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in tmp_path.glob("*.*")] == ["t-horizon.png"], "it reads MLflow alone"
    assert (tmp_path / "t-horizon.png").read_bytes().startswith(b"\x89PNG")
    cells = {trial.data.params["cell"] for trial in searched.trials()}
    rows = [line for line in done.stdout.splitlines() if " init " in line]
    assert sorted(row.split("-")[0] for row in rows) == sorted(cells)
    assert done.stdout.count("trained") == len(cells) and "half-life" in done.stdout
    done = recurrent("horizon", "t", "--to", "here.svg", *uri, cwd=tmp_path)
    drawing = (tmp_path / "here.svg").read_text("utf-8")
    assert done.returncode == 0 and drawing.startswith("<?xml")
    refused(recurrent("horizon", "t", "--to", "here.docx", *uri, cwd=tmp_path), "--to", ".png", "here.docx")
    refused(recurrent("horizon", "t", "--to", "no/here.png", *uri, cwd=tmp_path), "no/here.png")
    refused(recurrent("horizon", "nothing", *uri, cwd=tmp_path), "'nothing'")


def test_results_list_all_searches(recurrent: Recurrent, searched: Searched) -> None:
    done = recurrent("results", "--json", cwd=searched.folder)
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = strict(done.stdout)
    keys = {"search", "task", "metric", "best", "verdict", "status", "begun", "done", "planned", "bytes", "resumable"}
    assert set(line) == keys
    assert (line["search"], line["task"], line["metric"], line["status"]) == ("t", "adding", "mse", "FINISHED")
    assert (line["done"], line["planned"], line["resumable"]) == (6, 6, False)
    begun = datetime.fromisoformat(line["begun"])
    assert abs(begun.timestamp() - searched.parent.info.start_time / 1000) < 1
    files = [path for path in (searched.folder / "searches" / "t").rglob("*") if path.is_file()]
    assert line["bytes"] == sum(path.stat().st_size for path in files)
    done = recurrent("results", cwd=searched.folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split()[:3] == ["t", "adding", "MSE"] and "6/6 trials" in done.stdout
    assert f"{begun:%Y-%m-%d %H:%M}" in done.stdout and done.stdout.endswith("B  done\n")


@pytest.mark.parametrize(("status", "state"), [("KILLED", "stopped"), ("RUNNING", "stopped"), ("FAILED", "failed")])
def test_a_stopped_search_says_how_it_goes_on(
    recurrent: Recurrent, searched: Searched, status: str, state: str
) -> None:
    """The launcher of a search that MLflow calls RUNNING may have been killed."""
    searched.client.update_run(searched.parent.info.run_id, status=status)
    lock = SearchFolder(searched.folder / "searches" / "t").launcher_lock
    try:
        (line,) = strict(recurrent("results", "--json", cwd=searched.folder).stdout)
        assert (line["status"], line["resumable"], line["planned"]) == (status, True, 6)
        assert recurrent("results", cwd=searched.folder).stdout.endswith(f"  {state}, --resume goes on\n")
        with lock:
            (line,) = strict(recurrent("results", "--json", cwd=searched.folder).stdout)
        assert not line["resumable"], "a launcher runs it"
        elsewhere = recurrent("results", "--json", "--tracking-uri", searched.uri, cwd=searched.folder.parent)
        (line,) = strict(elsewhere.stdout)
        assert (line["resumable"], line["bytes"]) == (False, None), "its folder is not here"
    finally:
        searched.client.update_run(searched.parent.info.run_id, status="FINISHED")


def test_results_need_mlflow_alone(recurrent: Recurrent, searched: Searched, tmp_path: Path) -> None:
    done = recurrent("results", "t", "--tracking-uri", searched.uri, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    for heading in ("floors: no memory 0.1667", "Best by cell", "All trials"):
        assert heading in done.stdout
    rows = [line.split() for line in done.stdout[done.stdout.index("All trials") :].splitlines()[2:8]]
    scores = [float(row[1]) for row in rows]
    assert len(scores) == 6 and scores == sorted(scores)


def test_a_reader_that_stops_early_is_no_error(searched: Searched) -> None:
    command = f"{sys.executable} -m experiments results t --json | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], cwd=searched.folder, env=environment(searched.folder), capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "{\n", "")
