"""Long short-term memory: numbers by hand, and the weights it begins with."""

import keras
import numpy as np
import pytest
from support.cells import built, two_steps

KERNELS = ("loop", "xla", "native", "cudnn")


@pytest.mark.parametrize("kernel", KERNELS)
def test_numbers_by_hand(kernel: str) -> None:
    """i, f, c, o have biases 0.1, 0.2, 0.3, 0.4.

    At first a = 0.5: i = 0.645656, g = tanh 0.8 = 0.664037, o = 0.710950, c = i g = 0.428740, h = o tanh c.
    Then a = 1.143707: i = 0.776209, f = 0.793099, g = 0.894441, o = 0.824003, c = f c + i g = 1.034306.
    """
    found = two_steps("lstm", [0.1, 0.2, 0.3, 0.4], kernel)
    assert found == pytest.approx(np.repeat([[each] for each in (0.2874137, 0.6391211)], 2, axis=1), abs=1e-5)


def test_weights_are_the_stock_ones() -> None:
    layer = built("lstm", 16, features=3)
    assert type(layer) is keras.layers.LSTM and layer.units == 16
    kernel, recurrent, bias = layer.get_weights()
    assert np.std(kernel) > 0 and abs(kernel).max() < 1.5
    assert recurrent @ recurrent.T == pytest.approx(np.eye(16), abs=1e-4), "orthogonal as a whole"
    assert layer.count_params() == 4 * (16 * (3 + 16) + 16)
    assert bias.tolist() == [0] * 16 + [1] * 16 + [0] * 32, "the forget gate starts open"
