"""Every JSON that the program writes can be read by every other program."""

import json
import math
from pathlib import Path
from typing import Any, cast

import pytest

from experiments.system.files import write_json
from experiments.training.samples import sample_shares
from tracking.as_json import as_json
from tracking.journal import Journal
from tracking.values import batch


def strict(text: str) -> Any:
    """JSON without Python's NaN and Infinity, which other programs refuse."""
    return json.loads(text, parse_constant=lambda word: pytest.fail(word))


def test_a_number_that_is_not_finite_is_null(tmp_path: Path) -> None:
    content = {"a": [1.5, math.nan, (math.inf, "NaN")], "b": {"c": -math.inf, "d": None, "e": 3}}
    expected = {"a": [1.5, None, [None, "NaN"]], "b": {"c": None, "d": None, "e": 3}}
    assert strict(as_json(content)) == expected
    write_json(tmp_path / "f.json", content)
    assert strict((tmp_path / "f.json").read_text("utf-8")) == expected
    assert as_json({"ä": 1}, ensure_ascii=False) == '{\n "ä": 1\n}'


def test_a_journal_with_a_number_that_is_not_finite(tmp_path: Path) -> None:
    Journal(tmp_path / "journal.jsonl").append("end", outcome="completed", score=0.5, samples={"valid": math.nan})
    (line,) = (tmp_path / "journal.jsonl").read_text("utf-8").splitlines()
    metrics, _, _ = batch([strict(line)], 0, "mse")
    assert [(metric.key, metric.value) for metric in metrics] == [("best/mse", 0.5)]


def test_a_share_of_nothing_is_left_out() -> None:
    class Own:
        def samples(self, model: Any, seed: int) -> dict[str, float]:
            return {"valid": math.nan, "novel": 0.5}

    assert sample_shares(cast(Any, Own()), cast(Any, None), 0) == {"novel": 0.5}
