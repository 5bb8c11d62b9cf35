"""Adam's update in one operation: the numbers of the paper, Keras' own numbers, and what it leaves to Keras."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from experiments.training.adam import update_at_once

STEPS = 25


def trained(optimizer: Any, at_once: bool) -> tuple[list[np.ndarray], list[np.ndarray], list[str]]:
    """The weights after some steps, the optimizer's variables, and the operations of a step's graph.

    The first layer is an embedding. Without clipping its gradient has rows.
    """
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((4,), dtype="int32"), keras.layers.Embedding(6, 5), keras.layers.GRU(7)])
    optimizer.build(model.trainable_variables)
    if at_once:
        update_at_once(optimizer)
    rng = np.random.default_rng(0)
    data = tf.constant(rng.integers(6, size=(STEPS, 8, 4)))

    @tf.function
    def step(number: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(data[number]) - 0.3))
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)

    for number in range(STEPS):
        step(tf.constant(number))
    names = [one.type for one in step.get_concrete_function(tf.constant(0)).graph.get_operations()]
    return model.get_weights(), [np.asarray(part) for part in optimizer.variables], names


@pytest.mark.parametrize("clip", [None, 0.01])
@pytest.mark.parametrize("decay", [False, True])
def test_it_trains_as_keras(clip: float | None, decay: bool) -> None:
    def adam() -> Any:
        rate = keras.optimizers.schedules.CosineDecay(0.03, STEPS) if decay else 0.03
        return keras.optimizers.Adam(rate, global_clipnorm=clip, weight_decay=0.01 if decay else None)

    ours, moments, names = trained(adam(), True)
    theirs, their_moments, their_names = trained(adam(), False)
    for one, other in zip(ours + moments, theirs + their_moments, strict=True):
        # In single precision 1 - beta_2 is 1.3e-5 less than Keras' own.
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4 * np.abs(other).max())
    # The kernel, the recurrent kernel and the bias. Without clipping the gradient of the embedding is rows.
    assert names.count("ResourceApplyAdam") == (3 if clip is None else 4)
    assert "ResourceApplyAdam" not in their_names


@pytest.mark.parametrize("optimizer", [keras.optimizers.RMSprop, lambda: keras.optimizers.Adam(amsgrad=True)])
def test_others_are_left_to_keras(optimizer: Any) -> None:
    one = optimizer()
    before = one.update_step
    update_at_once(one)
    assert one.update_step == before


def test_it_has_the_numbers_of_the_paper() -> None:
    """Algorithm 1 with epsilon inside the rate of section 2, in double precision."""
    rate, first, second, epsilon = 0.1, 0.8, 0.95, 1e-3
    optimizer = keras.optimizers.Adam(rate, first, second, epsilon)
    variable = keras.Variable(np.array([1.0, -2.0], "float32"))
    optimizer.build([variable])
    update_at_once(optimizer)
    weights, m, v = np.array([1.0, -2.0]), np.zeros(2), np.zeros(2)
    for t in range(1, 6):
        gradient = np.array([0.5 * t, -1.0 / t])
        optimizer.apply([tf.constant(gradient, tf.float32)], [variable])
        m, v = first * m + (1 - first) * gradient, second * v + (1 - second) * gradient**2
        weights = weights - rate * np.sqrt(1 - second**t) / (1 - first**t) * m / (np.sqrt(v) + epsilon)
    np.testing.assert_allclose(variable.numpy(), weights, rtol=1e-6)
    assert int(optimizer.iterations.numpy()) == 5
