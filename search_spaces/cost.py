"""What a model costs: floating-point operations, from the sizes of its layers."""

import math

import keras

from search_spaces.halves import ENCODER, KEYS

MATRIX = "kernel"  # the end of the name of a matrix
BACKWARD = 2  # backward products for each forward product: the gradients of the inputs and of the weights


def flops(model: keras.Model, steps: int, per_step: bool, source_steps: int = 0) -> float:
    """Operations of the forward pass for one time step of one sequence: the mean over its `steps` time steps.

    Each weight of a matrix is multiplied and added once. A recurrent layer of width H with I inputs and k gates thus
    takes 2 k H (I + H) operations; k is 1, 4, 3 for SimpleRNN, LSTM, GRU. Biases and element-wise operations are a
    few per cent and are left out, as is usual. A lookup in a table costs nothing. The last layer is computed at every
    step only if `per_step`.

    Args:
        source_steps: of an encoder and a decoder: so many of the steps are the source's. The encoder and the keys of
            the attention are computed at these, the other layers at the rest. Attention at a step of the target takes
            two products with each step of the source.
    """
    if source_steps:
        return _of_halves(model, steps, source_steps)
    sizes = [_matrices(layer) + memory_flops(layer) for layer in model.layers]
    return sum(sizes[:-1]) + sizes[-1] / (1 if per_step else steps)


def _matrices(layer: keras.layers.Layer) -> float:
    return sum(2 * math.prod(one.shape) for one in layer.weights if one.name.endswith(MATRIX))


def memory_flops(layer: keras.layers.Layer) -> float:
    """Operations on the memory of a cell at one time step; 0 for a cell without a memory.

    Two heads compare each number with a key and with itself. One reads, and one erases and adds.
    """
    cell = getattr(layer, "cell", None)
    rows, columns = getattr(cell, "rows", 0), getattr(cell, "columns", 0)
    return float(rows * columns * (2 * 4 + 2 + 4))


def _of_halves(model: keras.Model, steps: int, source_steps: int) -> float:
    target, total = steps - source_steps, 0.0
    for layer in model.layers:
        of_source = layer.name.startswith(ENCODER) or layer.name == KEYS
        size = _matrices(layer)
        total += size * (source_steps if of_source else target)
        total += 2 * 2 * source_steps * layer.weights[0].shape[1] * target if layer.name == KEYS else 0
    return total / steps


def training_flops(model: keras.Model, steps: int, per_step: bool, batch: int, source_steps: int = 0) -> float:
    """Operations of one training step on `batch` sequences: forward, and twice as many backward."""
    return (1 + BACKWARD) * batch * steps * flops(model, steps, per_step, source_steps)
