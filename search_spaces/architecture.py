"""A trial's values in words: one architecture string, and one value for every stable parameter name.

{"cell": "gru", "depth": 2, "width": 64, …}                           gru-64x2
{"depth": 2, "cell_1": "lstm", "width_1": 64, "cell_2": "gru", …}     lstm-64+gru-32
"""

from typing import Any

Values = dict[str, Any]


def layers(values: Values) -> list[tuple[str, int]]:
    """(cell, width) of each recurrent layer, the one next to the input first."""
    depth = values["depth"]
    if "cell" in values:
        return [(values["cell"], values["width"])] * depth
    return [(values[f"cell_{layer}"], values[f"width_{layer}"]) for layer in range(1, depth + 1)]


def architecture(values: Values) -> str:
    stack = layers(values)
    if len(set(stack)) == 1:
        cell, width = stack[0]
        return f"{cell}-{width}" if len(stack) == 1 else f"{cell}-{width}x{len(stack)}"
    return "+".join(f"{cell}-{width}" for cell, width in stack)


def parameters(values: Values, names: list[str]) -> Values:
    """A value under every name of `names`, inactive ones filled, so that charts over all trials keep this one."""
    stack = layers(values)
    cells = list(dict.fromkeys(cell for cell, _ in stack))
    summary = {"architecture": architecture(values), "cell": "+".join(cells), "width": max(width for _, width in stack)}
    filled = {name: values.get(name, "none" if name.startswith("cell") else 0) for name in names}
    return {**filled, **summary}
