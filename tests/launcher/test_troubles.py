"""A trial each for everything that goes wrong: it costs that trial alone, and everybody says the same of it."""

import functools
from pathlib import Path

import optuna
import psutil
import pytest
from support import troubles
from support.searching import Searched, run

from experiments.config.folders import SearchFolder
from experiments.strategy.study import JournalLock

PROGRAM = f"""
import dataclasses, sys
sys.path.insert(0, {str(Path(__file__).parents[1] / "support")!r})
import experiments.launcher.launch, experiments.launcher.limits, troubles
from experiments.cli.main import main

experiments.launcher.launch.make_tuner = troubles.trouble_tuner
limits = experiments.launcher.limits.limits
changes = dict(hung_seconds=troubles.HUNG_SECONDS)
experiments.launcher.launch.limits = lambda *words: dataclasses.replace(limits(*words), **changes)
sys.exit(main(sys.argv[1:]))
"""
WORDS = (
    *("search", "adding", "-o", "length=5", "-o", "train=32", "-o", "val=16", "-o", "test=16", "--oracle", "grid"),
    *("--cells", "gru", "--depth", "1", "--width", "8,7,6,5,4,3,2,1", "--learning-rate", "0.01", "--epochs", "4"),
    *("--workers", "2", "--trials", "100", "--memory-limit", "4G", "--name", "troubles"),
)
REASONS = {
    troubles.BUILD: "RuntimeError: no such width",
    troubles.FIT: "ValueError: no third epoch",
    troubles.NAN: "diverged in epoch 2: val_mse is nan",
    troubles.INFINITE: "diverged in epoch 2: val_mse is inf",
    troubles.SLEEP: "hung: no epoch for ",
    troubles.MEMORY: "GiB of memory, limit 4 GiB",
    troubles.ABORT: "killed its worker 3 times",
}


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Searched:
    folder = tmp_path_factory.mktemp("troubles").resolve()
    return Searched(folder, "troubles", run(*WORDS, cwd=folder, code=PROGRAM))


def test_the_search_ends(searched: Searched) -> None:
    assert (searched.done.returncode, searched.done.stderr) == (0, "")
    assert "the search has ended: the space has no more than 8 models" in searched.done.stdout
    assert searched.parent.info.status == "FINISHED"


@pytest.mark.parametrize("width", [*REASONS, troubles.FINE])
def test_everybody_says_the_same_of_a_trial(searched: Searched, width: int) -> None:
    (trial,) = (run for run in searched.trials() if run.data.params["width"] == str(width))
    number = int(trial.data.tags["recurrent.trial"])
    frozen = study(searched.folder)[number]
    (listed,) = (one for one in searched.results()["trials"] if int(one["trial"]) == number)
    if width == troubles.FINE:
        assert (trial.info.status, trial.data.tags["recurrent.outcome"], frozen.state.name) == (
            "FINISHED",
            "completed",
            "COMPLETE",
        )
        assert listed["score"] == frozen.value == trial.data.metrics["best/mse"]
        return
    assert (trial.info.status, trial.data.tags["recurrent.outcome"], frozen.state.name) == ("FAILED", "failed", "FAIL")
    assert REASONS[width] in trial.data.tags["recurrent.reason"] and listed["score"] is None
    shown = " ".join(searched.done.stdout.split())
    assert f"trial {number:04d} gru-{width} failed: {trial.data.tags['recurrent.reason']}" in shown
    assert "best/mse" not in trial.data.metrics


def test_nothing_is_left_running(searched: Searched) -> None:
    left = [process for process in psutil.process_iter() if belongs(process, searched.folder)]
    assert left == []
    for trial in SearchFolder(searched.folder / "searches" / "troubles").trials():
        assert not trial.checkpoint.exists()
        assert trial.model.exists() == (trial.number == len(REASONS))  # the last one is fine


def belongs(process: psutil.Process, folder: Path) -> bool:
    try:
        return process.cwd() == str(folder)
    except psutil.Error:
        return False


@functools.cache
def study(folder: Path) -> list[optuna.trial.FrozenTrial]:
    """Read by Optuna alone."""
    path = folder / "searches" / "troubles" / "study.journal"
    backend = optuna.storages.journal.JournalFileBackend(str(path), lock_obj=JournalLock(path))
    return optuna.load_study(study_name="search", storage=optuna.storages.JournalStorage(backend)).trials
