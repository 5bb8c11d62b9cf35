"""Layers that read data, and no outputs of other layers."""

import keras


def reads_data(layer: keras.layers.Layer) -> None:
    """Tells a recurrent layer that nobody asks for the gradient of its inputs; the kernel `native` then leaves it out.

    A copy of the layer by its configuration has the gradient again.
    """
    for part in ("forward_layer", "backward_layer"):
        getattr(layer, part, layer).of_inputs = False
