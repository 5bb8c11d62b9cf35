"""The launcher lets another process compile the kernels, once, and only for a search that uses them."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from experiments.config.finals import Plan
from experiments.config.spec import Spec
from experiments.launcher import kernels
from experiments.launcher.engine import Where
from experiments.launcher.finals import Finals
from experiments.launcher.launch import Launch
from experiments.tasks.adding import Adding
from experiments.tasks.loading.find import make
from search_spaces.native import compiled, ready

LONG, SHORT = 10**6, 64  # training samples
QUIET = Console(quiet=True)
PLAN = Plan(top=1, seeds=1, epochs=1, lengths=[], finals=[], values={})


def spec_of(**fields: Any) -> Spec:
    return Spec(**{"name": "any", "task": "adding", "options": {}, "cells": ["gru"], "kernel": "native", **fields})


def asked_for(monkeypatch: pytest.MonkeyPatch, samples: int = LONG, **fields: Any) -> list[list[str]]:
    """The commands that the launcher of a search with these fields runs."""
    ran: list[list[str]] = []
    monkeypatch.setattr(subprocess, "run", lambda words, **more: ran.append(words))
    kernels.compile_kernels(spec_of(**fields), Adding(), samples, Console())
    return ran


@pytest.fixture(autouse=True)
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(compiled.NUMBA_FOLDER, str(tmp_path))


def test_they_are_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked_for(monkeypatch) == [[sys.executable, "-m", "search_spaces.native.ready"]]
    with compiled.kept() as place:
        assert place is not None
        (place / "code.nbc").touch()
    assert asked_for(monkeypatch) == []
    assert kernels.compile_kernels(spec_of(), Adding(), LONG, Console())


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"kernel": "native"}, True),
        ({"kernel": "native", "samples": SHORT}, True),
        ({"kernel": "auto"}, True),
        ({"kernel": "auto", "samples": SHORT, "epochs": 1}, False),
        ({"kernel": "auto", "cells": ["ntm"]}, False),
        ({"kernel": "xla"}, False),
        ({"kernel": "loop"}, False),
        ({"cells": ["ntm"]}, False),
        ({"cells": ["ntm", "lstm"]}, True),
    ],
)
def test_only_for_a_search_that_uses_them(
    fields: dict[str, Any], wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bool(asked_for(monkeypatch, **fields)) is wanted
    samples = fields.pop("samples", LONG)
    assert kernels.compile_kernels(spec_of(**fields), Adding(), samples, Console()) is wanted


def test_what_cannot_be_kept_is_left_to_the_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(compiled.NUMBA_FOLDER, str(tmp_path / "file"))
    assert asked_for(monkeypatch) == []


def test_without_numba_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ready, "missing", lambda: "Numba is not installed")
    assert asked_for(monkeypatch) == []


def test_a_failure_is_left_to_the_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise subprocess.TimeoutExpired("python", 1)

    monkeypatch.setattr(subprocess, "run", fail)
    kernels.compile_kernels(spec_of(), Adding(), LONG, Console())


@pytest.mark.parametrize("kernel", ["native", "loop"])
def test_the_workers_of_a_search_are_told(kernel: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(compiled, "is_whole", lambda place: True)
    told = crew_asked_for(monkeypatch)
    options = {"length": "5", "train": "16", "val": "16", "test": "16"}
    store = f"sqlite:///{tmp_path}/mlflow.db"
    with pytest.raises(InterruptedError):
        Launch(spec_of(options=options, kernel=kernel), make("adding", options), False, Where(1), store, QUIET).run()
    assert told == [kernel == "native"]


@pytest.mark.parametrize("kernel", ["native", "loop"])
def test_the_workers_of_finals_are_told(kernel: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "is_whole", lambda place: True)
    told = crew_asked_for(monkeypatch)
    finals = Finals("t", {}, Where(1), "none", f"sqlite:///{tmp_path}/mlflow.db", QUIET)
    data: Any = SimpleNamespace(task=Adding(), arrays=[(range(LONG),)])
    with pytest.raises(InterruptedError):
        finals._crew(spec_of(kernel=kernel), PLAN, data, 1)
    assert told == [kernel == "native"]


def crew_asked_for(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What launchers say of the kernels when they ask for workers. They get none."""
    told: list[bool] = []

    def crew(where: Where, *arguments: Any) -> None:
        told.append(arguments[-1])
        raise InterruptedError

    monkeypatch.setattr(Where, "crew", crew)
    return told
