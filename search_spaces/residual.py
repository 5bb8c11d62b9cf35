"""Recurrent layers with residual connections: from the second on, a layer's output and its input are added.

As in Wu et al. 2016, arXiv:1609.08144. Where two layers differ in width, a linear map without bias lies between (He et
al. 2016, arXiv:1512.03385).
"""

from typing import Any

import keras


def add_up(x: Any, stack: list[keras.layers.Layer]) -> Any:
    """The output of a stack of layers for x `(batch, time, features)`.

    Args:
        stack: layers that make features of x, recurrent ones with dropout between them, and a head. Of recurrent
            layers whose last one returns no sequence the others return their state, too. What dropout takes from
            the input of a layer is still added to its output.
    """
    read, end, number = x, None, 0  # `end` is x at the last real step, to which the output at that step is added
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
    """The output at the last real step, padding or not: the state."""
    if not isinstance(layer, keras.layers.Bidirectional):
        return states[0]
    return keras.layers.Concatenate(name=f"{layer.name}_end")([states[0], states[len(states) // 2]])


def _skip(number: int, width: int, wanted: int) -> Any:
    return keras.layers.Dense(wanted, use_bias=False, name=f"skip_{number}") if width != wanted else lambda x: x
