"""`experiments.search` in scripts: the same search as the command line, wherever it is called."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.searching import (
    NotRefused,
    Recurrent,
    begin,
    environment,
    events,
    finished,
    listing,
    run,
    wait_until,
)

import experiments
from experiments import open_search, search
from experiments.api import _teller
from experiments.engines import WorkersDied
from experiments.errors import BadInput, DataError, SearchStateError, StoreError
from experiments.launcher.launch import Launch
from experiments.launcher.progress import TrialState
from experiments.launcher.retrained import check_end

SMALL: dict[str, Any] = {
    "options": {"length": 5, "train": 64, "val": 16, "test": 16},
    "cells": ["gru"],
    "depth": 1,
    "width": [4, 8],
    "epochs": 1,
    "workers": 1,
    "name": "s",
}
WORDS = (
    *("adding", "-o", "length=5", "-o", "train=64", "-o", "val=16", "-o", "test=16", "--cells", "gru", "--depth", "1"),
    *("--width", "4,8", "--epochs", "1", "--workers", "1", "--name", "s", "--trials", "2"),
)

# No `if __name__ == "__main__"`: a worker that imported this script would begin the search again.
SCRIPT = f"""
import json
import threading
from pathlib import Path
from experiments import search

with open("ran", "a") as file:
    file.write("once ")


class Enough(Exception):
    pass


def stop(trial):
    told.append(trial)
    raise Enough


told, found = [], []
try:
    search("adding", trials=3, on_trial=stop, **{SMALL!r})
except Enough:
    found.append("stopped")
arguments = dict(trials=3, resume=True, show=False, on_trial=told.append, **{SMALL!r})
thread = threading.Thread(target=lambda: found.append(search("adding", **arguments)))
thread.start()
thread.join()
print(json.dumps([told, found[0], found[1].results]))
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("RECURRENT_SEARCH_CACHE", str(tmp_path / ".cache"))
    return tmp_path


