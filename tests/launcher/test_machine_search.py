"""A search of the Neural Turing machine: its defaults, its refusals, and an export that needs nothing of ours."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.cards import checked_card
from support.searching import Searched, run

from experiments.config.spec import Spec
from experiments.launcher.settings import search_spec
from tracking.errors import BadInput

SEARCH = (
    *("search", "ntm_copy", "-o", "length=2", "-o", "bits=2", "-o", "train=32", "-o", "val=16", "-o", "test=16"),
    *("--cells", "ntm", "--width", "4", "--memory", "6x3", "--learning-rate", "0.01", "--batch", "16", "--epochs", "1"),
    *("--executions", "1", "--trials", "1", "--workers", "1", "--name", "machine"),
)


def spec(*cells: str, task: str = "ntm_copy", **given: str) -> Spec:
    return search_spec(task, {}, cells=list(cells), **given)[0]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_machine_alone_is_trained_as_in_the_paper() -> None:
    found = spec("ntm")
    assert (found.depth, found.batch, found.optimizer, found.momentum, found.clip) == ("1", 1, "rmsprop", "0.9", "10")
    assert (found.learning_rate, found.executions) == ("0.00005:0.0002", 3)
    assert spec("ntm", clip="1", batch="8").clip == "1", "what is given goes before its defaults"


def test_beside_other_cells_only_the_depth_is_that_of_the_machine() -> None:
    found, plainest = spec("lstm", "ntm"), spec("lstm")
    assert found.depth == "1" and plainest.depth == Spec.depth
    assert (found.batch, found.optimizer, found.clip) == (plainest.batch, plainest.optimizer, plainest.clip)


@pytest.mark.parametrize("cells", [["ntm"], ["gru", "ntm"]], ids=str)
def test_a_recipe_opens_nothing_that_a_machine_is_not(cells: list[str]) -> None:
    found = spec(*cells, task="parity", recipe=True)
    assert (found.residual, found.bidirectional) == ("no", "no") and "rmsprop" in found.optimizer


@pytest.mark.parametrize(
    ("cells", "task", "given", "line"),
    [
        ("ntm", "ntm_copy", {"depth": "1:2"}, "--depth: expected 1 with ntm, got '1:2'"),
        ("ntm", "ntm_copy", {"mixed": True}, "--mixed: expected none with ntm, which is one layer"),
        ("ntm", "adding", {"bidirectional": "yes"}, "--bidirectional: expected no with ntm, got 'yes'"),
        ("ntm", "ntm_copy", {"memory": "128"}, "--memory: expected sizes like 128x20, rows and columns, got '128'"),
        ("ntm", "g2p", {}, "--cells: expected none with a memory for an encoder and a decoder, got 'ntm'"),
        ("ntm", "char_lm", {}, "--cells: expected none with a memory for a text that is read as a stream, got 'ntm'"),
        ("ntm", "translate", {}, "--cells: expected none with a memory for an encoder and a decoder, got 'ntm'"),
        ("gru", "adding", {"memory": "8x4"}, "--memory: expected it with a cell that has a memory, ntm, got 'gru'"),
        (
            "gru",
            "adding",
            {"controller": "lstm"},
            "--controller: expected it with a cell that has a memory, ntm, got 'gru'",
        ),
        ("gru", "adding", {"momentum": "0.9"}, "--momentum: expected 0 without the optimizer rmsprop, got [0.9]"),
        (
            "ntm",
            "ntm_copy",
            {"oracle": "grid", "learning_rate": "0.1", "momentum": "0:0.9"},
            "--momentum: expected a list like 0,0.9 with --oracle grid, got a range",
        ),
    ],
)
def test_what_is_refused(cells: str, task: str, given: dict[str, str], line: str) -> None:
    with pytest.raises(BadInput) as raised:
        spec(cells, task=task, **given)
    assert str(raised.value) == line


@pytest.mark.slow
def test_a_search_and_its_export(tmp_path: Path) -> None:
    done = run(*SEARCH, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    (trial,) = Searched(tmp_path, "machine", done).results()["trials"]
    assert (trial["architecture"], trial["kernel"]) == ("ntm-4 memory 6x3", "loop")
    done = run("export", "machine", "--to", "best", "--format", "all", cwd=tmp_path)
    assert done.returncode == 0
    assert "onnx is not written: it has the layer ntm_1 (RNN)" in done.stderr
    assert "litert is not written: it has the layer ntm_1 (RNN)" in done.stderr
    best = tmp_path / "best"
    card = checked_card(best)
    assert card["class_files"] == ["ntm.py"] and sorted(card["formats"]) == ["keras", "savedmodel"]
    assert {"ntm.py", "addressing.png", "mlflow/ntm.py"} <= set(card["contents"])
    assert (best / "addressing.png").read_bytes().startswith(b"\x89PNG")
    x = np.random.default_rng(0).integers(0, 2, (3, 5, 3)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    answers = [alone(["best/predict.py", "x.npy", "--format", name], tmp_path) for name in card["formats"]]
    expected = [[json.loads(line) for line in text.splitlines()] for text in answers]
    assert np.shape(expected[0]) == (3, 5, 2)
    np.testing.assert_allclose(*expected, atol=1e-6)
    loaded, served = (json.loads(alone(["-c", code], best)) for code in (LOADED, SERVED))
    np.testing.assert_allclose(1 / (1 + np.exp(-np.array(loaded))), expected[0], atol=1e-6)
    np.testing.assert_allclose(served, expected[0], atol=1e-6)


def alone(words: list[str], folder: Path) -> str:
    """What Python prints in a process that cannot import this project."""
    done = subprocess.run([sys.executable, "-I", *words], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


BLOCKED = 'import sys; sys.modules.update(dict.fromkeys(["experiments", "search_spaces", "tracking"]))\n'
# As the page says it: the class first, then the model.
LOADED = f"""{BLOCKED}
sys.path.insert(0, "")
import json

import keras
import ntm
import numpy as np

model = keras.models.load_model("model.keras", compile=False)
print(json.dumps(np.asarray(model(np.load("../x.npy"))).tolist()))
"""
SERVED = f"""{BLOCKED}
import json

import mlflow
import numpy as np

model = mlflow.pyfunc.load_model("mlflow")
print(json.dumps(model.predict([{{"sequence": one.tolist()}} for one in np.load("../x.npy")])))
"""
