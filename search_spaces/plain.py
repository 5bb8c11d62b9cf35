"""A model that anybody can load: it has only stock Keras layers, initialisers and losses."""

from typing import Any

import keras

# These replace initialisers of ours. The model holds the weights, so its initialisers are not called again.
STOCK = {"recurrent_initializer": "orthogonal", "bias_initializer": "zeros"}


def plain(model: keras.Model) -> keras.Model:
    """A copy of `model` with the same weights and the same compilation that needs nothing of this project."""
    copy = keras.models.clone_model(model, clone_function=stock)
    copy.set_weights(model.get_weights())
    if model.compiled:
        config = model.get_compile_config()
        if isinstance(model.loss, keras.losses.Loss):
            config["loss"] = keras.saving.serialize_keras_object(_stock_loss(model.loss))
        copy.compile_from_config(config)
    return copy


def stock(layer: keras.layers.Layer) -> keras.layers.Layer:
    """A stock Keras layer with new weights. A layer of ours becomes one of its Keras base class."""
    if isinstance(layer, keras.layers.Bidirectional):
        inner, back = stock(layer.forward_layer), stock(layer.backward_layer)
        return keras.layers.Bidirectional(inner, layer.merge_mode, backward_layer=back, name=layer.name)
    config = layer.get_config()
    ours = {name for name in STOCK if name in config and not config[name]["module"].startswith("keras.")}
    return _keras_type(layer).from_config({**config, **{name: STOCK[name] for name in ours}})


def _stock_loss(loss: keras.losses.Loss) -> keras.losses.Loss:
    """A stock loss. That of a loss of ours weighs every answer alike, unless `fit` is given weights."""
    return _keras_type(loss).from_config(loss.get_config())


def _keras_type(one: Any) -> Any:
    return next(base for base in type(one).__mro__ if base.__module__.startswith("keras."))
