"""A search on a task of bits, as users run it: search, finals at longer lengths, export, predictions."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
from support.cards import checked_card
from support.searching import run

SEARCH = (
    *(
        "search",
        "ntm_copy",
        "-o",
        "length=2",
        "-o",
        "bits=3",
        "-o",
        "train=online:640",
        "-o",
        "val=64",
        "-o",
        "test=64",
    ),
    *("--cells", "gru", "--depth", "1", "--width", "16", "--learning-rate", "0.02", "--batch", "32", "--trials", "1"),
    *("--epochs", "5", "--workers", "1", "--seed", "0", "--name", "bits"),
)


@pytest.mark.slow
def test_a_search_its_finals_and_its_export(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("bits").resolve()
    for words in (
        SEARCH,
        ("finals", "bits", "--top", "1", "--seeds", "2", "--lengths", "2,6"),
        ("export", "bits", "--to", "best", "--format", "all"),
    ):
        done = run(*words, cwd=folder, seconds=600)
        assert (done.returncode, done.stderr) == (0, ""), done
    assert re.search(r"onnx: model.onnx, .*, differs from Keras by ", done.stdout)
    card = checked_card(folder / "best")
    assert card["answer"] == "bits" and card["labels"] == [] and card["metric"] == "bits_per_sequence"
    assert set(card["longer"]) == {"2", "6"} and card["longer"]["6"] > card["longer"]["2"] > card["test_score"]
    assert set(card["formats"]) == {"keras", "litert", "onnx", "savedmodel"}
    x = np.zeros((2, 5, 4), np.float32)
    x[:, 0, 0] = x[:, 1, 3] = 1
    np.save(folder / "x.npy", x)
    found = {}
    for name in card["formats"]:
        words = [sys.executable, "-I", "best/predict.py", "x.npy", "--format", name]
        there = subprocess.run(words, cwd=folder, capture_output=True, text=True)
        assert there.returncode == 0, there.stderr
        found[name] = np.array([json.loads(line) for line in there.stdout.splitlines()])
        assert found[name].shape == (2, 5, 3) and ((found[name] > 0) & (found[name] < 1)).all()
        np.testing.assert_allclose(found[name], found["keras"], atol=1e-5)
