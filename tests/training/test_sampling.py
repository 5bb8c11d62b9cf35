import doctest
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from support.chains import CHAIN, VOCABULARY, language_model, markov_chain

from experiments.data import corpora
from experiments.training import sampling

KNOWN = np.log([1.0, 2.0])
FOUR = np.log([0.4, 0.3, 0.2, 0.1])
INF = float("inf")
PLAIN_KERAS = """
import json, sys

class Foreign:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"experiments", "search_spaces", "tracking"}:
            raise ImportError(name)

sys.meta_path.insert(0, Foreign())
for name in ("experiments", "search_spaces", "tracking"):
    try:
        __import__(name)
    except ImportError:
        continue
    sys.exit(name + " could be imported")

import keras, numpy

folder, prompt, length = sys.argv[1], sys.argv[2], int(sys.argv[3])
model = keras.saving.load_model(folder + "/model.keras")
with open(folder + "/model.json", encoding="utf-8") as file:
    vocabulary = json.load(file)["preprocessing"]["vocabulary"]
text = prompt
for _ in range(length):
    ids = numpy.array([[max(0, vocabulary.find(character)) for character in text]], "int32")
    logits = model.predict_on_batch(ids)[0, -1]
    text += vocabulary[1 + logits[1:].argmax()]
print(json.dumps(text[len(prompt) :]))
"""


def export(model: keras.Sequential, folder: Path, **about: Any) -> Path:
    folder.mkdir()
    model.save(folder / "model.keras")
    preprocessing = {"input": "int32 (batch, time)", "vocabulary": VOCABULARY, "unknown": 0}
    found = {"task": "char_lm", "preprocessing": preprocessing, **about}
    (folder / "model.json").write_text(json.dumps(found), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(language_model([("gru", 24), ("simple_rnn", 16)]), tmp_path_factory.mktemp("exported") / "best")


@pytest.mark.parametrize(
    ("logits", "choice", "expected"),
    [
        (KNOWN, {}, [1 / 3, 2 / 3]),
        (KNOWN, {"temperature": 0.5}, [1 / 5, 4 / 5]),
        (KNOWN + 1000, {"temperature": 0.5}, [1 / 5, 4 / 5]),
        (KNOWN, {"temperature": 1e-320}, [0, 1]),
        (KNOWN, {"temperature": 1e9}, [1 / 2, 1 / 2]),
        ([1, 3, 3], {"temperature": 0}, [0, 1, 0]),
        ([1, 3, 3], {"temperature": 0, "top_k": 3, "top_p": 0.1}, [0, 1, 0]),
        ([-INF, *KNOWN], {}, [0, 1 / 3, 2 / 3]),
        (FOUR, {"top_k": 2}, [4 / 7, 3 / 7, 0, 0]),
        (FOUR[::-1], {"top_k": 2}, [0, 0, 3 / 7, 4 / 7]),
        (FOUR, {"top_k": 9}, [0.4, 0.3, 0.2, 0.1]),
        ([0, 5, 5, 5], {"top_k": 2}, [0, 1 / 2, 1 / 2, 0]),  # of equals the lowest ids
        ([0] * 20 + [9] * 20, {"top_k": 2}, [0] * 20 + [1 / 2] * 2 + [0] * 18),
        (FOUR, {"top_p": 0.39}, [1, 0, 0, 0]),
        (FOUR, {"top_p": 0.4}, [1, 0, 0, 0]),
        (FOUR, {"top_p": 0.41}, [4 / 7, 3 / 7, 0, 0]),
        (FOUR, {"top_p": 0.7}, [4 / 7, 3 / 7, 0, 0]),
        (FOUR, {"top_p": 0.9}, [4 / 9, 3 / 9, 2 / 9, 0]),  # the sum of floats is just below 0.9
        (FOUR[::-1], {"top_p": 0.71}, [0, 2 / 9, 3 / 9, 4 / 9]),
        (FOUR, {"top_p": 1e-300}, [1, 0, 0, 0]),
        (FOUR, {"top_k": 2, "top_p": 0.5}, [1, 0, 0, 0]),  # 4/7 of what top-k left; of all it would be 0.4
        (KNOWN, {"temperature": 0.5, "top_p": 0.7}, [0, 1]),  # the temperature comes first
        (np.stack([FOUR, FOUR[::-1]]), {"top_k": 1}, [[1, 0, 0, 0], [0, 0, 0, 1]]),
    ],
)
def test_probabilities_by_hand(logits: Any, choice: dict[str, Any], expected: Any) -> None:
    found = sampling.probabilities(np.array(logits), **choice)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, atol=1e-8)
    assert ((found > 0) == (np.array(expected) > 0)).all()


