"""Initialisations: spectra and biases by hand, and what they do to the memory of a cell."""

import math
from typing import Any

import keras
import numpy as np
import pytest

from search_spaces import cells
from search_spaces.initializers import Chrono, ForgetBias, IdentityPerGate, KeepBias, KeepChrono, OrthogonalPerGate

UNITS = 8
GATES = {name: cells.facts(name).gates for name in cells.names()}


def built(name: str, width: int = UNITS, how: str = "loop", **start: Any) -> keras.layers.Layer:
    layer = cells.load(name).layer(width, False, "layer", how, **start)
    layer.build((None, None, 2))
    return layer


def blocks(layer: keras.layers.Layer, gates: int) -> list[np.ndarray]:
    return np.split(layer.get_weights()[1], gates, axis=1)


@pytest.mark.parametrize("name", ["lstm", "gru"])
@pytest.mark.parametrize("how", ["loop", "xla", "native"])
def test_every_gate_is_orthogonal(name: str, how: str) -> None:
    found = blocks(built(name, how=how, init="orthogonal"), GATES[name])
    assert [block.shape for block in found] == [(UNITS, UNITS)] * GATES[name]
    for block in found:
        assert np.linalg.svd(block, compute_uv=False) == pytest.approx(np.ones(UNITS), abs=1e-5)
    assert all(abs(one - other).max() > 0.1 for one, other in zip(found, found[1:], strict=False)), "drawn apart"


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_as_keras_draws_it_no_gate_is_orthogonal(name: str) -> None:
    for block in blocks(built(name), GATES[name]):
        assert np.linalg.svd(block, compute_uv=False).min() < 0.9


def test_orthogonal_blocks_are_uniform() -> None:
    """Of every sign: without the sign of the triangle's diagonal, entries of QR have a mean that is not 0."""
    keras.utils.set_random_seed(0)
    drawn = np.stack([OrthogonalPerGate()((2, 8)) for _ in range(200)]).reshape(200, 2, 4, 2).swapaxes(1, 2)
    assert abs(drawn.mean(axis=(0, 1))).max() < 0.08  # of 800 with a deviation of 0.7 each
    assert np.linalg.det(drawn).round().min() == -1 and np.linalg.det(drawn).round().max() == 1


def test_orthogonal_blocks_are_those_of_the_seed() -> None:
    def drawn(seed: int) -> np.ndarray:
        keras.utils.set_random_seed(seed)
        return np.asarray(built("lstm", init="orthogonal").get_weights()[1])

    assert np.array_equal(drawn(0), drawn(0)) and not np.array_equal(drawn(0), drawn(1))


def test_identity_of_lstm() -> None:
    layer = built("lstm", init="identity")
    for block in blocks(layer, 4):
        assert np.array_equal(block, np.eye(UNITS))
    assert layer.get_weights()[2].tolist() == [0] * UNITS + [1] * UNITS + [0] * 2 * UNITS, "Keras' forget bias stays"


@pytest.mark.parametrize("how", ["loop", "xla", "native"])
def test_identity_of_simple_rnn_is_the_irnn(how: str) -> None:
    keras.utils.set_random_seed(0)
    layer = built("simple_rnn", 64, how, init="identity")
    of_input, recurrent, bias = layer.get_weights()
    assert layer.activation is keras.activations.relu
    assert np.array_equal(recurrent, np.eye(64)) and not bias.any()
    assert abs(of_input.mean()) < 3e-4 and of_input.std() == pytest.approx(1e-3, rel=0.2)
    x = np.zeros((1, 50, 2), np.float32)
    state = np.linspace(0, 1, 64, dtype=np.float32)[None]
    assert np.array_equal(layer(x, initial_state=[state]), state), "stays the same"


@pytest.mark.parametrize("how", ["loop", "xla", "native"])
def test_a_forget_bias(how: str) -> None:
    layer = built("lstm", 2, how, bias=5.0)
    assert layer.get_weights()[2].tolist() == [0, 0, 5, 5, 0, 0, 0, 0], "i, f, c, o"
    assert built("lstm", 1, bias=0.0).get_weights()[2].tolist() == [0, 0, 0, 0], "0 is a bias, too"


@pytest.mark.parametrize("how", ["loop", "xla", "native"])
def test_a_keep_bias(how: str) -> None:
    layer = built("gru", 2, how, bias=5.0)
    assert layer.get_weights()[2].tolist() == [[5, 5, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]], "z, r, h, on the input alone"


