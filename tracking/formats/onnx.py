"""ONNX, for ONNX Runtime: `model.onnx` reads whole sequences, `model-step.onnx` one step with the states before it.

Each recurrent layer is one node of the standard: LSTM, GRU or RNN. There is no Loop, Scan or If. Tensors between the
layers have the time first, as in the standard's default layout. ONNX Runtime does not run the other layout on a
processor. The lengths of padded sequences are counted inside the graph. Behind the end of a sequence a node writes
zeros, and Keras repeats its last output.

Gates and equations: https://onnx.ai/onnx/operators, opset 22.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from tracking.deploy.layers import INPUT, Called, Weights, called
from tracking.deploy.onnx_graph import Graph
from tracking.formats import Wanted

EXTRA = "onnx"
RUNTIME = ("onnxruntime",)
MODULES = ("onnx", "onnxruntime")
BLOCKED = ("tensorflow", "keras", "onnx")
FURTHER = "onnx-steps"
MEANT = "ONNX Runtime, in many languages"
WHOLE, STEP = "model.onnx", "model-step.onnx"
OUTPUT, TIME, BATCH = "output", "time", "batch"
INT32, BOOL = 6, 9  # types of tensors, as onnx.TensorProto numbers them


def write(model: Any, folder: Path, wanted: Wanted) -> list[str]:
    """Writes the files; returns their names. Raises CannotWrite for a layer that it does not know."""
    layers, metadata = called(model), _metadata(wanted.card)
    _save(_Whole(model, layers).proto(metadata), folder / WHOLE)
    if any(one.kind == "Bidirectional" for one in layers):  # what comes later is not known at a step
        return [WHOLE]
    _save(_Step(model, layers).proto(metadata), folder / STEP)
    return [WHOLE, STEP]


def _save(proto: Any, path: Path) -> None:
    import onnx

    onnx.checker.check_model(proto, full_check=True)
    onnx.save(proto, path)


def _metadata(card: dict[str, Any]) -> dict[str, str]:
    """What a user of the file alone must know, among it the vocabulary and the labels, as JSON."""
    keys = ("task", "search", "architecture", "metric", "preprocessing", "answer", "labels")
    about = {key: card[key] for key in keys if card.get(key)}
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in about.items()}


class _Whole(Graph):
    """Reads `(batch, time, features)` or tokens `(batch, time)`."""

    def __init__(self, model: Any, layers: list[Called]) -> None:
        super().__init__(model, layers)
        features = model.input_shape[2:]
        self.inputs.append(self.value(INPUT, np.float32 if features else np.int32, [BATCH, TIME, *features]))
        self.lengths = self._lengths()
        order = [1, 0, 2][: 2 + len(features)]
        self.names[INPUT] = self.add("Transpose", [INPUT], perm=order)
        self.read()
        per_step = len(model.output_shape) == 3
        last = self.names[layers[-1].outputs[0]]
        kind, more = ("Transpose", {"perm": [1, 0, 2]}) if per_step else ("Identity", {})
        self.add(kind, [last], [OUTPUT], **more)
        shape = [BATCH, *([TIME] if per_step else []), model.output_shape[-1]]
        self.outputs.append(self.value(OUTPUT, np.float32, shape))

    def _lengths(self) -> str:
        """The number of steps before the padding, int32 `(batch,)`; "" where nothing is padded."""
        masks = [one for one in self.layers if one.kind == "Masking" or getattr(one.layer, "mask_zero", False)]
        if not masks:
            return ""
        if masks[0].kind == "Masking":
            padding = self.constant("padding", masks[0].layer.mask_value)
            real = self.add("Cast", [self.add("Not", [self.add("Equal", [INPUT, padding])])], to=INT32)
            real = self.add("ReduceMax", [real, self.axis(-1)], keepdims=0)
        else:
            real = self.add("Cast", [self.add("Cast", [INPUT], to=BOOL)], to=INT32)
        return self.add("ReduceSum", [real, self.axis(1)], ["lengths"], keepdims=0)


class _Step(Graph):
    """Reads one step, `(batch, features)` or a token `(batch,)`, and the states; writes the output and the new states.

    The states are `h_1`, `c_1`, `h_2`, …, each `(batch, width)`, and begin at zero. The new ones are `next_h_1`, ….
    """

    def __init__(self, model: Any, layers: list[Called]) -> None:
        super().__init__(model, layers)
        features = model.input_shape[2:]
        self.inputs.append(self.value(INPUT, np.float32 if features else np.int32, [BATCH, *features]))
        self.outputs.append(self.value(OUTPUT, np.float32, [BATCH, model.output_shape[-1]]))
        self.number = 0
        self.names[INPUT] = self.add("Unsqueeze", [INPUT, self.axis(0)])
        self.read()
        last, per_step = self.names[layers[-1].outputs[0]], len(model.output_shape) == 3
        self.add(*(("Squeeze", [last, self.axis(0)]) if per_step else ("Identity", [last])), [OUTPUT])

    def starts(self, name: str, parts: list[Weights]) -> list[str]:
        self.number += 1
        names = [f"{letter}_{self.number}" for letter in parts[0].states]
        self.inputs += [self.value(name, np.float32, [BATCH, parts[0].width]) for name in names]
        return [self.add("Unsqueeze", [name, self.axis(0)]) for name in names]

    def keep(self, name: str, parts: list[Weights], ends: list[str]) -> None:
        for letter, end in zip(parts[0].states, ends, strict=True):
            self.add("Identity", [end], [f"next_{letter}_{self.number}"])
            self.outputs.append(self.value(f"next_{letter}_{self.number}", np.float32, [BATCH, parts[0].width]))
