"""The kernel `cudnn`, without a GPU: in the graphs of all candidates, and by a reference of what it computes.

On a GPU the same numbers come from the real operation: CUDA_VISIBLE_DEVICES=0 pytest -m gpu tests/search_spaces.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
import pytest
import tensorflow as tf
from support import cudnn_reference as reference
from support.cells import check_saved_as_stock_keras, outcome

from search_spaces import cells, cudnn
from search_spaces.bucketed import Bucketed
from search_spaces.kernels import cells_with
from search_spaces.recipe import Recipe
from search_spaces.recurrent import RecurrentSpace
from search_spaces.streams import carrying

KERAS = sys.modules["keras.src.backend.tensorflow.rnn"]  # where Keras decides for or against cuDNN
KINDS: list[tuple[str, dict[str, Any]]] = [
    ("lstm", {}),
    ("gru", {}),
    ("simple_rnn", {}),
    ("simple_rnn", {"activation": "relu"}),
]
RECIPE = Recipe(
    inits=("default", "orthogonal", "identity", "chrono"),
    biases=[0.0, 10.0],
    clips=[0.1, 1.0],
    optimizers=("adam", "rmsprop"),
    residual=(0, 1),
    bidirectional=(0, 1),
    longest=50,
)
# What a point of the space has beside cell, depth, width and initialisation: each is traced with every cell and depth.
CHOICES: list[dict[str, Any]] = [
    {"residual": 1},
    {"bidirectional": 1},
    {"residual": 1, "bidirectional": 1, "dropout": 0.5, "optimizer": "rmsprop", "clip": 0.1},
]
INPUTS: dict[str, dict[str, Any]] = {
    "features": {"features": 2},
    "padded features": {"features": 2, "padding": -1.0},
    "padded tokens": {"tokens": 5, "padding": 0},
    "every step": {"tokens": 5, "one_hot": True, "per_step": True},
}
UNITS, FEATURES, LENGTHS = 5, 2, [7, 4, 1]

every_kind = pytest.mark.parametrize(("name", "more"), KINDS, ids=["lstm", "gru", "tanh", "relu"])
DEPTHS = [
    pytest.param(depth, marks=pytest.mark.slow) if depth > 2 else depth for depth in RecurrentSpace(1, "mse", 1).depths
]
every_depth = pytest.mark.parametrize("depth", DEPTHS)
every_cell = pytest.mark.parametrize("cell", cells_with("cudnn"))


@pytest.fixture
def as_if_on_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keras and we find a GPU, and TensorFlow is built for CUDA."""
    monkeypatch.setattr(KERAS, "_is_gpu_available", lambda: True)
    monkeypatch.setattr(tf.sysconfig, "get_build_info", lambda: {"is_cuda_build": True, "is_rocm_build": False})


@pytest.fixture(params=["reference", pytest.param("gpu", marks=pytest.mark.gpu)])
def by_cudnn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """cuDNN's operation: the reference in its place, and the real one; it must have been called without an error.

    After one Keras' LSTM and GRU silently go on with the loop.
    """
    operation, ran = tf.raw_ops.CudnnRNNV3, []
    if request.param == "reference":
        request.getfixturevalue("as_if_on_gpu")
        operation = reference.operation
    elif not tf.config.list_physical_devices("GPU"):
        pytest.skip("TensorFlow finds no GPU; tests hide it unless CUDA_VISIBLE_DEVICES is set")

    def counted(**given: Any) -> Any:
        found = operation(**given)
        ran.append(given["rnn_mode"])
        return found

    monkeypatch.setattr(tf.raw_ops, "CudnnRNNV3", counted)
    tf.config.experimental.enable_tensor_float_32_execution(False)  # as a search does
    yield
    assert ran


def point(cell: str, depth: int, **more: Any) -> keras_tuner.HyperParameters:
    hp = keras_tuner.HyperParameters()
    hp.values = {"depth": depth, "cell": cell, "width": 6, "learning_rate": 0.01, **more}
    return hp


