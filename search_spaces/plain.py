"""A model as anybody can load it: of stock Keras layers alone."""

from typing import Any

import keras


def plain(model: keras.Model) -> keras.Model:
    """A copy of `model` with the same weights, compiled as it is, that needs nothing of this project."""
    copy = keras.models.clone_model(model, clone_function=_stock)
    copy.set_weights(model.get_weights())
    if model.compiled:
        copy.compile_from_config(model.get_compile_config())
    return copy


def _stock(layer: keras.layers.Layer) -> keras.layers.Layer:
    stock: Any = next(base for base in type(layer).__mro__ if base.__module__.startswith("keras."))
    return stock.from_config(layer.get_config())
