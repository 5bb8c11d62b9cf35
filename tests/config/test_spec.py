"""What of a search is written down, as somebody may have changed it, and what --resume may change of it."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from support.fakes import make_spec

from experiments.config.folders import SearchFolder
from experiments.config.spec import Spec
from tracking.errors import BadInput
from tracking.searches import CHANGING

SPEC = {"name": "t", "task": "adding", "options": {}, "cells": ["gru"]}


def test_a_file_of_an_earlier_version(tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text(json.dumps({**SPEC, "unknown": 1}))
    assert Spec.read(SearchFolder(tmp_path)) == Spec(**SPEC)


@pytest.mark.parametrize(
    "changes", [{"trials": "20"}, {"trials": None}, {"seed": 1.0}, {"mixed": 1}, {"depth": 2}, {"digest": None}]
)
def test_an_edited_file_is_named(tmp_path: Path, changes: dict[str, Any]) -> None:
    (tmp_path / "spec.json").write_text(json.dumps({**SPEC, **changes}))
    (name, value) = next(iter(changes.items()))
    expected = f"expected the spec of a search, got a damaged file: {name} is {value!r}"
    with pytest.raises(BadInput) as error:
        Spec.read(SearchFolder(tmp_path))
    assert str(error.value).endswith(expected)


def test_what_is_recorded_may_change(tmp_path: Path) -> None:
    """A search of an earlier version has recorded all."""
    spec = make_spec(record="best:5")
    assert spec.changes(dataclasses.replace(spec, record="all")) == {}
    assert "record" in CHANGING
    assert Spec.of({name: value for name, value in spec.to_json().items() if name != "record"}).record == "all"


def test_a_preference_is_written_down_and_may_change(tmp_path: Path) -> None:
    """It decides nothing of the trials. A spec of an earlier version has none."""
    folder, spec = SearchFolder(tmp_path), make_spec(prefer="small:2%")
    spec.write(folder)
    assert Spec.read(folder) == spec
    assert spec.changes(dataclasses.replace(spec, prefer="fast:5%")) == {}
    assert "prefer" in CHANGING, "it is a tag, since MLflow's parameters are fixed"
    content = json.loads(folder.spec.read_text("utf-8"))
    assert content.pop("prefer") == "small:2%"
    folder.spec.write_text(json.dumps(content), "utf-8")
    assert Spec.read(folder).prefer == "none"