def chrono(name: str, longest: int, units: int = 4_000) -> np.ndarray:
    keras.utils.set_random_seed(0)
    layer = built(name, units, init="chrono", longest=longest) if units < 100 else None
    kind, shape = (Chrono, (4 * units,)) if name == "lstm" else (KeepChrono, (2, 3 * units))
    return layer.get_weights()[2] if layer else np.asarray(kind(longest)(shape))


def test_chrono_of_lstm() -> None:
    i, f, c, o = np.split(chrono("lstm", 101), 4)
    assert np.array_equal(i, -f) and not c.any() and not o.any()
    assert f.min() >= 0 and f.max() <= math.log(100)
    memory = np.exp(f.astype(np.float64))  # uniform on [1, 100]: mean 50.5, deviation 28.6
    assert memory.mean() == pytest.approx(50.5, abs=1.5) and memory.std() == pytest.approx(99 / math.sqrt(12), abs=1)
    assert memory.min() < 2 and memory.max() > 99


def test_chrono_of_gru() -> None:
    row, state = chrono("gru", 101)
    z, r, n = np.split(row, 3)
    assert not r.any() and not n.any() and not state.any()
    memory = np.exp(z.astype(np.float64))
    assert 1 <= memory.min() < 2 and 99 < memory.max() <= 100.001 and memory.mean() == pytest.approx(50.5, abs=1.5)


def test_chrono_reaches_the_layers() -> None:
    i, f, c, o = np.split(chrono("lstm", 11, 30), 4)
    assert np.array_equal(i, -f) and 0 <= f.min() < f.max() <= math.log(10) and not c.any() and not o.any()
    (z, r, n), state = np.split(chrono("gru", 11, 30)[0], 3), chrono("gru", 11, 30)[1]
    assert 0 <= z.min() < z.max() <= math.log(10) and not r.any() and not n.any() and not state.any()


def test_the_shortest_chrono() -> None:
    assert not chrono("lstm", 2, 5).any() and not chrono("gru", 2, 5).any(), "ln 1"


@pytest.mark.parametrize("name", ["lstm", "gru"])
@pytest.mark.parametrize("start", [{"bias": 8.0}, {"init": "chrono", "longest": 10**6}])
def test_the_gate_that_opens_is_the_one_that_keeps(name: str, start: dict[str, Any]) -> None:
    """Fed by nothing, a state is nearly all there after ten steps; with the bias negative it would be gone."""
    keras.utils.set_random_seed(1)
    layer = built(name, 64, **start)
    layer.return_state = True
    layer.cell.recurrent_kernel.assign(np.zeros((64, GATES[name] * 64)))
    state = np.random.default_rng(0).normal(size=(1, 64)).astype(np.float32)
    states = [state] if name == "gru" else [np.zeros_like(state), state]
    *_, after = layer(np.zeros((1, 10, 2), np.float32), initial_state=states)
    assert np.mean(abs(np.asarray(after) - state)) < 0.02 * np.mean(abs(state))


@pytest.mark.parametrize(
    ("initializer", "shape"),
    [
        (OrthogonalPerGate(gain=0.5, seed=3), (4, 12)),
        (IdentityPerGate(), (4, 16)),
        (ForgetBias(2.5), (16,)),
        (KeepBias(2.5), (2, 12)),
        (Chrono(50, seed=3), (16,)),
        (KeepChrono(50, seed=3), (2, 12)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_they_come_back_from_their_configuration(initializer: Any, shape: tuple[int, ...]) -> None:
    again = keras.initializers.get(keras.initializers.serialize(initializer))
    assert type(again) is type(initializer)
    assert np.array_equal(again(shape, dtype="float32"), initializer(shape, dtype="float32"))


def test_the_gain_of_orthogonal_weights() -> None:
    first, second = (np.asarray(OrthogonalPerGate(gain=gain, seed=3)((4, 12))) for gain in (1.0, 0.5))
    assert second == pytest.approx(first / 2)


def test_a_copy_without_a_seed_is_drawn_anew() -> None:
    """As the layers of `Bidirectional` are: copies of one."""
    both = keras.layers.Bidirectional(cells.load("lstm").layer(16, False, "layer", init="chrono", longest=100))
    both.build((None, None, 2))
    forward, backward = both.forward_layer.get_weights()[2], both.backward_layer.get_weights()[2]
    assert not np.array_equal(forward, backward)
