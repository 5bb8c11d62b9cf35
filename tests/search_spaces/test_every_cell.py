"""What every cell must do: a new file in search_spaces/cells is tested here without a change of this file.

The numbers by hand stand in the cell's own test, test_NAME.py.
"""

import dataclasses
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras.src.backend.tensorflow.rnn import cudnn_ok  # where Keras decides for or against cuDNN
from support.cells import built, output

from search_spaces import cells
from search_spaces.kernels import cells_with, kernel

ROOT = Path(__file__).parents[2]
NAMES = cells.names()
every_cell = pytest.mark.parametrize("name", NAMES)
on_cudnn = pytest.mark.parametrize("name", cells_with("cudnn"))
on_xla = pytest.mark.parametrize("name", cells_with("xla"))


def test_the_cells_are_the_files() -> None:
    files = {path.stem for path in Path(cells.__file__).parent.glob("*.py")} - {"__init__"}
    assert set(NAMES) == files >= {"simple_rnn", "lstm", "gru"}
    assert NAMES[0] == "simple_rnn" and NAMES[1:] == sorted(NAMES[1:])


@pytest.mark.parametrize("name", ["rnn", "", "LSTM", "__init__", "../cells/gru", "gru "])
def test_an_unknown_cell_lists_the_known_ones(name: str) -> None:
    line = f"cells: expected some of {', '.join(NAMES)}, got {name!r}"
    with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
        cells.load(name)


@every_cell
def test_every_cell_has_its_own_test(name: str) -> None:
    assert (Path(__file__).parent / f"test_{name}.py").exists()


@every_cell
def test_the_facts_are_those_of_the_layer(name: str) -> None:
    facts, layer = cells.facts(name), built(name, 16, features=3)
    of_inputs = next(weight for weight in layer.weights if weight.name == "kernel")
    assert of_inputs.shape == (3, facts.gates * 16)
    assert facts.inits[0] == "default"
    assert ("chrono" in facts.inits) <= bool(facts.keep_gate), "chrono sets the bias of the keep gate"
    for init in facts.inits:
        assert built(name, **({} if init == "default" else {"init": init}))
    for how in ("cudnn", "native", "xla"):
        if name in cells_with(how):
            assert type(built(name, kernel=how)).__name__.endswith(type(layer).__name__)


def test_the_facts_are_read_without_keras() -> None:
    code = "from search_spaces import cells; print([cells.facts(name).gates for name in cells.names()])"
    code += "; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"keras", "tensorflow", "numpy"} & set(done.stdout.split())


@every_cell
@pytest.mark.parametrize("return_sequences", [True, False])
def test_shapes(name: str, return_sequences: bool) -> None:
    layer = built(name, 5, return_sequences, 3)
    assert layer.name == "layer"
    found = output(layer, np.zeros((2, 7, 3), np.float32))
    width = 5 + (cells.load(name).FACTS.memory and layer.cell.columns)  # a machine also returns what it has read
    assert found.shape == ((2, 7, width) if return_sequences else (2, width))


@every_cell
def test_the_last_output_is_that_of_the_last_step(name: str) -> None:
    whole, last = built(name, 4, True, 2), built(name, 4, False, 2)
    last.set_weights(whole.get_weights())
    x = np.random.default_rng(0).normal(size=(3, 6, 2)).astype(np.float32)
    assert output(last, x) == pytest.approx(output(whole, x)[:, -1], abs=1e-6)


@every_cell
def test_an_output_knows_the_past_and_not_the_future(name: str) -> None:
    layer = built(name, 4, True, 2)
    x = np.random.default_rng(0).normal(size=(1, 6, 2)).astype(np.float32)
    other = x.copy()
    other[:, 3] += 1
    differs = (abs(output(layer, x) - output(layer, other)) > 1e-6).any(axis=(0, 2))
    assert differs.tolist() == [False, False, False, True, True, True]


