"""ONNX files in ONNX Runtime: whole sequences, and step by step, against stock Keras."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from support import stacks
from support.stacks import CELLS, FORMS

from tracking.deploy.onnx_graph import OPSET
from tracking.formats import Wanted
from tracking.formats.onnx import STEP, WHOLE, write

CLOSE = 1e-5  # float32, other orders of additions
CARD = {"task": "adding", "search": "s", "preprocessing": {"vocabulary": "�abc"}}


def session(path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def by_steps(path: Path, x: np.ndarray, real: np.ndarray) -> np.ndarray:
    """The outputs of every step `(samples, time, outputs)`; behind the end of a sample its last one."""
    model = session(path)
    names = [one.name for one in model.get_outputs()]
    states = {one.name: np.zeros((len(x), one.shape[1]), np.float32) for one in model.get_inputs() if one.name != "x"}
    outputs: list[np.ndarray] = []
    for place in range(x.shape[1]):
        made = dict(zip(names, model.run(None, {"x": x[:, place], **states}), strict=True))
        goes_on = real[:, place, None]
        states = {name: np.where(goes_on, made[f"next_{name}"], state) for name, state in states.items()}
        outputs.append(np.where(goes_on, made["output"], outputs[-1]) if outputs else made["output"])
    return np.stack(outputs, axis=1)


QUICK = ("padded, residual", "bidirectional", "tokens")  # of each cell; the other forms take a minute together
EACH = [pytest.param(cell, name, marks=() if name in QUICK else pytest.mark.slow) for cell in CELLS for name in FORMS]


@pytest.mark.parametrize(("cell", "name"), EACH)
def test_the_outputs_are_those_of_keras(tmp_path: Path, cell: str, name: str) -> None:
    form = FORMS[name]
    model, (x, real) = stacks.model(cell, form), stacks.samples(form)
    files = write(model, tmp_path, Wanted(CARD))
    wanted = stacks.expected(model, x)
    scored = real if form.per_step else np.ones(len(x), bool)
    assert stacks.apart(session(tmp_path / WHOLE).run(None, {"x": x})[0], wanted, scored) < CLOSE
    other = x[:2, :5]  # another batch and another length
    if not form.padded:
        again = session(tmp_path / WHOLE).run(None, {"x": other})[0]
        assert stacks.apart(again, stacks.expected(model, other), np.ones(again.shape[:-1], bool)) < CLOSE
    assert files == ([WHOLE] if form.bidirectional else [WHOLE, STEP]), "no step knows what follows it"
    if not form.bidirectional:
        steps = by_steps(tmp_path / STEP, x, real)
        assert stacks.apart(steps if form.per_step else steps[:, -1], wanted, scored) < CLOSE


def kinds(graph: Any) -> list[str]:
    """The operators of a graph, with those of the graphs inside of its nodes."""
    inner = [one.g for node in graph.node for one in node.attribute if one.type == onnx.AttributeProto.GRAPH]
    return [node.op_type for node in graph.node] + [kind for one in inner for kind in kinds(one)]


@pytest.mark.parametrize("name", FORMS)
def test_one_recurrent_node_a_layer(tmp_path: Path, name: str) -> None:
    form = FORMS[name]
    for file in write(stacks.model("gru", form), tmp_path, Wanted(CARD)):
        found = kinds(onnx.load(tmp_path / file).graph)
        assert found.count("GRU") == len(form.widths)
        assert not {"Loop", "Scan", "If"} & set(found)
        assert len(found) <= 30 + 10 * len(form.widths)


def test_the_file_says_what_it_is(tmp_path: Path) -> None:
    write(stacks.model("lstm", FORMS["tokens"]), tmp_path, Wanted(CARD))
    proto = onnx.load(tmp_path / WHOLE)
    assert proto.opset_import[0].version == OPSET
    about = {one.key: one.value for one in proto.metadata_props}
    assert about["preprocessing"] == '{"vocabulary": "\\ufffdabc"}'
    assert [one.name for one in proto.graph.input] == ["x"]
    assert [one.name for one in proto.graph.output] == ["output"]
    assert {one.name for one in proto.graph.initializer} <= {name for node in proto.graph.node for name in node.input}


def test_an_input_of_another_form_is_refused(tmp_path: Path) -> None:
    write(stacks.model("gru", FORMS["one layer"]), tmp_path, Wanted(CARD))
    with pytest.raises(onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument):
        session(tmp_path / WHOLE).run(None, {"x": np.zeros((1, 5, 2), np.float32)})
