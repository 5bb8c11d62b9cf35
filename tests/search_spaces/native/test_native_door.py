"""The kernel `native` in TensorFlow and Keras: the same as Keras' own loop, and no two tensors share their memory."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from support.cells import UNITS, check_computes_as_keras, check_saved_as_stock_keras, pair

from search_spaces import cells
from search_spaces.kernels import cells_with
from search_spaces.native import sequence
from search_spaces.native.layers import Native, reads_data
from search_spaces.recurrent import RecurrentSpace

KINDS = [*((name, {}) for name in cells_with("native")), ("simple_rnn", {"activation": "relu"})]


@pytest.mark.parametrize(("name", "more"), KINDS)
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
def test_it_is_what_keras_computes(
    name: str, more: dict[str, Any], sequences: bool, masked: bool, backwards: bool
) -> None:
    check_computes_as_keras(name, "native", more, sequences, masked, backwards)


@pytest.mark.parametrize("cell", cells_with("native"))
def test_a_model_reads_from_both_ends(cell: str) -> None:
    found = []
    for kernel in ("native", "loop"):
        keras.utils.set_random_seed(0)
        layer = keras.layers.Bidirectional(cells.load(cell).layer(UNITS, True, "both", kernel))
        found.append(np.asarray(layer(tf.constant(np.random.default_rng(0).normal(size=(3, 6, 2)), tf.float32))))
    assert found[0] == pytest.approx(found[1], abs=2e-5)


@pytest.mark.parametrize("cell", cells_with("native"))
def test_a_model_trains_alike_and_is_saved_as_stock_keras(cell: str, tmp_path: Path) -> None:
    import keras_tuner

    rng = np.random.default_rng(0)
    x, y = rng.random((48, 9, 2), np.float32), rng.random((48, 1), np.float32)
    losses, models = [], []
    for asked in ("loop", "native"):
        space, hp = RecurrentSpace(features=2, outputs=1, loss="mse", asked=asked), keras_tuner.HyperParameters()
        hp.values = {"depth": 2, "cell": cell, "width": 6, "learning_rate": 0.01}
        keras.utils.set_random_seed(0)
        models.append(space.build(hp))
        models[-1].run_eagerly = asked == "loop"  # tracing the loop takes longer than its few short steps
        losses.append(models[-1].fit(x, y, batch_size=16, epochs=3, shuffle=False, verbose=0).history["loss"])
    assert [layer.of_inputs for layer in models[1].layers if isinstance(layer, Native)] == [False, True]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    check_saved_as_stock_keras(models[1], x, tmp_path / "model.keras")


@pytest.mark.parametrize("cell", cells_with("native"))
def test_xla_is_not_asked_to_compile_it(cell: str) -> None:
    """On a machine with a GPU Keras would let XLA compile a model whose layers all allow it."""
    assert not cells.load(cell).layer(UNITS, False, "layer", "native").supports_jit


def test_a_layer_that_reads_data_has_no_gradient_of_its_inputs() -> None:
    layer, x = pair("gru", "native", {})[0], tf.ones((3, 4, 2))
    reads_data(layer)
    with tf.GradientTape() as tape:
        tape.watch(x)
        size = tf.reduce_sum(layer(x))
    of_x, *of_weights = tape.gradient(size, [x, *(part.value for part in layer.trainable_variables)])
    assert of_x is None and all(part is not None for part in of_weights)
    assert type(layer).from_config(layer.get_config()).of_inputs, "a copy has it again"


def two_layers(x: tf.Tensor) -> list[tf.Tensor]:
    """Two calls of one layer on different inputs, whose results are both read after both calls."""
    layer = pair("gru", "native", {"return_sequences": True})[0]
    return [*traced(lambda x: [layer(x), layer(2 * x)])(x)]


def two_models(x: tf.Tensor) -> list[tf.Tensor]:
    layers = [pair(name, "native", {"return_sequences": True})[0] for name in ("gru", "lstm")]
    return [*traced(lambda x: [layer(factor * x) for factor in (1, 2) for layer in layers])(x)]


def gradients_of_two_calls(x: tf.Tensor) -> list[tf.Tensor]:
    layer = pair("lstm", "native", {"return_sequences": True})[0]

    def run(x: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            found = tf.reduce_sum(layer(x) ** 2 * layer(2 * x))  # both passes back need both passes forward
        return list(tape.gradient(found, [x, *(part.value for part in layer.trainable_variables)]))

    return [*traced(run)(x)]


def mapped(x: tf.Tensor) -> list[tf.Tensor]:
    layer = pair("gru", "native", {"return_sequences": True})[0]
    return [traced(lambda x: tf.map_fn(lambda part: layer(part[None])[0], x))(x)]


def two_threads(x: tf.Tensor) -> list[tf.Tensor]:
    layer, found = pair("gru", "native", {"return_sequences": True})[0], dict[int, list[Any]]()
    run = traced(layer)

    def work(number: int) -> None:
        found[number] = [run((number + 1) * x) for _ in range(5)]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [*found[0], *found[1]]


def traced(function: Any) -> Any:
    """As training runs it. Outside of a graph TensorFlow copies more."""
    return tf.function(function, autograph=False)


Calls = Callable[[tf.Tensor], list[tf.Tensor]]
CALLS = [two_layers, two_models, gradients_of_two_calls, mapped, two_threads]


def copied(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """The results of the calls where TensorFlow copies whatever it gets, since the memory is not aligned."""

    def unaligned(*shape: int) -> np.ndarray:
        return np.empty(4 * int(np.prod(shape)) + 68, np.uint8)[4:-64].view(np.float32).reshape(shape)

    monkeypatch.setattr(sequence, "new", unaligned)
    return [np.array(part) for part in calls(data())]


def data() -> tf.Tensor:
    return tf.constant(np.random.default_rng(0).normal(size=(8, 16, 2)), tf.float32)


@pytest.mark.parametrize("calls", CALLS)
def test_no_two_tensors_share_memory(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [np.array(part) for part in calls(data())]
    for one, other in zip(found, copied(calls, monkeypatch), strict=True):
        assert np.array_equal(one, other)


def test_a_pool_of_one_buffer_for_each_shape_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The calls of the test above find buffers that are used again too early."""
    pool: dict[tuple[int, ...], np.ndarray] = {}
    new = sequence.new
    monkeypatch.setattr(sequence, "new", lambda *shape: pool.setdefault(shape, new(*shape)))
    wrong = {calls: [np.array(part) for part in calls(data())] for calls in CALLS}
    for calls in CALLS:
        pool.clear()
        same = [np.array_equal(*both) for both in zip(wrong[calls], copied(calls, monkeypatch), strict=True)]
        assert not all(same), calls.__name__


def test_memory_is_aligned_as_tensorflow_needs_it() -> None:
    for shape in ((1,), (3, 5), (7, 11, 13)):
        found = sequence.new(*shape)
        assert found.shape == shape and found.ctypes.data % 64 == 0 and found.flags.c_contiguous