def operations(model: keras.Model, x: Any = None, answers: tuple[int | None, ...] = ()) -> list[str]:
    """The types of all operations of a training step, those of functions that it calls included.

    Args:
        x, answers: what the model reads and the shape of the answers, if it does not say so itself.
    """
    model.optimizer.build(model.trainable_variables)
    x = x or tf.TensorSpec(model.input_shape, model.inputs[0].dtype)
    logits = isinstance(model.loss, keras.losses.SparseCategoricalCrossentropy)
    y = tf.TensorSpec(answers or model.output_shape[:-1], tf.int32) if logits else tf.TensorSpec(model.output_shape)
    step = tf.function(lambda x, y: model.train_step((x, y)), autograph=False)
    graph = step.get_concrete_function(x, y).graph.as_graph_def()
    inner = [node for function in graph.library.function for node in function.node_def]
    return [node.op for node in (*graph.node, *inner)]


def check_all_is_cudnn(model: keras.Model, layers: int, *read: Any) -> None:
    found = operations(model, *read)
    assert found.count("CudnnRNNV3") == found.count("CudnnRNNBackpropV3") == layers
    assert not [name for name in found if "While" in name or "TensorList" in name]
    recurrent = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.RNN)]
    assert len(recurrent) >= layers and not any(layer.supports_jit for layer in recurrent), "XLA would fail on a GPU"


@every_cell
@every_depth
@pytest.mark.parametrize("given", INPUTS)
def test_every_point_of_the_space_uses_cudnn(as_if_on_gpu: None, cell: str, depth: int, given: str) -> None:
    space = RecurrentSpace(outputs=2, loss="mse", gpus=1, **INPUTS[given])
    assert space.kernel([(cell, 6)] * depth)[0] == "cudnn"
    check_all_is_cudnn(space.build(point(cell, depth)), depth)


@every_depth
@pytest.mark.parametrize(
    ("cell", "init"), [(cell, init) for cell in cells_with("cudnn") for init in cells.facts(cell).inits]
)
def test_every_initialisation_uses_cudnn(as_if_on_gpu: None, cell: str, init: str, depth: int) -> None:
    space = RecurrentSpace(outputs=2, loss="mse", features=2, recipe=RECIPE, gpus=1)
    hp = point(cell, depth, **{f"init_{cell}": init})
    model = space.build(hp)
    assert hp.get(f"init_{cell}") == init
    check_all_is_cudnn(model, depth)


@every_cell
@every_depth
@pytest.mark.parametrize("more", CHOICES, ids=str)
def test_every_recipe_uses_cudnn(as_if_on_gpu: None, cell: str, depth: int, more: dict[str, Any]) -> None:
    space = RecurrentSpace(outputs=2, loss="mse", features=2, padding=-1.0, recipe=RECIPE, dropout=[0.0, 0.5], gpus=1)
    check_all_is_cudnn(space.build(point(cell, depth, **more)), depth * (1 + ("bidirectional" in more)))


@every_cell
@every_depth
@pytest.mark.parametrize("attention", ["none", "dot"])
def test_an_encoder_and_a_decoder_use_cudnn(as_if_on_gpu: None, cell: str, depth: int, attention: str) -> None:
    sizes: dict[str, Any] = {"tokens": 7, "padding": 0, "per_step": True, "source_steps": 5}
    space = RecurrentSpace(6, "categorical", attention=("none", "dot"), dropout=[0.0, 0.5], gpus=1, **sizes)
    check_all_is_cudnn(space.build(point(cell, depth, attention=attention, dropout=0.5)), 2 * depth)


@every_cell
def test_a_batch_that_is_cut_uses_cudnn(as_if_on_gpu: None, cell: str) -> None:
    sizes: dict[str, Any] = {"tokens": 7, "padding": 0, "per_step": True, "source_steps": 5}
    space = RecurrentSpace(6, "categorical", attention=("none", "dot"), gpus=1, **sizes)
    model = Bucketed(space.build(point(cell, 1, attention="dot")), [(2, 3), (5, 4)])
    check_all_is_cudnn(model, 2, (tf.TensorSpec((None, 9), tf.int32), tf.TensorSpec((2,), tf.int32)), (None, 4))


