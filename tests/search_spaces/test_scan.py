"""The kernel `xla` against Keras' own loop: outputs, states and every gradient, with and without masks."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from support.cells import UNITS, check_computes_as_keras, check_saved_as_stock_keras, outcome, pair

from search_spaces.kernels import cells_with
from search_spaces.recurrent import RecurrentSpace

KINDS = [*((name, {}) for name in cells_with("xla")), ("simple_rnn", {"activation": "relu"})]


@pytest.mark.parametrize(("name", "more"), KINDS)
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
def test_it_is_what_keras_computes(
    name: str, more: dict[str, Any], sequences: bool, masked: bool, backwards: bool
) -> None:
    check_computes_as_keras(name, "xla", more, sequences, masked, backwards)


@pytest.mark.parametrize(("name", "more"), KINDS)
def test_a_single_step(name: str, more: dict[str, Any]) -> None:
    layers = pair(name, "xla", more)
    x, states = tf.ones((3, 1, 2)), [tf.fill((3, UNITS), 0.5)] * (2 if name == "lstm" else 1)
    for one, other in zip(*(outcome(layer, x, states, None) for layer in layers), strict=True):
        assert one == pytest.approx(other, abs=2e-5)


@pytest.mark.parametrize(("name", "more"), KINDS)
def test_gradients_are_finite_differences(name: str, more: dict[str, Any]) -> None:
    layer, _ = pair(name, "xla", more)
    x = np.random.default_rng(0).normal(size=(2, 6, 2)).astype(np.float32)
    point = tf.Variable(x)
    with tf.GradientTape() as tape:
        size = tf.reduce_sum(layer(point) ** 2)
    found = np.asarray(tape.gradient(size, point))
    for place in [(0, 0, 0), (1, 3, 1), (0, 5, 0)]:
        shift = np.zeros_like(x)
        shift[place] = 1e-2
        up, down = (float(tf.reduce_sum(layer(tf.constant(x + sign * shift)) ** 2)) for sign in (1, -1))
        assert found[place] == pytest.approx((up - down) / 2e-2, rel=0.02, abs=2e-4)


@pytest.mark.parametrize(("cell", "depth"), [("lstm", 1), *((cell, 2) for cell in cells_with("xla"))])
def test_a_model_trains_alike_and_is_saved_as_stock_keras(cell: str, depth: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.random((48, 9, 2), np.float32), rng.random((48, 1), np.float32)
    values = {"depth": depth, "cell": cell, "width": 6, "learning_rate": 0.01}
    losses, models = [], []
    for asked in ("loop", "xla"):
        space = RecurrentSpace(features=2, outputs=1, loss="mse", asked=asked)
        assert space.kernel([(cell, 6)] * depth)[0] == asked
        keras.utils.set_random_seed(0)
        hp = hyperparameters(values)
        models.append(space.build(hp))
        models[-1].run_eagerly = asked == "loop"  # tracing the loop takes longer than its few short steps
        losses.append(models[-1].fit(x, y, batch_size=16, epochs=3, shuffle=False, verbose=0).history["loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    check_saved_as_stock_keras(models[1], x, tmp_path / "model.keras")


def hyperparameters(values: dict[str, Any]) -> Any:
    import keras_tuner

    hp = keras_tuner.HyperParameters()
    hp.values = dict(values)
    return hp
