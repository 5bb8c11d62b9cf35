"""A Keras model as a list of its layers in order, with the names of what each one reads and writes.

The formats that write a graph of their own, ONNX and LiteRT, begin with it. They know the layers that a search builds,
as stock Keras layers, and refuse any other one.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

INPUT = "x"
DECODER = "decoder_"  # begins the names of the layers of a decoder
KNOWN = ("Masking", "Embedding", "SimpleRNN", "LSTM", "GRU", "Bidirectional", "Dropout", "Dense", "Add", "Concatenate")
GATES = {"SimpleRNN": "h", "GRU": "zrh", "LSTM": "ifco"}  # the order in which Keras holds the gates' weights
ACTIVATIONS = {"SimpleRNN": ("tanh", "relu"), "GRU": ("tanh",), "LSTM": ("tanh",)}


class CannotWrite(Exception):
    """A format cannot hold a model. The text says why, in a few words."""


@dataclass(frozen=True)
class Called:
    """A layer, and the names of the tensors that it reads and writes."""

    layer: Any
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def kind(self) -> str:
        return type(self.layer).__name__


@dataclass(frozen=True)
class Weights:
    """The weights of a recurrent layer that reads in one direction.

    Args:
        kind: "SimpleRNN", "LSTM" or "GRU".
        activation: "tanh" or "relu".
        kernel, recurrent: `(gates, inputs, width)` and `(gates, width, width)`, by the name of the gate.
        bias: of the inputs, `(width,)` for each gate.
        recurrent_bias: of the states. Only a GRU has one; other cells have zeros here.
    """

    kind: str
    activation: str
    kernel: dict[str, np.ndarray]
    recurrent: dict[str, np.ndarray]
    bias: dict[str, np.ndarray]
    recurrent_bias: dict[str, np.ndarray]

    @property
    def width(self) -> int:
        return len(next(iter(self.bias.values())))

    @property
    def states(self) -> str:
        """The letters of its states: "h", and "c" for the cell of an LSTM."""
        return "hc" if self.kind == "LSTM" else "h"


def called(model: Any) -> list[Called]:
    """The layers of a model with one input and one output, in the order in which they are called.

    Raises CannotWrite for a layer that no search builds.
    """
    import keras

    if any(layer.name.startswith(DECODER) for layer in model.layers):
        raise CannotWrite("it has an encoder and a decoder")
    whole = keras.Model(model.inputs, model.outputs)  # a Sequential model has no graph of calls
    names: dict[int, str] = {}
    kept: list[Any] = []  # an id is sure only as long as its tensor lives
    found: list[Called] = []

    def call(layer: Any, *arguments: Any, **keywords: Any) -> Any:
        result = layer(*arguments, **keywords)
        if not isinstance(layer, keras.layers.Layer):  # it makes a mask, which each format makes in its own way
            return result
        read = tuple(names.get(id(tensor), INPUT) for tensor in keras.tree.flatten(arguments))
        written = [f"{layer.name}:{place}" for place, _ in enumerate(keras.tree.flatten(result))]
        for name, tensor in zip(written, keras.tree.flatten(result), strict=True):
            names[id(tensor)] = name
            kept.append(tensor)
        found.append(Called(model.get_layer(layer.name), read, tuple(written)))
        return result

    keras.models.clone_model(whole, call_function=call)
    for one in found:
        if one.kind not in KNOWN:
            raise CannotWrite(f"it has the layer {one.layer.name} ({one.kind})")
    return found


def recurrent(layer: Any) -> list[Weights]:
    """The weights of a recurrent layer; two for one that reads from both ends, forward first."""
    if type(layer).__name__ == "Bidirectional":
        return [_weights(layer.forward_layer), _weights(layer.backward_layer)]
    return [_weights(layer)]


def is_recurrent(layer: Any) -> bool:
    return type(layer).__name__ in (*GATES, "Bidirectional")


def _weights(layer: Any) -> Weights:
    kind, activation = type(layer).__name__, layer.get_config()["activation"]
    if activation not in ACTIVATIONS[kind] or layer.get_config().get("recurrent_activation", "sigmoid") != "sigmoid":
        raise CannotWrite(f"{layer.name} has the activation {activation}")
    kernel, recurrent_kernel, bias = (np.asarray(weight) for weight in layer.get_weights())
    if kind == "GRU":  # reset_after: one bias for the inputs and one for the states
        bias, recurrent_bias = bias
    else:
        recurrent_bias = np.zeros_like(bias)
    arrays = (kernel, recurrent_kernel, bias, recurrent_bias)
    return Weights(kind, activation, *({**_by_gate(array, GATES[kind])} for array in arrays))


def _by_gate(array: np.ndarray, gates: str) -> dict[str, np.ndarray]:
    return dict(zip(gates, np.split(array, len(gates), axis=-1), strict=True))