@every_cell
def test_without_a_gpu_the_trace_has_a_loop(cell: str) -> None:
    model = RecurrentSpace(outputs=2, loss="mse", features=2, gpus=1).build(point(cell, 2))
    found = operations(model)
    assert "CudnnRNNV3" not in found and [name for name in found if "While" in name]


@every_cell
def test_models_that_carry_their_state_use_cudnn(as_if_on_gpu: None, cell: str) -> None:
    model = RecurrentSpace(outputs=5, loss="mse", tokens=5, per_step=True, gpus=1).build(point(cell, 2))
    check_all_is_cudnn(carrying(model, 3, 8), 2)


@pytest.mark.parametrize("mode", reference.GATES)
def test_the_gradients_of_the_reference_are_finite_differences(mode: str) -> None:
    rng, lengths = np.random.default_rng(0), np.array([5, 3])
    x, h, c = rng.normal(size=(2, 5, 3)), rng.normal(size=(2, 4)), rng.normal(size=(2, 4))
    vector = rng.normal(size=reference.GATES[mode] * 4 * (3 + 4 + 2)) / 2
    scales = rng.normal(size=(2, 5, 4)), rng.normal(size=(2, 4)), rng.normal(size=(2, 4))

    def size(*parts: np.ndarray) -> float:
        found = reference.forward(mode, *parts, lengths)
        return float(sum((scale * part).sum() for scale, part in zip(scales, found[:3], strict=True)))

    given = [x, h, c, vector]
    found = reference.backward(mode, x, vector, reference.forward(mode, *given, lengths)[3], *scales)
    for index, (part, gradient) in enumerate(zip(given, found, strict=True)):
        expected = np.zeros_like(part)
        for place in np.ndindex(part.shape):
            shift = np.zeros_like(part)
            shift[place] = 1e-6
            ends = [[*given[:index], part + sign * shift, *given[index + 1 :]] for sign in (1, -1)]
            expected[place] = (size(*ends[0]) - size(*ends[1])) / 2e-6
        assert gradient == pytest.approx(expected, abs=1e-7)


def pair(name: str, more: dict[str, Any], dtype: str) -> tuple[Any, Any]:
    """The same layer with the same weights, by `cudnn` and by Keras' loop in float32."""
    kind = type(cells.load(name).layer(1, True, "any", "cudnn"))
    keras.utils.set_random_seed(0)
    fast = kind(UNITS, bias_initializer="random_normal", dtype=dtype, **more)
    stock = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU, "simple_rnn": keras.layers.SimpleRNN}[name]
    slow = stock(UNITS, **more, **({} if name == "simple_rnn" else {"use_cudnn": False}))
    for layer in (fast, slow):
        layer.build((None, None, FEATURES))
    slow.set_weights(fast.get_weights())
    return fast, slow


@pytest.mark.usefixtures("untraced")
@every_kind
@pytest.mark.parametrize("dtype", ["float32", "mixed_float16"])
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
def test_it_is_what_keras_computes(
    by_cudnn: None, name: str, more: dict[str, Any], dtype: str, sequences: bool, masked: bool, backwards: bool
) -> None:
    layers = pair(name, {**more, "return_sequences": sequences, "return_state": True, "go_backwards": backwards}, dtype)
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(size=(len(LENGTHS), max(LENGTHS), FEATURES)), tf.float32)
    states = [tf.constant(rng.normal(size=(3, UNITS)), tf.float32) for _ in range(2 if name == "lstm" else 1)]
    mask = tf.sequence_mask(LENGTHS) if masked else None
    scored = mask if sequences else None  # at padded steps cuDNN puts out zeros, Keras' loop the output before
    if scored is not None and backwards:
        scored = tf.reverse(scored, [1])
    found, expected = (outcome(layer, x, states, mask, scored) for layer in layers)
    assert len(found) == len(expected) >= 6
    tolerance = {"float32": {"abs": 2e-5}, "mixed_float16": {"abs": 2e-2, "rel": 2e-2}}[dtype]
    for one, other in zip(found, expected, strict=True):
        assert one == pytest.approx(other, **tolerance)