@on_cudnn
def test_what_cudnn_asks_for(name: str) -> None:
    config = cells.load(name).layer(8, False, "layer").get_config()
    assert config["activation"] == "tanh"
    assert config.get("recurrent_activation", "sigmoid") == "sigmoid"
    assert config.get("reset_after", True) is True
    assert config["use_bias"] is True
    assert config["dropout"] == config["recurrent_dropout"] == 0
    assert config["unroll"] is config["go_backwards"] is config["stateful"] is False
    assert ("recurrent_activation" in config) == (cells.facts(name).gates > 1)


@on_cudnn
def test_keras_itself_would_take_cudnn(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cudnn_ok.__globals__, "_is_gpu_available", lambda: True)
    layer = built(name)
    assert hasattr(layer, "use_cudnn") == (cells.facts(name).gates > 1), (
        "SimpleRNN is ours to bring to cuDNN, see test_cudnn.py"
    )
    if hasattr(layer, "use_cudnn"):
        assert layer.use_cudnn == "auto"
        reset_after = getattr(layer.cell, "reset_after", None)
        gates = layer.cell.activation, layer.cell.recurrent_activation
        assert cudnn_ok(*gates, layer.unroll, layer.cell.use_bias, reset_after)
        assert not cudnn_ok(keras.activations.relu, gates[1], layer.unroll, layer.cell.use_bias, reset_after)


@pytest.mark.parametrize(
    ("used", "gpus", "answer"),
    [
        (["lstm", "gru"], 1, ("cudnn", "GPU found; cuDNN computes every recurrent layer")),
        (["gru", "gru", "gru"], 4, ("cudnn", "GPU found; cuDNN computes every recurrent layer")),
        (["lstm", "simple_rnn", "simple_rnn"], 2, ("cudnn", "GPU found; cuDNN computes every recurrent layer")),
    ],
)
def test_the_kernel_and_why(used: list[str], gpus: int, answer: tuple[str, str]) -> None:
    assert kernel(used, gpus, 10**9) == answer


@on_cudnn
def test_the_kernel_of_every_cell(name: str) -> None:
    assert kernel([name], 1, 0)[0] == "cudnn"


def test_a_cell_without_a_cudnn_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells.load("gru"), "FACTS", dataclasses.replace(cells.facts("gru"), cudnn=False))
    assert kernel(["lstm", "gru", "gru"], 1, 0) == ("loop", "there is no cuDNN path for gru")


def test_a_cell_without_a_compiled_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells.load("gru"), "FACTS", cells.Facts(gates=3))
    reason = "no GPU found; there is no native kernel for gru; there is no compiled scan for gru"
    assert kernel(["lstm", "gru", "gru"], 0, 10**9) == ("loop", reason)
    assert "gru" not in {*cells_with("xla"), *cells_with("cudnn")} and "gru" in cells_with("loop")


def without_numba(*how: Any) -> tuple[str, str]:
    return kernel(*how, native=lambda: "Numba is not installed")


@on_xla
def test_without_a_gpu_much_work_is_compiled_and_little_is_not(name: str) -> None:
    enough = cells.facts(name).xla_compile_seconds / cells.facts(name).xla_saved_seconds
    little, much = (without_numba([name], 0, round(share * enough)) for share in (0.5, 20))
    assert little[0] == "loop" and much[0] == "xla"
    costs = cells.facts(name).xla_compile_seconds
    why = "no GPU found; no native kernel: Numba is not installed"
    assert much[1] == f"{why}; compiling takes about {costs:.1f} s and saves about {20 * costs:.1f} s"


@on_xla
def test_a_smaller_last_batch_is_compiled_too(name: str) -> None:
    between = round(1.5 * cells.facts(name).xla_compile_seconds / cells.facts(name).xla_saved_seconds)
    assert [without_numba([name], 0, between, sizes)[0] for sizes in (1, 2)] == ["xla", "loop"]
