"""Layers of the cells as tests make them, and what they compute with constant weights."""

from typing import Any

import keras
import numpy as np

from search_spaces import cells


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
