"""cuDNN without a GPU: the graph that a GPU would run, and the numbers of a reference in its place."""

import importlib
from collections.abc import Iterator
from typing import Any

import cudnn_reference
import keras
import keras_tuner
import numpy as np
import pytest
import tensorflow as tf

from search_spaces import cells
from search_spaces.recurrent import RecurrentSpace

KINDS = [*((name, {}) for name in cells.names()), ("simple_rnn", {"activation": "relu"})]
UNITS, LENGTHS = 3, [4, 2, 1]
GPUS = tf.config.list_physical_devices("GPU")


def pair(name: str, more: dict[str, Any]) -> tuple[Any, Any]:
    """A layer with the kernel `cudnn` and Keras' own that never uses it, with the same weights."""
    kind = type(cells.load(name).layer(1, True, "any", "cudnn"))
    stock = getattr(keras.layers, {"simple_rnn": "SimpleRNN", "lstm": "LSTM", "gru": "GRU"}[name])
    keras.utils.set_random_seed(0)
    ours = kind(UNITS, bias_initializer="random_normal", **more)
    theirs = stock(UNITS, **more, **({} if name == "simple_rnn" else {"use_cudnn": False}))
    for layer in (ours, theirs):
        layer.build((None, None, 2))
    theirs.set_weights(ours.get_weights())
    ours.set_weights(theirs.get_weights())
    return ours, theirs


@pytest.fixture
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = importlib.import_module("keras.src.backend.tensorflow.rnn")
    monkeypatch.setattr(backend, "_is_gpu_available", lambda: True)


@pytest.fixture
def reference(as_on_a_gpu: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The reference in the op's place; the modes in which it was called."""
    called = []

    def op(**given: Any) -> Any:
        called.append(given["rnn_mode"])
        return cudnn_reference.op(**given)

    monkeypatch.setattr(tf.raw_ops, "CudnnRNNV3", op)
    monkeypatch.setattr(tf.sysconfig, "get_build_info", lambda: {"is_cuda_build": True, "is_rocm_build": False})
    yield called


def outcome(layer: Any, x: tf.Tensor, states: list[tf.Tensor], mask: Any, every: bool) -> list[np.ndarray]:
    """Outputs, last states, and the gradients of x, the first states and the weights."""
    weights = [variable.value for variable in layer.trainable_variables]
    with tf.GradientTape() as tape:
        tape.watch([x, *states])
        output, *ends = layer(x, initial_state=states, mask=mask, training=True)
        if every and mask is not None:  # what stands behind a sequence's end is nobody's concern
            output = tf.where((mask[:, ::-1] if layer.go_backwards else mask)[..., None], output, 0.0)
        size = tf.reduce_sum(tf.sin(output * tf.range(1.0, UNITS + 1)))
        size += sum(tf.reduce_sum(end**2) for end in ends)
    return [np.asarray(part) for part in (output, *ends, *tape.gradient(size, [x, *states, *weights]))]


def check(name: str, more: dict[str, Any], every: bool, masked: bool, backwards: bool) -> None:
    layers = pair(name, {**more, "return_sequences": every, "return_state": True, "go_backwards": backwards})
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(size=(len(LENGTHS), max(LENGTHS), 2)), tf.float32)
    states = [tf.constant(rng.normal(size=(3, UNITS)), tf.float32) for _ in range(2 if name == "lstm" else 1)]
    mask = tf.sequence_mask(LENGTHS) if masked else None
    found, expected = (outcome(layer, x, states, mask, every) for layer in layers)
    assert len(found) == len(expected) >= 6
    for one, other in zip(found, expected, strict=True):
        assert one == pytest.approx(other, abs=1e-5)


# First LSTM and GRU, whose weights Keras itself packs for the op: so the reference is proven. Then SimpleRNN.
@pytest.mark.parametrize(("name", "more"), sorted(KINDS, key=lambda kind: kind[0] == "simple_rnn"))
@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
def test_the_reference_computes_what_keras_loop_does(
    reference: list[str], name: str, more: dict[str, Any], every: bool, masked: bool, backwards: bool
) -> None:
    check(name, more, every, masked, backwards)
    assert reference == [{"simple_rnn": f"rnn_{more.get('activation', 'tanh')}"}.get(name, name)]


