"""Every cell against numbers by hand, and fit for cuDNN: a new file in search_spaces/cells is tested by being there."""

import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras.src.backend.tensorflow.rnn import cudnn_ok  # where Keras decides for or against cuDNN

from search_spaces import cells
from search_spaces.kernels import kernel

NAMES = cells.names()
GATED = {"lstm", "gru"}

# Two units, one feature, x = 1 then 2; every input weight 0.5, every recurrent weight 0.25, so that both units hold h
# and a[t] = 0.5 x[t] + 0.5 h[t-1]. Biases tell the gates apart.
GOLDEN: dict[str, tuple[Any, list[float]]] = {
    # h = tanh(a + 0.1): tanh(0.6), then tanh(1 + 0.26852 + 0.1).
    "simple_rnn": ([0.1], [0.5370496, 0.8783556]),
    # i, f, c, o have biases 0.1, 0.2, 0.3, 0.4. At first a = 0.5: i = 0.645656, g = tanh 0.8 = 0.664037, o = 0.710950,
    # c = i g = 0.428740, h = o tanh c. Then a = 1.143707: i = 0.776209, f = 0.793099, g = 0.894441, o = 0.824003,
    # c = f c + i g = 1.034306.
    "lstm": ([0.1, 0.2, 0.3, 0.4], [0.2874137, 0.6391211]),
    # z, r, n have biases 0.1, 0.2, 0.3 on the input and 0.4, 0.5, 0.6 on the state. At first z = sigmoid 1 = 0.731059,
    # r = sigmoid 1.2 = 0.768525, n = tanh(0.5 + 0.3 + 0.6 r) = 0.851371, h = (1 - z) n. Then u = 0.5 h = 0.114484,
    # z = sigmoid(1.5 + u) = 0.834033, r = sigmoid(1.7 + u) = 0.859903, n = tanh(1.3 + r (u + 0.6)) = 0.957452,
    # h = z h + (1 - z) n: z keeps.
    "gru": ([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]], [0.2289690, 0.3498731]),
}

every_cell = pytest.mark.parametrize("name", NAMES)
every_kernel = pytest.mark.parametrize("how", ["loop", "xla", "cudnn"])


def built(
    name: str, width: int = 2, return_sequences: bool = True, features: int = 1, how: str = "loop"
) -> keras.layers.Layer:
    layer = cells.load(name).layer(width, return_sequences, "layer", how)
    layer.build((None, None, features))
    return layer


def output(layer: keras.layers.Layer, x: np.ndarray) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(layer(x)))


def test_the_cells_are_the_files() -> None:
    files = {path.stem for path in Path(cells.__file__).parent.glob("*.py")} - {"__init__"}
    assert set(NAMES) == files >= {"simple_rnn", "lstm", "gru"}
    assert NAMES[0] == "simple_rnn" and NAMES[1:] == sorted(NAMES[1:])
    assert set(GOLDEN) == files, "every cell has its numbers by hand"


@pytest.mark.parametrize("name", ["rnn", "", "LSTM", "__init__", "../cells/gru", "gru "])
def test_an_unknown_cell_lists_the_known_ones(name: str) -> None:
    line = f"cells: expected some of {', '.join(NAMES)}, got {name!r}"
    with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
        cells.load(name)


@every_cell
@every_kernel
def test_numbers_by_hand(name: str, how: str) -> None:
    bias, expected = GOLDEN[name]
    layer = built(name, how=how)
    kernel_, recurrent, _ = layer.get_weights()
    layer.set_weights([np.full_like(kernel_, 0.5), np.full_like(recurrent, 0.25), np.repeat(bias, 2, axis=-1)])
    found = output(layer, np.array([[[1.0], [2.0]]], np.float32))
    assert found[0] == pytest.approx(np.repeat([[each] for each in expected], 2, axis=1), abs=1e-5)


@every_cell
@pytest.mark.parametrize("return_sequences", [True, False])
def test_shapes(name: str, return_sequences: bool) -> None:
    layer = built(name, 5, return_sequences, 3)
    assert layer.name == "layer" and layer.units == 5
    found = output(layer, np.zeros((2, 7, 3), np.float32))
    assert found.shape == ((2, 7, 5) if return_sequences else (2, 5))


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


@every_cell
def test_what_cudnn_asks_for(name: str) -> None:
    config = cells.load(name).layer(8, False, "layer").get_config()
    assert config["activation"] == "tanh"
    assert config.get("recurrent_activation", "sigmoid") == "sigmoid"
    assert config.get("reset_after", True) is True
    assert config["use_bias"] is True
    assert config["dropout"] == config["recurrent_dropout"] == 0
    assert config["unroll"] is config["go_backwards"] is config["stateful"] is False
    assert ("recurrent_activation" in config) == (name in GATED)
    assert ("reset_after" in config) == (name == "gru")


@every_cell
def test_keras_itself_would_take_cudnn(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cudnn_ok.__globals__, "_is_gpu_available", lambda: True)
    layer = built(name)
    assert hasattr(layer, "use_cudnn") == (name in GATED), "SimpleRNN is ours to bring to cuDNN, see test_cudnn.py"
    if hasattr(layer, "use_cudnn"):
        assert layer.use_cudnn == "auto"
        reset_after = getattr(layer.cell, "reset_after", None)
        gates = layer.cell.activation, layer.cell.recurrent_activation
        assert cudnn_ok(*gates, layer.unroll, layer.cell.use_bias, reset_after)
        assert not cudnn_ok(keras.activations.relu, gates[1], layer.unroll, layer.cell.use_bias, reset_after)


@every_cell
def test_weights_are_the_stock_ones(name: str) -> None:
    layer = built(name, 16, features=3)
    assert type(layer).__module__.startswith("keras.")
    gates = {"simple_rnn": 1, "lstm": 4, "gru": 3}[name]
    biases = gates * 16 * (2 if name == "gru" else 1)
    assert layer.count_params() == gates * 16 * (3 + 16) + biases
    kernel_, recurrent, bias = layer.get_weights()
    assert np.std(kernel_) > 0 and abs(kernel_).max() < 1.5
    assert recurrent @ recurrent.T == pytest.approx(np.eye(16), abs=1e-4), "orthogonal as a whole"
    expected = np.zeros_like(bias)
    if name == "lstm":
        expected[16:32] = 1  # the forget gate starts open
    assert np.array_equal(bias, expected)


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


@every_cell
def test_the_kernel_of_every_cell(name: str) -> None:
    assert kernel([name], 1, 0)[0] == "cudnn"


def test_a_cell_without_a_cudnn_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells.load("gru"), "CUDNN", False)
    assert kernel(["lstm", "gru", "gru"], 1, 0) == ("loop", "there is no cuDNN path for gru")


@every_cell
def test_without_a_gpu_much_work_is_compiled_and_little_is_not(name: str) -> None:
    enough = cells.load(name).XLA_COSTS / cells.load(name).XLA_SAVES
    little, much = (kernel([name], 0, round(share * enough)) for share in (0.5, 20))
    assert little[0] == "loop" and much[0] == "xla"
    costs = cells.load(name).XLA_COSTS
    assert much[1] == f"no GPU found; compiling takes about {costs:.1f} s and saves about {20 * costs:.1f} s"


@every_cell
def test_a_smaller_last_batch_is_compiled_too(name: str) -> None:
    between = round(1.5 * cells.load(name).XLA_COSTS / cells.load(name).XLA_SAVES)
    assert [kernel([name], 0, between, sizes)[0] for sizes in (1, 2)] == ["xla", "loop"]
