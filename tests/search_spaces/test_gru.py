"""The gated recurrent unit: numbers by hand, and the weights it begins with."""

import keras
import numpy as np
import pytest
from support.cells import built, two_steps

KERNELS = ("loop", "xla", "native", "cudnn")


@pytest.mark.parametrize("kernel", KERNELS)
def test_numbers_by_hand(kernel: str) -> None:
    """z, r, n have biases 0.1, 0.2, 0.3 on the input and 0.4, 0.5, 0.6 on the state.

    At first z = sigmoid 1 = 0.731059, r = sigmoid 1.2 = 0.768525, n = tanh(0.5 + 0.3 + 0.6 r) = 0.851371,
    h = (1 - z) n. Then u = 0.5 h = 0.114484, z = sigmoid(1.5 + u) = 0.834033, r = sigmoid(1.7 + u) = 0.859903,
    n = tanh(1.3 + r (u + 0.6)) = 0.957452, h = z h + (1 - z) n: z keeps.
    """
    found = two_steps("gru", [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]], kernel)
    assert found == pytest.approx(np.repeat([[each] for each in (0.2289690, 0.3498731)], 2, axis=1), abs=1e-5)


def test_weights_are_the_stock_ones() -> None:
    layer = built("gru", 16, features=3)
    assert type(layer) is keras.layers.GRU and layer.units == 16
    kernel, recurrent, bias = layer.get_weights()
    assert np.std(kernel) > 0 and abs(kernel).max() < 1.5
    assert recurrent @ recurrent.T == pytest.approx(np.eye(16), abs=1e-4), "orthogonal as a whole"
    assert layer.count_params() == 3 * (16 * (3 + 16) + 2 * 16)
    assert not bias.any()


def test_cudnn_computes_the_form_with_reset_after() -> None:
    assert built("gru").get_config()["reset_after"] is True