@pytest.mark.gpu
@pytest.mark.skipif(not GPUS, reason="no GPU")
@pytest.mark.parametrize(("name", "more"), KINDS)
@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_the_op_computes_what_keras_loop_does(name: str, more: dict[str, Any], every: bool, masked: bool) -> None:
    check(name, more, every, masked, False)


@pytest.mark.gpu
@pytest.mark.skipif(not GPUS, reason="no GPU")
@pytest.mark.parametrize(("name", "more"), KINDS)
def test_the_op_in_mixed_precision(name: str, more: dict[str, Any]) -> None:
    ours, theirs = pair(name, {**more, "dtype": "mixed_float16"})
    x = np.random.default_rng(0).normal(size=(3, 5, 2)).astype(np.float16)
    assert np.asarray(ours(x), np.float32) == pytest.approx(np.asarray(theirs(x), np.float32), abs=5e-3)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_without_a_gpu_it_is_keras_loop(activation: str) -> None:
    if GPUS:
        pytest.skip("there is a GPU")
    check("simple_rnn", {"activation": activation}, every=True, masked=True, backwards=False)


def test_a_mask_that_is_not_right_padded_is_refused(reference: list[str]) -> None:
    layer, _ = pair("simple_rnn", {})
    mask = tf.constant([[True, True], [False, True]])
    with pytest.raises(tf.errors.InvalidArgumentError, match="right-padded"):
        layer(tf.zeros((2, 2, 2)), mask=mask)
    assert reference == []


def test_what_cudnn_cannot_compute_is_left_to_keras(reference: list[str]) -> None:
    for more in ({"activation": "sigmoid"}, {"use_bias": False}, {"recurrent_dropout": 0.5}, {"unroll": True}):
        kind = type(cells.load("simple_rnn").layer(1, True, "any", "cudnn"))
        assert kind(UNITS, **more)(tf.zeros((2, 4, 2))).shape == (2, UNITS)
    assert reference == []


def operations(graph: Any) -> set[str]:
    """The types of all operations of a graph and of the functions that it calls."""
    definition = graph.as_graph_def()
    inside = [node.op for function in definition.library.function for node in function.node_def]
    return {*inside, *(node.op for node in definition.node)}


def traced(model: keras.Model, loss: Any) -> set[str]:
    """The operations of a training step."""
    shape = [2, 5, *model.inputs[0].shape[2:]]

    @tf.function
    def train(x: tf.Tensor) -> Any:
        with tf.GradientTape() as tape:
            output = model(x, training=True)
            size = loss(tf.zeros_like(output), output)
        return tape.gradient(size, model.trainable_weights)

    return operations(train.get_concrete_function(tf.TensorSpec(shape, model.inputs[0].dtype)).graph)


@pytest.mark.parametrize("cell", cells.names())
@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("padding", [None, 0.0])
def test_every_point_of_the_default_space_runs_on_cudnn(
    as_on_a_gpu: None, cell: str, depth: int, padding: float | None
) -> None:
    space = RecurrentSpace(features=2, outputs=1, loss="mse", gpus=1, padding=padding)
    hp = keras_tuner.HyperParameters()
    hp.values = {"depth": depth, "cell": cell, "width": 16, "learning_rate": 0.001, "dropout": 0.0}
    assert space.kernel([(cell, 16)] * depth)[0] == "cudnn"
    found = traced(space.build(hp), keras.losses.MeanSquaredError())
    assert {"CudnnRNNV3", "CudnnRNNBackpropV3"} <= found
    assert not {operation for operation in found if "While" in operation or "TensorList" in operation}


def test_without_a_gpu_there_is_no_cudnn_in_the_graph() -> None:
    if GPUS:
        pytest.skip("there is a GPU")
    space = RecurrentSpace(features=2, outputs=1, loss="mse", gpus=1)
    found = traced(space.stack([("simple_rnn", 4)], 0.0), keras.losses.MeanSquaredError())
    assert "CudnnRNNV3" not in found and "While" in {operation.removeprefix("Stateless") for operation in found}