def test_no_filter_is_the_whole_softmax() -> None:
    logits = np.array([0.0, -40.0, -80.0])  # symbols that rounding would lose from a nucleus of mass 1
    found = sampling.probabilities(logits, top_p=1.0)
    np.testing.assert_allclose(found, np.exp(logits) / np.exp(logits).sum(), rtol=1e-12)


def test_the_worked_example() -> None:
    assert doctest.testmod(sampling) == (0, 1)


@pytest.mark.parametrize(
    ("choice", "line"),
    [
        ({"temperature": -0.1}, "temperature: expected a finite number from 0, got -0.1"),
        ({"temperature": float("nan")}, "temperature: expected a finite number from 0, got nan"),
        ({"temperature": INF}, "temperature: expected a finite number from 0, got inf"),
        ({"top_k": -1}, "top-k: expected 0 (all symbols) or more, got -1"),
        ({"top_p": 0.0}, "top-p: expected a number above 0 and up to 1, got 0.0"),
        ({"top_p": 1.5}, "top-p: expected a number above 0 and up to 1, got 1.5"),
        ({"top_p": float("nan")}, "top-p: expected a number above 0 and up to 1, got nan"),
        ({"logits": np.array([0, np.nan])}, "logits: expected a finite highest one, got nan"),
        ({"logits": np.array([-INF, -INF])}, "logits: expected a finite highest one, got -inf"),
    ],
)
def test_unfit_values_are_refused(choice: dict[str, Any], line: str) -> None:
    with pytest.raises(ValueError) as caught:
        sampling.probabilities(**{"logits": KNOWN, **choice})
    assert str(caught.value) == line


@pytest.mark.parametrize("choice", [{"length": -1}, {"seed": -1}], ids=str)
def test_generate_refuses_negative_numbers(choice: dict[str, int]) -> None:
    (name,) = choice
    with pytest.raises(ValueError, match=f"^{name}: expected 0 or more, got -1$"):
        sampling.generate(markov_chain(), "\ufffdabc", "a", **{"length": 3, **choice})


@pytest.mark.parametrize(
    ("choice", "power", "kept"),
    [({}, 1, 3), ({"temperature": 0.5}, 2, 3), ({"top_k": 2}, 1, 2)],
    ids=str,
)
def test_a_markov_chain_is_sampled_with_its_own_probabilities(choice: dict[str, Any], power: int, kept: int) -> None:
    length = 3_000
    text = "a" + sampling.generate(markov_chain(), "\ufffdabc", "a", length, seed=0, **choice)
    ids = corpora.encode(text, "\ufffdabc") - 1
    assert ids.min() == 0  # the unknown, which the model gives half of all mass, is never written
    exact = np.where(np.sort(CHAIN)[:, [-kept]] <= CHAIN, CHAIN, 0) ** power
    exact[2] = exact[2] if kept == 3 else [0.3, 0.4, 0]  # a and c are as likely as each other: a has the lower id
    exact /= exact.sum(axis=1, keepdims=True)
    counts = np.zeros((3, 3))
    np.add.at(counts, (ids[:-1], ids[1:]), 1)
    assert not counts[exact == 0].any()
    seen = counts > 0
    observed = (counts / counts.sum(axis=1, keepdims=True))[seen]
    divergence = (counts[seen] * np.log(observed / exact[seen])).sum() / length  # nats a character
    assert divergence < 0.004  # 24 / 2n: chi-square of at most 6 degrees of freedom is above 24 once in 2,000 times


@pytest.mark.parametrize("cell", ["simple_rnn", "lstm", "gru"])
def test_steps_are_one_forward_pass(cell: str) -> None:
    model = language_model([(cell, 24), (cell, 16)])
    ids = np.random.default_rng(0).integers(len(VOCABULARY), size=60).astype(np.int32)
    logits = model.predict(ids[None], verbose=0)[0].astype(np.float64)
    full = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    stepper = sampling.StatefulReader(model)
    pieces = [ids[:7], *ids[7:, None]]
    steps = np.concatenate([stepper.log_probabilities(piece) for piece in pieces])
    assert np.abs(full[1:] - full[:-1]).max() > 1
    np.testing.assert_allclose(steps, full, rtol=0, atol=1e-5)
    np.testing.assert_allclose(np.exp(steps).sum(axis=-1), 1)


