"""Nothing in the copy task leaks the data symbols: a model starts at ln 9, and no short training beats the floor."""

from math import log

import numpy as np
import pytest

from experiments.tasks.loading.find import make
from search_spaces.recurrent import LOSSES, RecurrentSpace

LENGTH, SYMBOLS = 100, 10
FLOOR = SYMBOLS * log(8) / (LENGTH + 2 * SYMBOLS)  # nats over all steps, without memory


def test_the_published_floor() -> None:
    assert pytest.approx(0.17329, abs=1e-5) == FLOOR


def test_blanks_are_trained_on_but_not_scored() -> None:
    task = make("copy_memory", {"length": "3", "symbols": "2"})
    y = np.array([[0, 0, 0, 0, 0, 3, 5]], np.int32)
    blank, half = np.zeros((2, 1, 7, 9), np.float32)
    blank[..., 0], half[..., 3] = 1, 1
    assert task.score(y, blank) == 0
    assert task.score(y, half) == 0.5


@pytest.mark.slow
@pytest.mark.parametrize(("cell", "rate"), [("gru", 0.003), ("lstm", 0.01)])  # where 300 steps reach the floor
def test_a_short_training_stays_at_the_floor(cell: str, rate: float) -> None:
    import keras

    keras.utils.set_random_seed(0)
    task = make("copy_memory", {"length": str(LENGTH), "train": str(300 * 32), "val": "500"})
    (x, y), (x_val, y_val) = task.split("train", 0), task.split("val", 0)
    space = RecurrentSpace(tokens=task.tokens, outputs=task.outputs, loss=task.loss, one_hot=True, per_step=True)
    model = space.stack([(cell, 64)], 0.0)
    model.compile(keras.optimizers.Adam(rate, global_clipnorm=1.0), LOSSES[task.loss]())
    losses = [model.evaluate(x_val, y_val, verbose=0)]
    assert losses[0] == pytest.approx(log(9), rel=0.05)
    for part in np.array_split(np.arange(len(x)), 10):  # 30 steps of 32 sequences at a time
        model.fit(x[part], y[part], batch_size=32, shuffle=False, verbose=0)
        losses.append(model.evaluate(x_val, y_val, verbose=0))
    assert min(losses) > 0.95 * FLOOR
    assert losses[-1] < 1.3 * FLOOR, "it has learnt to be silent"
    assert task.score(y_val, model.predict(x_val, verbose=0)) == pytest.approx(1 / 8, abs=0.03)
