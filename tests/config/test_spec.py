"""The file with the settings of a search, as somebody may have changed it."""

import json
from pathlib import Path
from typing import Any

import pytest

from experiments.config.folders import SearchFolder
from experiments.config.spec import Spec
from tracking.errors import BadInput

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
