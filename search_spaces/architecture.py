"""Describes the values of a trial: one architecture string, and one value for every parameter name of the search.

{"cell": "gru", "depth": 2, "width": 64, …}                           gru-64x2
{"depth": 2, "cell_1": "lstm", "width_1": 64, "cell_2": "gru", …}     lstm-64+gru-32
{"cell": "lstm", "depth": 2, …, "init_lstm": "chrono", "residual": 1} lstm-64x2 chrono residual
{"cell": "gru", "depth": 1, "width": 128, …, "attention": "dot"}      gru-128+att
{"cell": "ntm", …, "memory": "64x10", "controller": "lstm"}           ntm-100 memory 64x10 lstm
"""

from typing import Any

EMBEDDING = 64  # features that a token is turned into, or the number of tokens if that is smaller

Values = dict[str, Any]


def layers(values: Values) -> list[tuple[str, int]]:
    """(cell, width) of each recurrent layer; the first layer reads the input."""
    depth = values["depth"]
    if "cell" in values:
        return [(values["cell"], values["width"])] * depth
    return [(values[f"cell_{layer}"], values[f"width_{layer}"]) for layer in range(1, depth + 1)]


def suffix(values: Values, layer: int) -> str:
    """The end of a layer's names, "_1" for the first layer; "" where all layers share one cell and width."""
    return "" if "cell" in values else f"_{layer}"


def init(values: Values, cell: str, suffix: str) -> str:
    """The initialisation of the layer whose names end with `suffix`."""
    return str(values.get(f"init_{cell}{suffix}", "default"))


def bias(values: Values, cell: str, suffix: str) -> float | None:
    """The first bias of the layer's keep gate; None where its initialisation or Keras sets it."""
    return None if init(values, cell, suffix) == "chrono" else values.get(f"bias_{cell}{suffix}")


def switched(values: Values) -> list[str]:
    """The switches that are on, of "bidirectional" and "residual". A model of one layer is never residual."""
    active = {"bidirectional": bool(values.get("bidirectional")), "residual": values.get("residual")}
    return [name for name, on in active.items() if on and (name != "residual" or values["depth"] > 1)]


def architecture(values: Values) -> str:
    """The architecture string; see the examples above."""
    stack = [
        (f"{cell}-{width}", _start(values, cell, suffix(values, layer)))
        for layer, (cell, width) in enumerate(layers(values), start=1)
    ]
    if len(set(stack)) == 1:
        (name, start), times = stack[0], f"x{len(stack)}" if len(stack) > 1 else ""
        words = f"{name}{times}{start}"
    else:
        words = "+".join(f"{name}{start}" for name, start in stack)
    attends = "+att" if values.get("attention", "none") != "none" else ""
    memory = [f"memory {values['memory']}"] if "memory" in values else []
    controller = [values["controller"]] if "controller" in values else []
    return " ".join([words + attends, *memory, *controller, *switched(values)])


def _start(values: Values, cell: str, suffix: str) -> str:
    name, first_bias = init(values, cell, suffix), bias(values, cell, suffix)
    return ("" if name == "default" else f" {name}") + ("" if first_bias is None else f" bias {first_bias:.3g}")


def parameters(values: Values, names: list[str]) -> Values:
    """A value for each of `names`, and a summary of the layers.

    A name without a value gets "none" or 0, since MLflow's charts leave out a trial that lacks a name.
    """
    stack = layers(values)
    cells = list(dict.fromkeys(cell for cell, _ in stack))
    summary = {"architecture": architecture(values), "cell": "+".join(cells), "width": max(width for _, width in stack)}
    if any(name.startswith("init_") for name in names):
        inits = [init(values, cell, suffix(values, layer)) for layer, (cell, _) in enumerate(stack, start=1)]
        summary["init"] = "+".join(dict.fromkeys(inits))
    words = ("cell", "init_", "memory", "controller")
    filled = {name: values.get(name, "none" if name.startswith(words) else 0) for name in names}
    return {**filled, **summary}
