"""A model that anybody can load: it has only stock Keras layers and initialisers."""

from typing import Any

import keras

# These replace initialisers of ours. The model holds the weights, so its initialisers are not called again.
STOCK = {"recurrent_initializer": "orthogonal", "bias_initializer": "zeros"}


def plain(model: keras.Model) -> keras.Model:
    """A copy of `model` with the same weights and the same compilation that needs nothing of this project."""
    copy = keras.models.clone_model(model, clone_function=stock)
    copy.set_weights(model.get_weights())
    if model.compiled:
        copy.compile_from_config(model.get_compile_config())
    return copy


def stock(layer: keras.layers.Layer) -> keras.layers.Layer:
    """A stock Keras layer with new weights. A layer of ours becomes one of its Keras base class."""
    if isinstance(layer, keras.layers.Bidirectional):
        inner, back = stock(layer.forward_layer), stock(layer.backward_layer)
        return keras.layers.Bidirectional(inner, layer.merge_mode, backward_layer=back, name=layer.name)
    kind: Any = next(base for base in type(layer).__mro__ if base.__module__.startswith("keras."))
    config = layer.get_config()
    ours = {name for name in STOCK if name in config and not config[name]["module"].startswith("keras.")}
    return kind.from_config({**config, **{name: STOCK[name] for name in ours}})
