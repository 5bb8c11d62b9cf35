"""LiteRT, for phones and microcontrollers: one step, and if a length is given, whole sequences of that length.

`model-step.tflite` is (x, states) -> (output, states) for one sequence. `model-T.tflite` reads `(1, T, features)`, or
tokens `(1, T)`. Both have built-in operators alone, so that no Flex delegate is needed: the steps are written here as
matrix products and elementwise functions, since the converter makes loops and tensor lists of Keras' own layers.

A converter that is given a concrete function leaves the weights as unset variables, and every output is NaN. So both
are converted from a SavedModel, and a file with variables is refused.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from tracking.deploy.layers import INPUT, Called, CannotWrite, Weights, called, is_recurrent, recurrent
from tracking.formats import Wanted

EXTRA = "litert"
RUNTIME = ("ai_edge_litert",)
MODULES = ("ai_edge_litert", "tensorflow")
BLOCKED = ("tensorflow", "keras")
FURTHER = "litert-whole"
MEANT = "phones and microcontrollers"
STEP = "model-step.tflite"
VARIABLES = b"VAR_HANDLE"

States = list[Any]


def write(model: Any, folder: Path, wanted: Wanted) -> list[str]:
    """Writes the files; returns their names. Raises CannotWrite for a model without a step.

    "float16" stores weights of half the size. "int8" stores weights of a quarter; the states stay floats.
    """
    layers = called(model)
    if any(one.kind == "Bidirectional" for one in layers):
        raise CannotWrite("it reads from both ends, so it has no step")
    step = Step(model, layers)
    _convert(step, step.function(), folder / STEP, wanted.quantize)
    if not wanted.length:
        return [STEP]
    name = f"model-{wanted.length}.tflite"
    _convert(step, step.unrolled(wanted.length), folder / name, wanted.quantize)
    return [STEP, name]


class Step:
    """A model as a function of one step, in plain TensorFlow."""

    def __init__(self, model: Any, layers: list[Called]) -> None:
        import tensorflow as tf

        self.tf, self.model, self.layers = tf, model, layers
        self.weights = {one.layer.name: one.layer.get_weights() for one in layers}
        self.parts = [recurrent(one.layer)[0] for one in layers if is_recurrent(one.layer)]
        self.per_step = len(model.output_shape) == 3

    def call(self, x: Any, states: States) -> tuple[Any, States]:
        """(the output, the new states) for a step x `(1, features)`, or a token `(1,)`."""
        tf, values, after, parts = self.tf, {INPUT: x}, list[Any](), iter(self.parts)
        for one in self.layers:
            inputs = [values[name] for name in one.inputs]
            if is_recurrent(one.layer):
                part = next(parts)
                new = _cell(tf, part, inputs[0], states[len(after) : len(after) + len(part.states)])
                after += new
                made = [new[0], *new]
            elif one.kind == "Embedding":
                made = [tf.gather(self.weights[one.layer.name][0], inputs[0])]
            elif one.kind == "Dense":
                kernel, *bias = self.weights[one.layer.name]
                made = [tf.matmul(inputs[0], kernel) + (bias[0] if bias else 0.0)]
            elif one.kind == "Add":
                made = [tf.add_n(inputs)]
            elif one.kind == "Concatenate":
                made = [tf.concat(inputs, -1)]
            else:
                made = inputs
            values.update(zip(one.outputs, made, strict=False))
        return values[self.layers[-1].outputs[0]], after

    def function(self) -> Any:
        """The step as a function of TensorFlow with named inputs and outputs: x, h_1, c_1, … and output, next_h_1, …"""
        tf, names = self.tf, self.names()

        def step(x: Any, **states: Any) -> dict[str, Any]:
            output, after = self.call(x, [states[name] for name, _ in names])
            news = {f"next_{name}": state for (name, _), state in zip(names, after, strict=True)}
            return {"output": output, **news}

        specs = {name: tf.TensorSpec((1, width), tf.float32, name) for name, width in names}
        return tf.function(step, autograph=False).get_concrete_function(self._spec((1,)), **specs)

    def unrolled(self, length: int) -> Any:
        """A sequence as one function without a loop. Behind the end of a padded one nothing changes."""
        tf = self.tf

        def sequence(x: Any) -> dict[str, Any]:
            states = [tf.zeros((1, width)) for _, width in self.names()]
            outputs: list[Any] = []
            for place in range(length):
                output, after = self.call(x[:, place], states)
                real = self._real(x[:, place])
                if real is not None and outputs:
                    output = tf.where(real, output, outputs[-1])
                if real is not None:
                    after = [tf.where(real, new, old) for new, old in zip(after, states, strict=True)]
                states = after
                outputs.append(output)
            return {"output": tf.stack(outputs, axis=1) if self.per_step else outputs[-1]}

        return tf.function(sequence, autograph=False).get_concrete_function(self._spec((1, length)))

    def names(self) -> list[tuple[str, int]]:
        """(name, width) of each state, in the order of the layers."""
        return [
            (f"{letter}_{number}", part.width)
            for number, part in enumerate(self.parts, start=1)
            for letter in part.states
        ]

    def _spec(self, shape: tuple[int, ...]) -> Any:
        features = self.model.input_shape[2:]
        return self.tf.TensorSpec((*shape, *features), self.tf.float32 if features else self.tf.int32, INPUT)

    def _real(self, x: Any) -> Any:
        """Whether a step is no padding, `(1, 1)`; None where nothing is padded."""
        for one in self.layers:
            if one.kind == "Masking":
                return self.tf.reduce_any(x != one.layer.mask_value, axis=-1, keepdims=True)
            if getattr(one.layer, "mask_zero", False):
                return (x != 0)[:, None]
        return None


def _cell(tf: Any, part: Weights, x: Any, states: States) -> States:
    """The states of a recurrent layer after a step, each `(1, width)`. The first one is its output.

    The equations are those of the cells in search_spaces/cells.
    """
    gates = list(part.kernel)
    kernel, state_kernel, bias, state_bias = (
        np.concatenate([arrays[gate] for gate in gates], axis=-1)
        for arrays in (part.kernel, part.recurrent, part.bias, part.recurrent_bias)
    )
    read = tf.split(tf.matmul(x, kernel) + bias, len(gates), axis=-1)
    kept = tf.split(tf.matmul(states[0], state_kernel) + state_bias, len(gates), axis=-1)
    if part.kind == "SimpleRNN":
        return [{"tanh": tf.tanh, "relu": tf.nn.relu}[part.activation](read[0] + kept[0])]
    if part.kind == "GRU":
        keep, reset = (tf.sigmoid(read[gate] + kept[gate]) for gate in range(2))
        new = tf.tanh(read[2] + reset * kept[2])
        return [keep * states[0] + (1.0 - keep) * new]
    write_, forget, show = (tf.sigmoid(read[gate] + kept[gate]) for gate in (0, 1, 3))
    memory = forget * states[1] + write_ * tf.tanh(read[2] + kept[2])
    return [show * tf.tanh(memory), memory]


def _convert(step: Step, function: Any, path: Path, quantize: str) -> None:
    tf = step.tf
    module = tf.Module()
    module.function = function
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures={"serving_default": function})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if quantize != "none":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantize == "float16":
            converter.target_spec.supported_types = [tf.float16]
        written = converter.convert()
    if VARIABLES in written:
        raise CannotWrite("the converter has left variables without their weights")
    path.write_bytes(written)
