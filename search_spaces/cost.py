"""What a model costs: floating-point operations, from the sizes of its layers."""

import math

import keras

MATRICES = ("kernel", "recurrent_kernel")
BACKWARD = 2  # backward products for each forward product: the gradients of the inputs and of the weights


def flops(model: keras.Model, steps: int, per_step: bool) -> float:
    """Operations of the forward pass for one time step of one sequence: the mean over its `steps` time steps.

    Each weight of a matrix is multiplied and added once. A recurrent layer of width H with I inputs and k gates thus
    takes 2 k H (I + H) operations; k is 1, 4, 3 for SimpleRNN, LSTM, GRU. Biases and element-wise operations are a
    few per cent and are left out, as is usual. A lookup in a table costs nothing. The last layer is computed at every
    step only if `per_step`.
    """
    sizes = [sum(2 * math.prod(one.shape) for one in layer.weights if one.name in MATRICES) for layer in model.layers]
    return sum(sizes[:-1]) + sizes[-1] / (1 if per_step else steps)


def training_flops(model: keras.Model, steps: int, per_step: bool, batch: int) -> float:
    """Operations of one training step on `batch` sequences: forward, and twice as many backward."""
    return (1 + BACKWARD) * batch * steps * flops(model, steps, per_step)
