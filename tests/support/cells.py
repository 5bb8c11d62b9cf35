"""Layers of the cells as tests make them, what they compute, and how models with them are saved."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from search_spaces import cells
from search_spaces.plain import plain


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


def check_saved_as_stock_keras(model: keras.Model, x: np.ndarray, file: Path) -> None:
    """The file of a model has only layers of Keras itself, and the loaded model computes the same."""
    stock = plain(model)
    assert all(type(layer).__module__.startswith("keras.") for layer in stock.layers)
    stock.save(file)
    # Models are called as functions, since `predict` would trace both for one short batch.
    loaded, own = (np.asarray(one(x)) for one in (keras.models.load_model(file), model))
    assert loaded == pytest.approx(own, abs=1e-6)