def test_the_seed_decides_the_text(exported: Path) -> None:
    model, about = sampling.load(exported)
    vocabulary = about["preprocessing"]["vocabulary"]
    texts = [sampling.generate(model, vocabulary, "the ", 80, seed=seed) for seed in (0, 1, 0)]
    assert texts[0] == texts[2] != texts[1]
    assert {len(text) for text in texts} == {80}
    assert set(texts[0]) <= set(VOCABULARY[1:])
    assert sampling.generate(model, vocabulary, "the ", 30, seed=0) == texts[0][:30]
    assert sampling.generate(model, vocabulary, "the ", 0) == ""


@pytest.mark.parametrize(
    ("vocabulary", "first"),
    [("\ufffd\t\n a", "\n"), ("\ufffd !a", " "), ("\ufffdab", "a"), ("\ufffd", "\ufffd")],
)
def test_an_empty_prompt_has_a_start(vocabulary: str, first: str) -> None:
    assert sampling.start_symbol(vocabulary) == first


def test_the_prompt_is_read(exported: Path) -> None:
    model, _ = sampling.load(exported)

    def greedy(prompt: str) -> str:
        return sampling.generate(model, VOCABULARY, prompt, 40, temperature=0)

    assert greedy("") == greedy("\n")
    assert greedy("a") != greedy("\n")
    assert greedy("the é") == greedy("the \ufffd") != greedy("the ")


def test_plain_keras_writes_the_same_text(exported: Path, tmp_path: Path) -> None:
    prompt, length = "The fox", 50  # T is unknown
    done = subprocess.run(
        [sys.executable, "-I", "-c", PLAIN_KERAS, str(exported), prompt, str(length)],
        cwd=tmp_path,
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    model, about = sampling.load(exported)
    text = sampling.generate(model, about["preprocessing"]["vocabulary"], prompt, length, temperature=0)
    assert len(set(text)) > 15
    assert json.loads(done.stdout) == text


def refusal(folder: Path) -> str:
    with pytest.raises(ValueError) as caught:
        sampling.load(folder)
    (line,) = str(caught.value).replace(str(folder), "DIR").splitlines()
    return line


def test_a_missing_folder_and_missing_files_are_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no") == "DIR: expected the folder of an exported model, got no folder"
    assert refusal(tmp_path) == "DIR: expected model.keras and model.json, got no model.keras"
    (tmp_path / "model.keras").touch()
    assert refusal(tmp_path) == "DIR: expected model.keras and model.json, got no model.json"


@pytest.mark.parametrize(
    ("about", "line"),
    [
        (
            b"{",
            "DIR/model.json: expected a file as it was exported, got a broken one: "
            "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
        ),
        (
            b"7",
            "DIR/model.json: expected a file as it was exported, got a broken one: 'int' object is not iterable",
        ),
        (
            b'"\xff"',
            "DIR/model.json: expected a file as it was exported, got a broken one: "
            "'utf-8' codec can't decode byte 0xff in position 1: invalid start byte",
        ),
        (b"{}", "DIR: expected a language model, got one of the task None"),
        (
            b'{"task": "adding", "preprocessing": {"input": "float32 (batch, time, 2)"}}',
            "DIR: expected a language model, got one of the task 'adding'",
        ),
        (
            b'{"task": "char_lm", "preprocessing": {"vocabulary": "abc"}}',
            "DIR/model.keras: expected a file as it was exported, got a broken one: File is not a zip file",
        ),
    ],
)
def test_broken_files_and_other_tasks_are_named(tmp_path: Path, about: bytes, line: str) -> None:
    (tmp_path / "model.json").write_bytes(about)
    (tmp_path / "model.keras").write_bytes(b"no archive")
    assert refusal(tmp_path) == line


def test_a_vocabulary_of_another_size_is_refused(tmp_path: Path) -> None:
    folder = export(language_model([("gru", 4)]), tmp_path / "best", preprocessing={"vocabulary": "\ufffdabc"})
    assert refusal(folder) == f"DIR: expected a model of the 4 symbols in model.json, got {len(VOCABULARY)}"
