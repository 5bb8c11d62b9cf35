"""`recurrent serve`: MLflow's scoring server answers in words, and bad requests in one line."""

import json
import shlex
import signal
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.searching import Searched
from support.serving import Serving

STOP_SECONDS = 5.0  # the server and its children end within so long


@pytest.fixture(scope="module")
def numbers(searched: Searched, exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """The folder of an export."""
    serving = Serving("best", searched, tmp_path_factory.mktemp("serving"))
    yield serving
    serving.process.terminate()
    serving.process.wait()


@pytest.fixture(scope="module")
def texts(language: Searched, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A search."""
    serving = Serving(language.name, language, tmp_path_factory.mktemp("serving"))
    yield serving
    serving.process.terminate()
    serving.process.wait()


def test_sequences_of_any_length(numbers: Serving, exported: Path) -> None:
    import keras

    model = keras.models.load_model(exported / "model.keras", compile=False)
    rng = np.random.default_rng(0)
    rows = [rng.random((time, 2)).tolist() for time in (5, 9, 5)]
    status, answer = numbers.ask({"dataframe_records": [{"sequence": row} for row in rows]})
    assert status == 200
    for row, found in zip(rows, answer["predictions"], strict=True):
        assert found == pytest.approx(model.predict(np.array([row], np.float32), verbose=0)[0], rel=1e-4)


def test_the_printed_command_line_works(texts: Serving) -> None:
    words = shlex.split(texts.lines[1])
    assert words[:2] == ["curl", "-s"]
    body = json.loads(words[words.index("-d") + 1])
    status, answer = texts.ask(body)
    assert status == 200
    (text,) = answer["predictions"]
    assert len(text) == body["params"]["length"] == 100
    assert texts.ask(body) == (status, answer), "the same seed"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            {"dataframe_records": [{"sequence": [[1.5, 2.5, 3.5]]}]},
            "sequence: expected float32 (time, 2), got the shape (1, 3)",
        ),
        ({"dataframe_records": [{"sequence": []}]}, "sequence: expected float32 (time, 2), got the shape (0,)"),
        (b'{"dataframe_records": [{"sequence": [[1, NaN]]}]}', "sequence: expected finite numbers, got NaN or one"),
    ],
)
def test_a_sequence_that_does_not_fit(numbers: Serving, body: Any, said: str) -> None:
    status, answer = numbers.ask(body)
    assert status == 400
    assert answer["message"].startswith(said)
    assert answer["error_code"] == "INVALID_PARAMETER_VALUE"
    assert "stack_trace" not in answer


@pytest.mark.parametrize(
    ("params", "said"),
    [({"length": -1}, "length: expected a number in its range, got -1"), ({"top_p": 0.0}, "top_p: expected a number")],
)
def test_a_prompt_that_does_not_fit(texts: Serving, params: dict[str, Any], said: str) -> None:
    status, answer = texts.ask({"dataframe_records": [{"prompt": "ab"}], "params": params})
    assert status == 400
    assert answer["message"].startswith(said)


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_signal_ends_all_of_it(language: Searched, tmp_path: Path, number: int) -> None:
    serving = Serving(language.name, language, tmp_path)
    began = time.monotonic()
    serving.process.send_signal(number)
    assert serving.process.wait(30) == 0
    assert time.monotonic() - began < STOP_SECONDS
    with pytest.raises(OSError):
        urllib.request.urlopen(serving.url, timeout=5)