@every_kind
def test_it_was_cudnn(as_if_on_gpu: None, monkeypatch: pytest.MonkeyPatch, name: str, more: dict[str, Any]) -> None:
    """The layers of the test above do call the operation, once each."""
    modes = []

    def operation(**given: Any) -> Any:
        modes.append(given["rnn_mode"])
        return reference.operation(**given)

    monkeypatch.setattr(tf.raw_ops, "CudnnRNNV3", operation)
    for layer in pair(name, more, "float32"):
        layer(tf.zeros((1, 3, FEATURES)))
    assert modes == [name if name != "simple_rnn" else f"rnn_{more.get('activation', 'tanh')}"]


@every_cell
@pytest.mark.parametrize("mask", [[[False, True, True]], [[True, False, True]], [[False, False, False]]], ids=str)
def test_masks_that_cudnn_cannot_read_are_refused(by_cudnn: None, cell: str, mask: list[list[bool]]) -> None:
    layer = cells.load(cell).layer(UNITS, True, "layer", "cudnn")
    x = tf.zeros((1, 3, FEATURES))
    layer.build(x.shape)
    run = tf.function(lambda mask: layer(x, mask=mask), autograph=False)
    assert run(tf.constant([[True, True, False]])).shape == (1, 3, UNITS)
    with pytest.raises(tf.errors.InvalidArgumentError, match="right-padded sequences"):
        run(tf.constant(mask))


@pytest.mark.parametrize(
    "more",
    [{"activation": "sigmoid"}, {"use_bias": False}, {"unroll": True}, {"dropout": 0.5}, {"recurrent_dropout": 0.5}],
    ids=str,
)
def test_what_cudnn_cannot_compute_is_left_to_keras(as_if_on_gpu: None, more: dict[str, Any]) -> None:
    x = tf.random.stateless_normal((2, 3, FEATURES), (0, 0))
    ours, stock = (kind(UNITS, seed=0, **more) for kind in (cudnn.SimpleRNN, keras.layers.SimpleRNN))
    ours.build(x.shape)
    stock.build(x.shape)
    stock.set_weights(ours.get_weights())
    assert np.array_equal(ours(x, training=True), stock(x, training=True))


@pytest.mark.usefixtures("untraced")
@every_cell
@pytest.mark.parametrize("depth", [1, 2])
def test_models_train_alike_and_are_saved_as_stock_keras(by_cudnn: None, cell: str, depth: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.random((48, 9, 2), np.float32), rng.random((48, 1), np.float32)
    x[::3, 5:] = 0
    losses, models = [], []
    for gpus in (0, 1):
        space = RecurrentSpace(features=2, outputs=1, loss="mse", padding=0.0, gpus=gpus)
        keras.utils.set_random_seed(0)
        models.append(space.build(point(cell, depth)))
        if not gpus:
            models[0] = by_loop(models[0])
        losses.append(models[-1].fit(x, y, batch_size=16, epochs=3, shuffle=False, verbose=0).history["loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    check_saved_as_stock_keras(models[1], x, tmp_path / "model.keras")


def by_loop(model: keras.Model) -> keras.Model:
    """A copy whose gated layers leave cuDNN alone."""

    def looped(layer: Any) -> Any:
        config = layer.get_config()
        return type(layer).from_config({**config, "use_cudnn": False} if "use_cudnn" in config else config)

    copy = keras.models.clone_model(model, clone_function=looped)
    copy.set_weights(model.get_weights())
    copy.compile_from_config(model.get_compile_config())
    return copy


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_weights_are_exchanged_with_plain_keras(activation: str, tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(2, 5, FEATURES)).astype(np.float32)
    kinds = [cudnn.SimpleRNN, keras.layers.SimpleRNN]
    for one, other in (kinds, reversed(kinds)):
        models = []
        for kind in (one, other):
            layer = kind(UNITS, activation=activation, bias_initializer="random_normal", name="cell")
            models.append(keras.Sequential([keras.Input((None, FEATURES)), layer]))
        models[0].save_weights(tmp_path / "model.weights.h5")
        models[1].load_weights(tmp_path / "model.weights.h5")
        assert np.array_equal(models[0](x), models[1](x))
