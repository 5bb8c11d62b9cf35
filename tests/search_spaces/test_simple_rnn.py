"""The plain recurrent cell: numbers by hand, and the weights it begins with."""

import keras
import numpy as np
import pytest
from support.cells import built, two_steps

KERNELS = ("loop", "xla", "native", "cudnn")


@pytest.mark.parametrize("kernel", KERNELS)
def test_numbers_by_hand(kernel: str) -> None:
    """h = tanh(a + 0.1): tanh(0.6), then tanh(1 + 0.26852 + 0.1)."""
    found = two_steps("simple_rnn", [0.1], kernel)
    assert found == pytest.approx(np.repeat([[each] for each in (0.5370496, 0.8783556)], 2, axis=1), abs=1e-5)


def test_weights_are_the_stock_ones() -> None:
    layer = built("simple_rnn", 16, features=3)
    assert type(layer) is keras.layers.SimpleRNN and layer.units == 16
    kernel, recurrent, bias = layer.get_weights()
    assert np.std(kernel) > 0 and abs(kernel).max() < 1.5
    assert recurrent @ recurrent.T == pytest.approx(np.eye(16), abs=1e-4), "orthogonal as a whole"
    assert layer.count_params() == 16 * (3 + 16) + 16
    assert not bias.any()
