"""A model as anybody can load it: of stock Keras layers and initialisers alone."""

from typing import Any

import keras

# What stands for an initialiser of ours: the weights that it has made are in the model.
STOCK = {"recurrent_initializer": "orthogonal", "bias_initializer": "zeros"}


def plain(model: keras.Model) -> keras.Model:
    """A copy of `model` with the same weights, compiled as it is, that needs nothing of this project."""
    copy = keras.models.clone_model(model, clone_function=stock)
    copy.set_weights(model.get_weights())
    if model.compiled:
        copy.compile_from_config(model.get_compile_config())
    return copy


def stock(layer: keras.layers.Layer) -> keras.layers.Layer:
    """The Keras layer that `layer` is, with new weights."""
    if isinstance(layer, keras.layers.Bidirectional):
        inner, back = stock(layer.forward_layer), stock(layer.backward_layer)
        return keras.layers.Bidirectional(inner, layer.merge_mode, backward_layer=back, name=layer.name)
    kind: Any = next(base for base in type(layer).__mro__ if base.__module__.startswith("keras."))
    config = layer.get_config()
    ours = {name for name in STOCK if name in config and not config[name]["module"].startswith("keras.")}
    return kind.from_config({**config, **{name: STOCK[name] for name in ours}})
