"""A search of an earlier version is listed, exported and resumed: tests/fixtures/old_search/README.md says which."""

import json
import re
from pathlib import Path
from typing import Any

import keras
import pytest
from support.searching import Searched, events, run

pytestmark = pytest.mark.slow  # a search goes on

SEARCH = (
    *("search", "data.npz", "--cells", "gru,lstm", "--depth", "1", "--width", "8", "--learning-rate", "0.01"),
    *("--batch", "2", "--oracle", "grid", "--trials", "2", "--epochs", "6", "--workers", "1", "--seed", "0"),
    *("--pruner", "none", "--name", "old"),
)
EPOCHS = 6
FLOORS = {"constant": 27 / 60, "last_step": 26 / 60}
SCORE, TEST_SCORE = 58 / 60, 53 / 60  # of the first trial, right out of 60
INTERRUPTED_SCORE = 52 / 60  # of the second one, in its second epoch; none of the later ones is near it
DONE = 3  # epochs of the second trial when it was interrupted


def results(folder: Path) -> dict[str, Any]:
    """What `recurrent results old --json` prints."""
    done = run("results", "old", "--json", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def epochs(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in lines if line["event"] == "epoch"]


def test_it_is_listed(old: Path) -> None:
    done = run("results", cwd=old)
    assert (done.returncode, done.stderr) == (0, "")
    score = r"accuracy 0\.9667, learning, above constant"
    columns = rf"old  data  {score}  -/2 trials  \d{{4}}-\d\d-\d\d \d\d:\d\d  \S+B  stopped, --resume goes on\n"
    assert re.fullmatch(columns, done.stdout)

    found = results(old)
    about = {key: found[key] for key in ("search", "task", "metric", "direction", "status")}
    assert about == {
        "search": "old",
        "task": str(old / "data.npz"),
        "metric": "accuracy",
        "direction": "max",
        "status": "KILLED",
    }
    assert found["floors"] == pytest.approx(FLOORS)
    first, second = found["trials"]
    shown = ("trial", "architecture", "parameters", "kernel", "status", "outcome", "score", "epoch", "executions")
    assert [first[key] for key in shown] == ["0000", "lstm-8", 588, "xla", "FINISHED", "completed", SCORE, 4, [SCORE]]
    assert [second[key] for key in shown] == ["0001", "gru-8", 484, "xla", "KILLED", "interrupted", None, None, []]
    assert first["values"] == {"cell": "lstm", "depth": 1, "width": 8, "learning_rate": 0.01, "dropout": 0}
    assert (first["horizon"]["task_lag"], second["horizon"]) == (11, {})


def test_it_is_exported(old: Path) -> None:
    """The model is reloaded, and scores what the earlier version has written down."""
    done = run("export", "old", "--to", "best", cwd=old)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("exported lstm-8 (trial 0000, 588 parameters) to best/\n")
    card = json.loads((old / "best" / "model.json").read_text("utf-8"))
    assert (card["search"], card["trial"], card["task"]) == ("old", "0000", str(old / "data.npz"))
    assert (card["score"], card["epoch"], card["floors"]) == (SCORE, 4, pytest.approx(FLOORS))
    assert (card["rescored"], card["test_score"]) == pytest.approx((SCORE, TEST_SCORE))
    (kept,) = (old / "mlartifacts").rglob("model.keras")
    weights = [keras.models.load_model(file).get_weights() for file in (old / "best" / "model.keras", kept)]
    assert all((one == other).all() for one, other in zip(*weights, strict=True))
    assert results(old)["trials"][0]["test_score"] == pytest.approx(TEST_SCORE)


def test_it_is_gone_on_with(old: Path) -> None:
    """The second trial continues from its checkpoint; its best epoch stays the one whose weights it had kept before."""
    first, before = events(old, "old", "0000"), events(old, "old", "0001")
    assert [line["event"] for line in before] == ["start", "built", *["epoch"] * DONE]
    search = Searched(old, "old", run(*SEARCH, "--resume", cwd=old))
    assert (search.done.returncode, search.done.stderr) == (0, "")
    assert "the search has ended: all 2 trials are done\n" in search.done.stdout

    assert events(old, "old", "0000") == first
    after = events(old, "old", "0001")
    assert after[: len(before)] == before
    new = [line["event"] for line in after[len(before) :]]
    assert new == ["start", "built", *["epoch"] * (EPOCHS - DONE), "trained", "execution", "end"]
    check_epochs(epochs(after), old)
    assert (after[-1]["outcome"], after[-1]["score"], after[-1]["epoch"]) == ("completed", INTERRUPTED_SCORE, 1)

    check_record(search, epochs(after))
    left = {path.name for path in (old / "searches" / "old" / "trials" / "0001").iterdir()}
    assert left == {"journal.jsonl", "lock", "model.keras"}, "the other trial has the better model, and a larger one"


def check_epochs(lines: list[dict[str, Any]], folder: Path) -> None:
    """They are those of the same search that was left alone, as far as processors agree, and none was trained twice.

    Without the optimizer's state, or in another order of samples, the losses would be off by some per cent.
    """
    text = (folder / "uninterrupted.jsonl").read_text("utf-8")
    alone = epochs([json.loads(line) for line in text.splitlines()])
    assert [line["epoch"] for line in lines] == [line["epoch"] for line in alone] == list(range(EPOCHS))
    losses = [[line["metrics"]["loss"] for line in some] for some in (lines, alone)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    first = [line["epoch"] for line in lines if line["traced"]]  # of a process
    assert first == [0, DONE], "without the checkpoint the second process would begin with epoch 0, and write no line"


def check_record(search: Searched, lines: list[dict[str, Any]]) -> None:
    """Each trial stands in MLflow once and is done; the curves are those of the journals."""
    assert search.parent.info.status == "FINISHED"
    trials = search.trials()
    tags = [run.data.tags for run in trials]
    ends = [(run.info.status, run.data.tags["recurrent.outcome"]) for run in trials]
    assert ends == [("FINISHED", "completed")] * 2
    assert [some["recurrent.attempts"] for some in tags] == ["1", "2"]
    assert [some["trial"] for some in tags] == ["0000", "0001"], "the earlier tags stay beside the new ones"
    assert [some["kind"] for some in (*tags, search.parent.data.tags)] == ["trial", "trial", "search"]
    assert [run.data.metrics["best/accuracy"] for run in trials] == [SCORE, INTERRUPTED_SCORE]
    for name in ("loss", "val_accuracy"):
        curve = [(point.step, point.value) for point in search.curve(trials[1], name)]
        assert curve == [(line["epoch"], line["metrics"][name]) for line in lines]
    client = search.client
    models = client.search_logged_models([search.parent.info.experiment_id])
    best = {model.source_run_id: model.tags["recurrent.best"] for model in models}
    assert best == {trials[0].info.run_id: "yes", trials[1].info.run_id: "no"}, "the second one is smaller"
