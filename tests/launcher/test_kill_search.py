"""kill -9 of real searches: resumed until done, they end as the search that nobody killed."""

import random
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import optuna
import pytest
from support import models
from support.killing import VICTIMS, killed_until_done, kills
from support.searching import RECURRENT, Searched, events, run

TRIALS, EPOCHS = 5, 6
WORDS = (
    *("search", "adding", "-o", "length=10", "-o", "train=512", "-o", "val=64", "-o", "test=64", "--batch", "16"),
    *("--cells", "simple_rnn,gru", "--depth", "1:2", "--width", "4,8", "--dropout", "0:0.5", "--epochs", str(EPOCHS)),
    *("--trials", str(TRIALS), "--workers", "1", "--seed", "0", "--name", "killed", "--resume", "--allocate", "best"),
)
NATIVE = (*WORDS, "--kernel", "native")
TRANSLATE = (
    *("search", "translate", "-o", "digits=2", "-o", "train=512", "-o", "val=64", "-o", "test=64", "--batch", "32"),
    *("--cells", "gru,lstm", "--depth", "1:2", "--width", "8,16", "--dropout", "0:0.5", "--epochs", str(EPOCHS)),
    *("--trials", str(TRIALS), "--workers", "1", "--seed", "0", "--name", "killed", "--resume", "--allocate", "best"),
)


__all__ = ["kills"]  # the fixture
Outcome = tuple[float, list[dict[str, Any]]]


def outcome(folder: Path, metric: str = "mse") -> Outcome:
    """The best score, and all that must be the same of every trial, as MLflow has it, with each epoch once."""
    searched = Searched(folder, "killed", subprocess.CompletedProcess(WORDS, 0, "", ""))
    assert searched.parent.info.status == "FINISHED"
    trials = searched.trials()
    numbers = [trial.data.tags["recurrent.trial"] for trial in trials]
    assert numbers == [f"{number:04d}" for number in range(TRIALS)], "each once"
    outcomes = {trial.data.tags["recurrent.outcome"] for trial in trials}
    assert outcomes <= {"completed", "pruned"}, "all planned trials finished"
    found = []
    for trial in trials:
        curve = [(point.step, point.value) for point in searched.curve(trial, f"val_{metric}")]
        assert [step for step, _ in curve] == list(range(len(curve))), "each epoch once, none missing"
        written = events(folder, "killed", trial.data.tags["recurrent.trial"])
        lines = [line for line in written if line["event"] == "epoch"]
        assert [(line["epoch"], line["metrics"][f"val_{metric}"]) for line in lines] == curve
        kept = {
            key: value for key, value in trial.data.metrics.items() if not key.startswith(("cost/seconds", "cost/ms"))
        }
        ending = (trial.info.status, trial.data.tags["recurrent.outcome"])
        found.append({"params": trial.data.params, "metrics": kept, "curve": curve, "ending": ending})
    check_study(folder, found, metric)
    assert models.logged(searched).keys() == models.wanted(searched) <= models.on_disk(searched)
    best = searched.parent.data.metrics[f"best/{metric}"]
    better = min if metric == "mse" else max
    assert best == better(one["metrics"][f"best/{metric}"] for one in found if one["ending"][1] == "completed")
    return best, found


def check_study(folder: Path, found: list[dict[str, Any]], metric: str) -> None:
    """Optuna's own reader says of every trial what MLflow says."""
    backend = optuna.storages.journal.JournalFileBackend(str(folder / "searches" / "killed" / "study.journal"))
    study = optuna.load_study(study_name="search", storage=optuna.storages.JournalStorage(backend))
    assert len(study.trials) == len(found)
    states = {"COMPLETE": ("FINISHED", "completed"), "PRUNED": ("KILLED", "pruned")}
    for trial, told in zip(study.trials, found, strict=True):
        assert states[trial.state.name] == told["ending"]
        assert [(step - 1, value) for step, value in trial.intermediate_values.items()] == told["curve"]
        if trial.state.name == "COMPLETE":
            assert trial.value == told["metrics"][f"best/{metric}"]


def undisturbed(words: tuple[str, ...], folder: Path, metric: str) -> tuple[Outcome, float]:
    """The search that nobody kills, and its seconds."""
    began = time.monotonic()
    done = run(*words, cwd=folder, program=RECURRENT, seconds=600)
    assert (done.returncode, done.stderr) == (0, "")
    return outcome(folder, metric), time.monotonic() - began


# The searches that are killed: their words, the metric, and how often they are.
KINDS = {"as usual": (WORDS, "mse", 20), "native": (NATIVE, "mse", 6), "with a decoder": (TRANSLATE, "exact", 6)}


@pytest.fixture(scope="module")
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, float]:
    """What `undisturbed` returns, once for each kind."""
    words, metric, _ = KINDS[request.param]
    return undisturbed(words, tmp_path_factory.mktemp("whole").resolve(), metric)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("whole", "kind", "number"),
    [(kind, kind, number) for kind, (*_, runs) in KINDS.items() for number in range(runs)],
    indirect=["whole"],
)
def test_a_killed_search_ends_as_if_nothing_had_been(
    tmp_path: Path, whole: tuple[Outcome, float], kills: list[int], kind: str, number: int
) -> None:
    words, metric, _ = KINDS[kind]
    kills.append(check_killed(words, tmp_path, whole, metric, number))


def check_killed(words: tuple[str, ...], parent: Path, whole: tuple[Outcome, float], metric: str, number: int) -> int:
    """Kills a search until it is done, and compares it with that which nobody killed; returns the kills."""
    rng, victim = random.Random(number), VICTIMS[number % 3]
    folder, killed = parent, 0
    while not killed:  # a search that is over before its moment comes is begun anew
        folder = Path(tempfile.mkdtemp(dir=parent))
        done, killed = killed_until_done(lambda begun: words, folder, victim, rng, whole[1])
        assert (done.returncode, done.stderr) == (0, ""), done
    assert outcome(folder, metric) == whole[0]
    return killed
