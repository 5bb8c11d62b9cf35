"""Where a machine looks, drawn: a memory whose heads are known to move one row at each step."""

from pathlib import Path

import keras
import numpy as np
import pytest

from search_spaces.ntm import NTMCell
from tracking import addressing


@pytest.fixture
def model() -> keras.Model:
    """The reading head stays; the writing head moves on by one row at each step, as its biases say."""
    machine = keras.layers.RNN(NTMCell(2, rows=8, columns=3), return_sequences=True)
    made = keras.Sequential([keras.Input((None, 2)), machine, keras.layers.Dense(1)])
    cell = machine.cell
    cell.head_kernel.assign(np.zeros(cell.head_kernel.shape))
    bias = np.zeros(cell.head_bias.shape, np.float32)
    of_head = {"gate": 4, "by -1": 5, "by 0": 6, "by 1": 7, "sharpness": 8}  # behind the key of 3 and the strength
    for head, shift in ((0, "by 0"), (9, "by 1")):
        bias[head + of_head["gate"]] = -30  # the last weights, not the content
        bias[head + of_head[shift]] = bias[head + of_head["sharpness"]] = 30
    cell.head_bias.assign(bias)
    return made


def test_the_rows_over_time_are_drawn(model: keras.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.axes import Axes

    drawn, real = [], Axes.imshow
    monkeypatch.setattr(Axes, "imshow", lambda self, one, **more: (drawn.append(one), real(self, one, **more))[1])
    addressing.draw(model, np.zeros((3, 2), np.float32), tmp_path / "addressing.png")
    written, read = (np.roll(one, -4, axis=0).argmax(axis=0).tolist() for one in drawn)
    assert (written, read) == ([1, 2, 3], [0, 0, 0])
    assert (tmp_path / "addressing.png").read_bytes().startswith(b"\x89PNG")


def test_other_models_have_no_memory() -> None:
    plain = keras.Sequential([keras.Input((None, 2)), keras.layers.LSTM(2), keras.layers.Dense(1)])
    assert addressing.with_memory(plain) is None
