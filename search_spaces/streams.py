"""Models that carry their state from one call to the next."""

import keras

from search_spaces.native.layers import Native, reads_data


def carrying(model: keras.Model, streams: int, steps: int | None) -> keras.Model:
    """A copy of `model` whose recurrent layers keep their state between calls, with the same compilation.

    It reads `(streams, steps)` or `(streams, steps, features)`. Row i of a call continues row i of the call before;
    `reset` begins new rows. No layer reads backwards. The weights are copied, not shared; see `copy_weights`.
    """
    first = keras.Input(batch_shape=(streams, steps, *model.input_shape[2:]), dtype=model.inputs[0].dtype)
    if isinstance(model, keras.Sequential):
        copy = keras.Sequential([first, *(_stateful(layer) for layer in model.layers)])
    else:
        inputs = keras.tree.map_structure(lambda _: first, model.input)
        copy = keras.models.clone_model(model, input_tensors=inputs, clone_function=_stateful)
    if model.compiled:
        copy.compile_from_config(model.get_compile_config())
    copy_weights(model, copy)
    return copy


def _stateful(layer: keras.layers.Layer) -> keras.layers.Layer:
    config = layer.get_config()
    if isinstance(layer, keras.layers.RNN):
        config["stateful"] = True
    copy: keras.layers.Layer = type(layer).from_config(config)
    if isinstance(layer, Native) and not layer.of_inputs:
        reads_data(copy)
    return copy


def states(model: keras.Model) -> list[keras.Variable]:
    """The states of the recurrent layers of a model made by `carrying`, each `(streams, width)`."""
    return [state for layer in model.layers if isinstance(layer, keras.layers.RNN) for state in layer.states]


def reset(model: keras.Model) -> None:
    """Sets the state of every recurrent layer to zero."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.RNN):
            layer.reset_state()


def copy_weights(source: keras.Model, target: keras.Model) -> None:
    """Gives `target` the trained weights of `source`, but not its states and random seeds."""
    for old, new in zip(source.trainable_variables, target.trainable_variables, strict=True):
        new.assign(old)
