"""A scoring server that gets 2,000 bodies which make no sense: it answers each one, none with 500, and lives."""

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from support.searching import Searched
from support.serving import Serving

BODIES = 2_000


def value(rng: random.Random, depth: int = 0) -> Any:
    """Any JSON value; NaN and infinity too, as Python writes them."""
    kinds = ["null", "number", "huge", "nan", "text", "odd", "list", "dict"]
    kind = rng.choice(kinds if depth < 4 else kinds[:6])
    if kind == "list":
        return [value(rng, depth + 1) for _ in range(rng.randrange(5))]
    if kind == "dict":
        return {str(value(rng, 9))[:20]: value(rng, depth + 1) for _ in range(rng.randrange(4))}
    simple = {"null": None, "number": rng.randint(-5, 300), "huge": 10 ** rng.randrange(400), "nan": float("nan")}
    return {**simple, "text": "The \x00ü𝄞"[: rng.randrange(9)], "odd": rng.random() * 1e308}[kind]


def body(rng: random.Random, column: str) -> bytes:
    """A request that is broken in one of many ways."""
    key = rng.choice(["dataframe_records", "dataframe_split", "inputs", "instances", "rubbish"])
    inner = rng.choice([value(rng), [{column: value(rng)}], {"columns": [column], "data": [[value(rng)]]}])
    made = {key: inner, **({"params": value(rng)} if rng.random() < 0.3 else {})}
    text = json.dumps(made).encode(rng.choice(["utf-8", "utf-16", "latin-1"]), "replace")
    return rng.choice([text, text, text, text[: rng.randrange(len(text))], b"", rng.randbytes(50)])


@pytest.mark.slow
@pytest.mark.parametrize(("which", "column"), [("searched", "sequence"), ("language", "prompt")])
def test_bodies_that_make_no_sense(request: pytest.FixtureRequest, tmp_path: Path, which: str, column: str) -> None:
    search: Searched = request.getfixturevalue(which)
    rng, serving, seen = random.Random(0), Serving(search.name, search, tmp_path), Counter[int]()
    try:
        for _ in range(BODIES // 2):
            status, _ = serving.ask(body(rng, column))
            seen[status] += 1
        assert set(seen) <= {200, 400}, seen
        big = json.dumps({"dataframe_records": [{column: "a" * 10_000_000}]}).encode()
        status, _ = serving.ask(big)
        assert status in (200, 400)
        assert serving.process.poll() is None
    finally:
        serving.process.terminate()
        serving.process.wait()
    print(which, dict(seen))
