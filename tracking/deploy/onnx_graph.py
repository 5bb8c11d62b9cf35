"""An ONNX graph that grows layer by layer, from a Keras model; formats/onnx.py says how a whole one looks."""

from typing import Any

import numpy as np

from tracking.deploy.layers import Called, Weights, is_recurrent, recurrent

OPSET, IR_VERSION = 22, 10
NODES = {"SimpleRNN": "RNN", "GRU": "GRU", "LSTM": "LSTM"}
ORDER = {"SimpleRNN": "h", "GRU": "zrh", "LSTM": "iofc"}  # of the gates in the standard


class Graph:
    """A graph that grows node by node. Names of Keras' tensors lead to names of the graph's."""

    def __init__(self, model: Any, layers: list[Called]) -> None:
        self.model, self.layers = model, layers
        self.nodes: list[Any] = []
        self.constants: dict[str, np.ndarray] = {}
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []
        self.names: dict[str, str] = {}
        self.lengths = ""  # the tensor with the lengths; the standard takes "" for none

    def add(self, kind: str, inputs: list[str], outputs: list[str] | None = None, **attributes: Any) -> str:
        """Appends a node; returns the name of its first output."""
        from onnx import helper

        made = outputs or [f"{kind.lower()}_{len(self.nodes)}"]
        self.nodes.append(helper.make_node(kind, inputs, made, name=f"{kind}_{len(self.nodes)}", **attributes))
        return next(name for name in made if name)

    def constant(self, name: str, value: Any, kind: type = np.float32) -> str:
        self.constants[name] = np.asarray(value, kind)
        return name

    def axis(self, number: int) -> str:
        return self.constant(f"axis_{number}", [number], np.int64)

    def value(self, name: str, kind: type, shape: list[Any]) -> Any:
        from onnx import helper

        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(kind)), shape)

    def proto(self, metadata: dict[str, str]) -> Any:
        """The model with its metadata."""
        from onnx import helper, numpy_helper

        nodes = self._needed()
        read = {name for node in nodes for name in node.input}
        weights = [numpy_helper.from_array(value, name) for name, value in self.constants.items() if name in read]
        graph = helper.make_graph(nodes, "recurrent", self.inputs, self.outputs, weights)
        opsets = [helper.make_opsetid("", OPSET)]
        proto = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="recurrent-search")
        helper.set_model_props(proto, metadata)
        return proto

    def _needed(self) -> list[Any]:
        """The nodes on which an output depends, in order. The last states of most layers are read by nobody."""
        wanted, found = {output.name for output in self.outputs}, []
        for node in reversed(self.nodes):
            if wanted & set(node.output):
                wanted |= set(node.input)
                found.append(node)
        return found[::-1]

    def read(self) -> None:
        """Appends the nodes of all layers."""
        for one in self.layers:
            inputs = [self.names[name] for name in one.inputs]
            if is_recurrent(one.layer):
                made = self.recur(one, inputs[0])
            elif one.kind == "Embedding":
                table = self.constant(f"{one.layer.name}.table", one.layer.get_weights()[0])
                made = [self.add("Gather", [table, inputs[0]])]
            elif one.kind == "Dense":
                made = [self.dense(one.layer, inputs[0])]
            elif one.kind == "Add":
                made = [self.add("Add", inputs)]
            elif one.kind == "Concatenate":
                made = [self.add("Concat", inputs, axis=-1)]
            else:  # Dropout does nothing after the training; the lengths stand for a mask
                made = inputs
            self.names.update(zip(one.outputs, made, strict=True))

    def dense(self, layer: Any, x: str) -> str:
        kernel, *bias = layer.get_weights()
        product = self.add("MatMul", [x, self.constant(f"{layer.name}.kernel", kernel)])
        return self.add("Add", [product, self.constant(f"{layer.name}.bias", bias[0])]) if bias else product

    def recur(self, one: Called, x: str) -> list[str]:
        """The node of a recurrent layer, and what brings its outputs to Keras' shapes."""
        parts, name = recurrent(one.layer), one.layer.name
        both, states = len(parts) == 2, [f"{name}.{letter}" for letter in parts[0].states]
        weights = [self.constant(f"{name}.{key}", value) for key, value in _packed(parts).items()]
        options: dict[str, Any] = {"hidden_size": parts[0].width, "direction": "bidirectional" if both else "forward"}
        if parts[0].kind == "GRU":
            options["linear_before_reset"] = 1
        if parts[0].activation != "tanh":
            options["activations"] = [parts[0].activation.title()] * len(parts)
        self.add(
            NODES[parts[0].kind],
            [x, *weights, self.lengths, *self.starts(name, parts)],
            [f"{name}.y", *states],
            **options,
        )
        ends = [self.ends(state, both) for state in states]
        out = (
            self.join(f"{name}.y", both)
            if one.layer.return_sequences
            else (ends[0][0] if not both else self.add("Concat", ends[0], axis=-1))
        )
        self.keep(name, parts, [end[0] for end in ends])
        flat = [end[place] for place in range(len(parts)) for end in ends]
        return [out, *flat][: len(one.outputs)]

    def ends(self, state: str, both: bool) -> list[str]:
        """The last states `(batch, width)` of each direction, from `(directions, batch, width)`."""
        if not both:
            return [self.add("Squeeze", [state, self.axis(0)])]
        names = [f"{state}.forward", f"{state}.backward"]
        self.add("Split", [state], [f"{name}.3d" for name in names], axis=0, num_outputs=2)
        return [self.add("Squeeze", [f"{name}.3d", self.axis(0)], [name]) for name in names]

    def join(self, y: str, both: bool) -> str:
        """`(time, batch, features)` from the node's `(time, directions, batch, width)`."""
        if not both:
            return self.add("Squeeze", [y, self.axis(1)])
        beside = self.add("Transpose", [y], perm=[0, 2, 1, 3])
        return self.add("Reshape", [beside, self.constant("flat", [0, 0, -1], np.int64)])

    def starts(self, name: str, parts: list[Weights]) -> list[str]:
        """The tensors with the states before the first step; none for zeros."""
        return []

    def keep(self, name: str, parts: list[Weights], ends: list[str]) -> None:
        """Is told the states of a layer after the last step."""


def _packed(parts: list[Weights]) -> dict[str, np.ndarray]:
    """The standard's weights W `(directions, gates * width, inputs)`, R and B `(directions, 2 * gates * width)`."""
    order = ORDER[parts[0].kind]

    def rows(arrays: dict[str, np.ndarray]) -> np.ndarray:
        return np.concatenate([arrays[gate].T for gate in order])

    return {
        "W": np.stack([rows(part.kernel) for part in parts]),
        "R": np.stack([rows(part.recurrent) for part in parts]),
        "B": np.stack([np.concatenate([rows(part.bias), rows(part.recurrent_bias)]) for part in parts]),
    }
