"""Training steps that are traced as one function: the same as Keras' own."""

from collections.abc import Iterator

import keras
import numpy as np
import pytest
import tensorflow as tf

from experiments.training.batches import Batches
from experiments.training.tracing import rewrite_graphs, trace_as_one
from search_spaces import cells

BATCH, SAMPLES = 8, 52  # seven batches, the last one of four samples


@pytest.fixture(autouse=True)
def rewriting() -> Iterator[None]:
    yield
    rewrite_graphs(True)


def trained(kernel: str, ours: bool, per_execution: int) -> tuple[keras.Model, list[float]]:
    """A model after two epochs, and their losses."""
    keras.utils.set_random_seed(0)
    layer = cells.load("gru").layer(4, False, "gru_1", kernel)
    model = keras.Sequential([keras.Input((None, 2)), layer, keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.01, global_clipnorm=0.5), "mse", steps_per_execution=per_execution)
    model.optimizer.build(model.trainable_variables)
    x = np.random.default_rng(0).normal(size=(SAMPLES, 6, 2)).astype(np.float32)
    batches = Batches((x, x[:, 0, :1] * x[:, -1, 1:]), BATCH)
    if ours:
        trace_as_one(model)
    assert (model.train_function is not None) is ours, "fit keeps it"
    order = np.arange(SAMPLES)
    history = [model.fit(batches.shuffled(part), verbose=0).history for part in (order, order[::-1])]
    return model, [losses["loss"][0] for losses in history]


@pytest.mark.parametrize("kernel", ["loop", "xla", "native"])
@pytest.mark.parametrize("per_execution", [1, 3, 7])
def test_training_is_what_keras_does(kernel: str, per_execution: int) -> None:
    (model, losses), (stock, expected) = (trained(kernel, ours, per_execution) for ours in (True, False))
    assert losses == pytest.approx(expected, rel=1e-6)
    assert losses[0] != losses[1]
    assert model.optimizer.iterations == stock.optimizer.iterations == 2 * 7
    for one, other in zip(model.get_weights(), stock.get_weights(), strict=True):
        assert one == pytest.approx(other, abs=1e-6)


def test_a_model_that_is_compiled_as_a_whole_keeps_keras_function() -> None:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=True)
    trace_as_one(model)
    assert model.train_function is None, "fit will make its own"


@pytest.mark.parametrize("kernel", ["loop", "xla", "native"])
def test_rewriting_changes_no_result(kernel: str) -> None:
    found = []
    for on in (True, False):
        rewrite_graphs(on)
        assert tf.config.optimizer.get_experimental_options()["disable_meta_optimizer"] is not on
        model, losses = trained(kernel, True, 3)
        found.append(np.concatenate([losses, *(part.ravel() for part in model.get_weights())]))
    assert found[0] == pytest.approx(found[1], abs=1e-5)
