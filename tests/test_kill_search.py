"""kill -9 of real searches: resumed until done, they end as the search that nobody killed."""

import random
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from searching import Searched, begin, events, finished, run

RUNS = 20
TRIALS, EPOCHS = 5, 6
WORDS = (
    *("search", "adding", "-o", "length=10", "-o", "train=512", "-o", "val=64", "-o", "test=64", "--batch", "16"),
    *("--cells", "simple_rnn,gru", "--depth", "1:2", "--width", "4,8", "--dropout", "0:0.5", "--epochs", str(EPOCHS)),
    *("--trials", str(TRIALS), "--workers", "1", "--seed", "0", "--name", "killed", "--resume"),
)


def outcome(folder: Path) -> list[dict[str, Any]]:
    """All that must be the same of every trial, as MLflow has it; each of its epochs stands there once."""
    searched = Searched(folder, "killed", subprocess.CompletedProcess(WORDS, 0, "", ""))
    assert searched.parent.info.status == "FINISHED"
    trials = searched.trials()
    assert [trial.data.tags["trial"] for trial in trials] == [f"{number:04d}" for number in range(TRIALS)]
    found = []
    for trial in trials:
        curve = [(point.step, point.value) for point in searched.curve(trial, "val_mse")]
        assert [step for step, _ in curve] == list(range(len(curve))), "each epoch once, none missing"
        lines = [line for line in events(folder, "killed", trial.data.tags["trial"]) if line["event"] == "epoch"]
        assert [(line["epoch"], line["metrics"]["val_mse"]) for line in lines] == curve
        kept = {key: value for key, value in trial.data.metrics.items() if not key.startswith("cost/seconds")}
        ending = (trial.info.status, trial.data.tags["outcome"])
        found.append({"params": trial.data.params, "metrics": kept, "curve": curve, "ending": ending})
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], float]:
    """The search that nobody kills, and its seconds."""
    folder = tmp_path_factory.mktemp("whole").resolve()
    began = time.monotonic()
    done = run(*WORDS, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    return outcome(folder), time.monotonic() - began


def kill(process: subprocess.Popen[str], victim: str) -> None:
    launcher = psutil.Process(process.pid)
    workers = [child for child in launcher.children() if "spawn_main" in " ".join(child.cmdline())]
    for one in {"worker": workers, "launcher": [launcher], "both": [launcher, *workers]}[victim]:
        with suppress(psutil.NoSuchProcess):
            one.send_signal(signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(RUNS))
def test_a_killed_search_ends_as_if_nothing_had_been(
    tmp_path: Path, whole: tuple[list[dict[str, Any]], float], number: int, record_property: Any
) -> None:
    rng, victim, kills = random.Random(number), ("worker", "launcher", "both")[number % 3], 0
    code = None
    while code is None:
        process = begin(*WORDS, cwd=tmp_path)
        with suppress(subprocess.TimeoutExpired):
            process.wait(rng.uniform(1, whole[1]) if kills < 2 else None)
        if process.poll() is None:
            kill(process, victim)
            kills += 1
            if victim == "worker":  # the launcher replaces it
                process.wait()
        done = finished(process)
        if done.returncode != -signal.SIGKILL:
            code = done.returncode
            assert (code, done.stderr) == (0, ""), done
    record_property("kills", kills)
    print(f"run {number}: {kills} kills of {victim}")
    assert outcome(tmp_path) == whole[0]
