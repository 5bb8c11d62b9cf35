"""LiteRT files in their interpreter: step by step, and unrolled, against stock Keras."""

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from support import stacks
from support.stacks import CELLS, FORMS

from tracking.deploy.layers import CannotWrite
from tracking.formats import Wanted
from tracking.formats.litert import STEP, write

CLOSE = 1e-5
SOME = ("residual, two widths", "padded, residual", "per step, padded", "tokens, padded", "one-hot tokens")
LENGTH = 6


def by_steps(path: Path, sequence: np.ndarray) -> np.ndarray:
    """The outputs of every step of one sequence, `(time, outputs)`."""
    step = Interpreter(str(path)).get_signature_runner()
    shapes = {name: about["shape"] for name, about in step.get_input_details().items() if name != "x"}
    states, outputs = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}, []
    for x in sequence:
        made = step(x=x[None], **states)
        states = {name: made[f"next_{name}"] for name in states}
        outputs.append(made["output"][0])
    return np.stack(outputs)


QUICK = {("gru", "padded, residual"), ("lstm", "per step, padded"), ("simple_rnn", "tokens, padded")}
EACH = [
    pytest.param(cell, name, marks=() if (cell, name) in QUICK else pytest.mark.slow) for cell in CELLS for name in SOME
]


@pytest.mark.parametrize(("cell", "name"), EACH)
def test_the_outputs_are_those_of_keras(tmp_path: Path, cell: str, name: str) -> None:
    form = FORMS[name]
    model, (x, real) = stacks.model(cell, form), stacks.samples(form)
    x, real = x[1:, :LENGTH], real[1:, :LENGTH]
    assert write(model, tmp_path, Wanted({}, LENGTH)) == [STEP, "model-6.tflite"]
    wanted, scored = stacks.expected(model, x), real if form.per_step else np.ones(len(x), bool)
    whole = Interpreter(str(tmp_path / "model-6.tflite")).get_signature_runner()
    outputs = np.concatenate([whole(x=sequence[None])["output"] for sequence in x])
    assert stacks.apart(outputs, wanted, scored) < CLOSE
    for sequence, mask, answer in zip(x, real, wanted, strict=True):
        steps = by_steps(tmp_path / STEP, sequence[mask])
        answer = answer[mask] if form.per_step else answer[None]
        assert stacks.apart(steps if form.per_step else steps[-1:], answer, np.ones(len(answer), bool)) < CLOSE


def test_stored_weights_are_smaller(tmp_path: Path) -> None:
    """The interpreter has weights of 1,024 numbers or more as int8; smaller ones stay floats."""
    form = stacks.Form((64,))
    model, (x, _) = stacks.model("gru", form), stacks.samples(form)
    wanted, sizes = stacks.expected(model, x), {}
    for quantize, close in (("none", CLOSE), ("float16", 2e-2), ("int8", 2e-1)):
        (tmp_path / quantize).mkdir()
        write(model, tmp_path / quantize, Wanted({}, quantize=quantize))
        answers = np.stack([by_steps(tmp_path / quantize / STEP, sequence)[-1] for sequence in x])
        assert stacks.apart(answers, wanted, np.ones(len(x), bool)) < close
        sizes[quantize] = (tmp_path / quantize / STEP).stat().st_size
    assert sizes["int8"] < 0.45 * sizes["none"]
    assert sizes["float16"] < 0.6 * sizes["none"]


def test_a_model_that_reads_from_both_ends_has_no_step(tmp_path: Path) -> None:
    with pytest.raises(CannotWrite, match="it reads from both ends, so it has no step"):
        write(stacks.model("gru", FORMS["bidirectional"]), tmp_path, Wanted({}))
    assert not list(tmp_path.iterdir())
