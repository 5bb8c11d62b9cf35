"""The launcher lets another process compile the kernels, once, and only for a search that uses them."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from experiments.config.spec import Spec
from experiments.launcher import kernels
from experiments.tasks.adding import Adding
from search_spaces.native import compiled, ready

LONG, SHORT = 10**6, 64  # training samples


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


def test_without_numba_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ready, "missing", lambda: "Numba is not installed")
    assert asked_for(monkeypatch) == []


def test_a_failure_is_left_to_the_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise subprocess.TimeoutExpired("python", 1)

    monkeypatch.setattr(subprocess, "run", fail)
    kernels.compile_kernels(spec_of(), Adding(), LONG, Console())
