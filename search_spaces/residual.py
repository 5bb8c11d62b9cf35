"""Recurrent layers with residual connections: from the second layer on, a layer's input is added to its output.

The connections are those of Wu et al. 2016, arXiv:1609.08144. Where two layers differ in width, a linear map without
bias brings the input to the width of the output (He et al. 2016, arXiv:1512.03385).
"""

from typing import Any

import keras


def add_up(x: Any, stack: list[keras.layers.Layer]) -> Any:
    """The output of a stack of layers for x `(batch, time, features)`.

    Args:
        stack: layers that make features of x, recurrent layers with dropout between them, and a head. If the last
            recurrent layer returns no sequence, the others also return their state.

    Dropout acts on the input of a layer. The connection adds the input without dropout.
    """
    read, end, number = x, None, 0  # `read` is x after dropout; `end` is x at the last real step
    for layer in stack:
        if not isinstance(layer, keras.layers.RNN | keras.layers.Bidirectional):
            read = layer(x)
            x = x if isinstance(layer, keras.layers.Dropout) else read
            continue
        number += 1
        out, *states = layer(read) if layer.return_state else [layer(read)]
        state = _end(layer, states) if states else None
        if number > 1:
            skip = _skip(number, x.shape[-1], out.shape[-1])
            out = keras.layers.Add(name=f"add_{number}")([skip(x if layer.return_sequences else end), out])
            state = keras.layers.Add(name=f"end_{number}")([skip(end), state]) if states else None
        read, x, end = out, out, state
    return x


def _end(layer: keras.layers.Layer, states: list[Any]) -> Any:
    """The output at the last real step, also of a padded sequence: it is the state."""
    if not isinstance(layer, keras.layers.Bidirectional):
        return states[0]
    return keras.layers.Concatenate(name=f"{layer.name}_end")([states[0], states[len(states) // 2]])


def _skip(number: int, width: int, wanted: int) -> Any:
    """Brings the input of a layer to the width that is wanted."""
    return keras.layers.Dense(wanted, use_bias=False, name=f"skip_{number}") if width != wanted else lambda x: x
