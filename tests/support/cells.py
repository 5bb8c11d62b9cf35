"""Layers of the cells as tests make them, what they compute, and how models with them are saved."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from search_spaces import cells
from search_spaces.plain import plain

UNITS, LENGTHS = 5, [7, 4, 1]  # of a layer, and of the sequences of a batch


def built(
    name: str, width: int = 2, return_sequences: bool = True, features: int = 1, kernel: str = "loop", **start: Any
) -> keras.layers.Layer:
    layer = cells.load(name).layer(width, return_sequences, "layer", kernel, **start)
    layer.build((None, None, features))
    return layer


def output(layer: keras.layers.Layer, x: np.ndarray) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(layer(x)))


def two_steps(name: str, bias: Any, kernel: str) -> np.ndarray:
    """The outputs `(2, 2)` of two units that read x = 1, then x = 2.

    Every input weight is 0.5 and every recurrent weight 0.25, so both units hold the same h and their products with
    weights add up to a[t] = 0.5 x[t] + 0.5 h[t-1]. `bias` has one number for each gate, which tells the gates apart.
    """
    layer = built(name, kernel=kernel)
    of_inputs, recurrent, _ = layer.get_weights()
    layer.set_weights([np.full_like(of_inputs, 0.5), np.full_like(recurrent, 0.25), np.repeat(bias, 2, axis=-1)])
    return output(layer, np.array([[[1.0], [2.0]]], np.float32))[0]


def outcome(layer: Any, x: tf.Tensor, states: list[tf.Tensor], mask: Any, scored: Any = None) -> list[np.ndarray]:
    """The outputs where `scored`, the last states, and the gradients of x, the first states and the weights."""
    weights = [variable.value for variable in layer.trainable_variables]
    with tf.GradientTape() as tape:
        tape.watch([x, *states])
        output, *ends = (tf.cast(part, tf.float32) for part in layer(x, initial_state=states, mask=mask))
        output = tf.where(scored[..., None], output, 0) if scored is not None else output
        size = tf.reduce_sum(tf.sin(output * tf.range(1.0, output.shape[-1] + 1)))
        size += sum(tf.reduce_sum(end**2) for end in ends)
    return [np.asarray(part) for part in (output, *ends, *tape.gradient(size, [x, *states, *weights]))]


def pair(name: str, kernel: str, more: dict[str, Any]) -> tuple[Any, Any]:
    """The same layer with the same weights, by a kernel and by `loop`."""
    kinds = [type(cells.load(name).layer(1, True, "any", how)) for how in (kernel, "loop")]
    assert not kinds[0].__module__.startswith("keras.") and kinds[1].__module__.startswith("keras.")
    keras.utils.set_random_seed(0)
    by_kernel, by_loop = (kind(UNITS, bias_initializer="random_normal", **more) for kind in kinds)
    for layer in (by_kernel, by_loop):
        layer.build((None, None, 2))
    by_loop.set_weights(by_kernel.get_weights())
    return by_kernel, by_loop


def check_computes_as_keras(
    name: str, kernel: str, more: dict[str, Any], sequences: bool, masked: bool, backwards: bool
) -> None:
    """Outputs, last states and every gradient of a layer are those of Keras' own."""
    returns = {"return_sequences": sequences, "return_state": True, "go_backwards": backwards}
    layers = pair(name, kernel, {**more, **returns})
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(size=(len(LENGTHS), max(LENGTHS), 2)), tf.float32)
    states = [tf.constant(rng.normal(size=(3, UNITS)), tf.float32) for _ in range(2 if name == "lstm" else 1)]
    mask = tf.sequence_mask(LENGTHS) if masked else None
    if masked and backwards and sequences:
        # Padding comes first: Keras' outputs are zeros until the first real step, not the first state, which is zero.
        found, expected = (outcome(layer, x, [0 * state for state in states], mask) for layer in layers)
        gradients = slice(2 + len(states), 2 + 2 * len(states))
        assert [part.shape for part in found[gradients]] == [(3, UNITS)] * len(states)
        del found[gradients], expected[gradients]
    else:
        found, expected = (outcome(layer, x, states, mask) for layer in layers)
    assert len(found) == len(expected) >= 6
    for one, other in zip(found, expected, strict=True):
        assert one == pytest.approx(other, abs=2e-5)


def check_saved_as_stock_keras(model: keras.Model, x: np.ndarray, file: Path) -> None:
    """The file of a model has only layers of Keras itself, and the loaded model computes the same."""
    stock = plain(model)
    assert all(type(layer).__module__.startswith("keras.") for layer in stock.layers)
    stock.save(file)
    # Models are called as functions, since `predict` would trace both for one short batch.
    loaded, own = (np.asarray(one(x)) for one in (keras.models.load_model(file), model))
    assert loaded == pytest.approx(own, abs=1e-6)