def test_the_names_of_the_package() -> None:
    assert {"Found", "open_search", "search"} == set(experiments.__all__) <= set(dir(experiments))
    with pytest.raises(AttributeError, match="'experiments' has no attribute 'serach'"):
        _ = experiments.serach
    with pytest.raises(ImportError, match="serach"):
        from experiments import serach  # noqa: F401


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, ()),
        ({"learning_rate": 0.01, "mixed": True, "seed": 3}, ("--learning-rate", "0.01", "--mixed", "--seed", "3")),
        ({"budget": "30m", "residual": ["no", "yes"]}, ("--budget", "30m", "--residual", "no,yes")),
        ({"recipe": True, "target": 0.5, "time_limit": None}, ("--recipe", "--target", "0.5")),
    ],
    ids=str,
)
def test_it_is_the_search_of_the_command(
    recurrent: Recurrent, here: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], words: tuple[str, ...]
) -> None:
    begun: list[Launch] = []

    def begin(launch: Launch) -> str:
        begun.append(launch)
        raise NotRefused

    monkeypatch.setattr(Launch, "run", begin)
    typed = WORDS if "budget" not in given else WORDS[: WORDS.index("--trials")]
    with pytest.raises(NotRefused):
        recurrent("search", *typed, *words, cwd=here)
    with pytest.raises(NotRefused):
        search("adding", **SMALL, **({} if "budget" in given else {"trials": 2}), **given)
    ours, theirs = begun
    assert ours.spec == theirs.spec and ours.task == theirs.task
    for name in ("resume", "where", "uri", "unnamed"):
        assert getattr(ours, name) == getattr(theirs, name)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"task": "addding"}, "task: expected one of adding, .*; did you mean 'adding'"),
        ({"task": "none.npz"}, "none.npz"),
        ({"options": {"lenght": 5}}, "options: expected one of .*, got 'lenght'; did you mean 'length'"),
        ({"options": {"length": [5]}}, "options length: expected a text, a number"),
        ({"options": {"length": 1}}, "length: expected 2 or more, got 1"),
        ({"cells": ["lsmt"]}, "cells: expected some of .*; did you mean 'lstm'"),
        ({"learning_rate": 0}, "learning_rate: expected .* above 0"),
        ({"epochs": 0}, "epochs: expected a whole number from 1"),
        ({"epohcs": 3}, "epohcs: expected an option of a search, got an unknown one; did you mean 'epochs'"),
        ({"name": ""}, "name: expected 1 to 100 letters"),
        ({"name": "a/b"}, "name: expected 1 to 100 letters"),
        ({"name": None, "resume": True}, "resume: expected --name NAME"),
        ({"workers": 0}, "workers: expected a whole number from 1, or auto, got '0'"),
        ({"tracking_uri": "mlruns"}, "tracking-uri: expected sqlite:///"),
        ({"budget": "1h", "trials": 3}, "trials: expected none with --budget"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_search_that_cannot_be(
    recurrent: Recurrent, here: Path, given: dict[str, Any], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """An exception, and neither output nor files."""
    with pytest.raises((BadInput, DataError), match=f"^{message}" if "npz" not in message else message):
        search(**{"task": "adding", **SMALL, **given})
    assert not listing(here) and capfd.readouterr() == ("", "")


def test_no_store_of_the_past(recurrent: Recurrent, here: Path) -> None:
    with pytest.raises(StoreError, match="run `recurrent search` first"):
        open_search("s")
    assert not listing(here)


def test_workers_that_cannot_run_are_an_error(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(launch: Launch) -> str:
        raise WorkersDied("workers end before they can run a trial")

    monkeypatch.setattr(Launch, "run", die)
    with pytest.raises(SearchStateError, match="^workers end before they can run a trial"):
        search("adding", **SMALL)


def test_a_changed_file_is_run_again(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook's process lives for days, and its user changes the task."""
    lengths: list[int] = []

    def begin(launch: Launch) -> str:
        lengths.append(launch.task.split("train", 0)[0].shape[1])
        raise NotRefused

    monkeypatch.setattr(Launch, "run", begin)
    for length in (4, 9):
        (here / "mine.py").write_text(TASK.format(length=length), "utf-8")
        with pytest.raises(NotRefused):
            search(here / "mine.py", **{**SMALL, "options": {}})
    assert lengths == [4, 9]


def test_a_callback_that_fails_is_not_called_again() -> None:
    """The launcher looks at the trials once more when an error ends the search."""
    told: list[str] = []

    def tell(trial: dict[str, Any]) -> None:
        told.append(trial["trial"])
        if trial["trial"] == "0001":
            raise OSError

    ours = _teller(tell)
    ours([TrialState("0000")])
    with pytest.raises(OSError):
        ours([TrialState("0001"), TrialState("0002")])
    ours([TrialState("0003")])
    assert told == ["0000", "0001"]
    _teller(None)([TrialState("0000")])


def test_a_record_that_lacks_something_is_a_warning() -> None:
    with pytest.warns(UserWarning, match="'s' lacks something; `recurrent sync s` sends it"):
        check_end("s", "done", sent=False, again="")
    check_end("s", "done", sent=True, again="")
    with pytest.raises(KeyboardInterrupt, match="'s' has stopped; resume=True"):
        check_end("s", "interrupted", sent=True, again="resume=True")


TASK = '''"""The mean of x."""

from dataclasses import dataclass
from typing import ClassVar
import numpy as np
from experiments.tasks.base import Task, option

@dataclass(frozen=True, kw_only=True)
class Mine(Task):
    metric: ClassVar[str] = "mse"
    knob: ClassVar[str] = "length"
    loss: ClassVar[str] = "mse"
    length: int = option({length}, "steps", 1)
    features = outputs = 1

    def sample(self, rng, count):
        x = rng.normal(size=(count, self.length, 1)).astype("float32")
        return x, x.mean(axis=1)

    def floors(self, split="val"):
        return {{"no_memory": 1.0}}
'''


@pytest.mark.slow
def test_a_plain_script_searches_twice_and_once_in_a_thread(tmp_path: Path) -> None:
    """An error of the callback stops the first search; the second one goes on with it."""
    (tmp_path / "script.py").write_text(SCRIPT, "utf-8")
    done = run(cwd=tmp_path, program=("script.py",))
    assert (done.returncode, done.stderr) == (0, ""), done
    assert (tmp_path / "ran").read_text() == "once "
    *shown, last = done.stdout.splitlines()
    told, stopped, results = json.loads(last)
    assert stopped == "stopped" and any("s: adding, gru; space" in line for line in shown)
    assert sum("gru-" in line for line in shown) == 1, "the first search shows its trial, the second one is quiet"
    trials = {trial["trial"]: trial for trial in results["trials"]}
    assert sorted(trial["trial"] for trial in told) == sorted(trials) == ["0000", "0001", "0002"]
    for trial in told:
        same = {key: trial[key] for key in trial if key not in ("last_score", "reason")}
        assert same == {key: trials[trial["trial"]][key] for key in same}
    assert (results["status"], results["stopped"]) == ("FINISHED", "done")
    starts = [event for number in trials for event in events(tmp_path, "s", number) if event["event"] == "start"]
    assert len({event["session"] for event in starts}) == 2


@pytest.mark.slow
def test_ctrl_c_stops_a_script_and_its_search(tmp_path: Path) -> None:
    code = f"from experiments import search\nsearch('adding', trials=500, **{SMALL!r})"
    (tmp_path / "script.py").write_text(code, "utf-8")
    process = begin(cwd=tmp_path, program=("script.py",))
    wait_until(lambda: any(event["event"] == "end" for event in events(tmp_path, "s", "0000")), process)
    process.send_signal(signal.SIGINT)
    done = finished(process)
    assert done.returncode == -signal.SIGINT
    last = done.stderr.splitlines()[-1]
    assert last == "KeyboardInterrupt: the search 's' has stopped; resume=True goes on with it"
    program = "from experiments import open_search; print(open_search('s').results['status'])"
    shown = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True
    )
    assert shown.stdout == "KILLED\n", shown
