"""Exported models of every form in every format: how near to Keras, how many nodes, how fast on one thread.

    python -m experiments.benchmarks.formats                 a few minutes on two cores
    python -m experiments.benchmarks.formats --cells gru --forms "one layer;padded"

Each model has random weights and random biases. Keras is asked by `predict_on_batch`, the others as predict.py of an
export asks them. Keras and each format are timed in turns, with the median of ROUNDS calls. The difference is the
largest one of an output that is scored, as a share of the largest output. "Keras, rounding" is the same between Keras
with 32 bits and with 64: what rounding alone changes.
"""

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import numpy as np

from experiments.benchmarks.rounds import make_parser, print_head, print_row, setting
from tracking import formats
from tracking.deploy.layers import CannotWrite
from tracking.deploy.predict import RUNTIMES

STEPS, FEATURES, TOKENS, OUTPUTS, PADDING = 50, 3, 20, 5, -7.0
ROUNDS = 30
FORMS: dict[str, dict[str, Any]] = {
    "one layer": {},
    "two layers": {"depth": 2},
    "residual": {"depth": 2, "residual": True},
    "bidirectional": {"bidirectional": True},
    "padded": {"padded": True},
    "per step": {"per_step": True},
    "tokens": {"tokens": True},
    "one-hot tokens": {"tokens": True, "one_hot": True},
    "chrono": {"init": "chrono"},
}
FORMATS = ("savedmodel", "onnx", "litert")


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--cells", default="simple_rnn,lstm,gru", help="between commas (default: %(default)s)")
    parser.add_argument("--forms", default=";".join(FORMS), help="between semicolons (default: all)")
    parser.add_argument("--width", type=int, default=64, help="of every layer (default: 64)")
    chosen = parser.parse_args()
    one_thread()
    kinds = [kind for kind in FORMATS if not formats.missing(kind)]
    left_out = ", ".join(f"{kind} (no {formats.missing(kind)} here)" for kind in FORMATS if kind not in kinds)
    names = packages_distributions()
    packages = {names[module][0] for kind in kinds for module in formats.load(kind).RUNTIME}
    print(setting("keras", *sorted(packages)))
    print(f"width {chosen.width}, {STEPS} steps; milliseconds of a call; left out: {left_out or 'nothing'}\n")
    print_head(
        "cell", "form", "format", "difference", "Keras, rounding", "nodes", "ms, 1 row", "Keras", "ms, 64 rows", "Keras"
    )
    for cell in chosen.cells.split(","):
        for name in chosen.forms.split(";"):
            if name != "chrono" or cell != "simple_rnn":  # which has no gate that keeps
                measure(cell, name, chosen.width, kinds)


def one_thread() -> None:
    """Lets TensorFlow compute with one thread, as the other runtimes do."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def measure(cell: str, name: str, width: int, kinds: list[str]) -> None:
    """Prints a row for each format of one model."""
    import keras

    keras.utils.set_random_seed(0)
    form = FORMS[name]
    model, x, real = build(cell, width, **form)
    scored = real if form.get("per_step") else np.ones(len(x), bool)
    wanted, exact = (
        model.predict_on_batch(x),
        doubled(model).predict_on_batch(x.astype(np.promote_types(x.dtype, "f8"))),
    )
    largest = np.abs(wanted[scored]).max()
    rounding = f"{np.abs(exact - wanted)[scored].max() / largest:.1e}"
    for kind in kinds:
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            (folder / "model.json").write_text(json.dumps(card(model, form)))
            try:
                files = formats.load(kind).write(model, folder, formats.Wanted({}))
            except CannotWrite as error:
                print_row(cell, name, kind, f"not written: {error}", *["-"] * 6)
                continue
            run = RUNTIMES[kind][-1](folder)
            apart = np.abs(run(x) - wanted)[scored].max() / largest
            nodes = str(count_nodes(folder / files[0])) if kind == "onnx" else "-"
            times = [f"{1000 * one:.2f}" for rows in (1, 64) for one in in_turns(run, model.predict_on_batch, x[:rows])]
            print_row(cell, name, kind, f"{apart:.1e}", rounding, nodes, *times)


def build(
    cell: str,
    width: int,
    depth: int = 1,
    tokens: bool = False,
    one_hot: bool = False,
    padded: bool = False,
    per_step: bool = False,
    residual: bool = False,
    bidirectional: bool = False,
    init: str = "default",
) -> tuple[Any, np.ndarray, np.ndarray]:
    """(a model of stock layers, 64 samples, the mask of their real steps)."""
    from search_spaces.plain import plain
    from search_spaces.recurrent import RecurrentSpace

    rng = np.random.default_rng(0)
    padding = (0 if tokens else PADDING) if padded else None
    space = RecurrentSpace(
        OUTPUTS,
        "categorical",
        features=None if tokens else FEATURES,
        tokens=TOKENS if tokens else None,
        one_hot=one_hot,
        padding=padding,
        per_step=per_step,
        cells=[cell],
    )
    starts = [{"init": init, "longest": STEPS}] * depth if init != "default" else ()
    model = plain(space.stack([(cell, width)] * depth, 0.0, starts, residual, bidirectional))
    fixed = 1 if one_hot else 0  # the table of one-hot vectors
    weights = model.get_weights()
    moved = [weight + rng.normal(0, 0.1, weight.shape).astype("float32") for weight in weights[fixed:]]
    model.set_weights([*weights[:fixed], *moved])
    x: np.ndarray = rng.integers(1, TOKENS, (64, STEPS)) if tokens else rng.normal(size=(64, STEPS, FEATURES))
    x, real = x.astype(np.int32 if tokens else np.float32), np.ones((64, STEPS), bool)
    if padding is not None:
        real = np.arange(STEPS) < rng.integers(1, STEPS + 1, 64)[:, None]
        x[~real] = padding
    return model, x, real


def doubled(model: Any) -> Any:
    """The same model with numbers of 64 bits."""
    import keras

    def double(layer: Any) -> Any:
        return type(layer).from_config(_with_double(layer.get_config()))

    copy = keras.models.clone_model(model, clone_function=double)
    copy.set_weights(model.get_weights())
    return copy


def _with_double(config: dict[str, Any]) -> dict[str, Any]:
    """A layer's config with "float64" wherever it had "float32", in layers inside it too."""
    found = {name: _with_double(value) if isinstance(value, dict) else value for name, value in config.items()}
    return {name: "float64" if value == "float32" else value for name, value in found.items()}


def card(model: Any, form: dict[str, Any]) -> dict[str, Any]:
    """What predict.py reads of model.json to run the model."""
    padding = {"padding": 0 if form.get("tokens") else PADDING} if form.get("padded") else {}
    return {"preprocessing": padding, "shapes": {"output": {"shape": [*model.output_shape]}}}


def count_nodes(path: Path) -> int:
    import onnx

    return len(onnx.load(path).graph.node)


def in_turns(one: Callable[..., Any], other: Callable[..., Any], x: np.ndarray) -> tuple[float, float]:
    """The median seconds of a call of each."""
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(ROUNDS + 1):
        for call, found in zip((one, other), times, strict=True):
            began = time.perf_counter()
            call(x)
            if number:  # the first call traces
                found.append(time.perf_counter() - began)
    return statistics.median(times[0]), statistics.median(times[1])


if __name__ == "__main__":
    main()
