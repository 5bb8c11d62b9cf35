"""The probe against what is known: a linear cell, finite differences, the half-lives of each cell at the beginning."""

import math
from typing import Any

import keras
import keras_tuner
import numpy as np
import pytest
import tensorflow as tf

from experiments.training.batches import Batches
from search_spaces import cells
from search_spaces.horizon import MIN_GAIN, GradientProbe, half_life, measure, plot_points, probe_steps, rate, summary
from search_spaces.kernels import cells_with
from search_spaces.recipe import Recipe
from search_spaces.recurrent import RecurrentSpace
from search_spaces.scan import Scanned, _compiled

WIDTH, STEPS = 64, 300
# (half-life over 50 lags, G50/G0) at the beginning, one seed: T = 300, width 64, Keras' initialisers.
GOLDEN = {
    ("simple_rnn", 1): (7.2, 4.4e-3),
    ("lstm", 1): (4.1, 1.3e-4),
    ("gru", 1): (1.6, 3e-10),
    ("simple_rnn", 16): (2.1, 6e-8),
    ("lstm", 16): (3.6, 5e-5),
    ("gru", 16): (1.4, 2e-11),
}


def model(cell: str, features: int = 1, width: int = WIDTH, depth: int = 1, kernel: str = "loop") -> keras.Model:
    keras.utils.set_random_seed(0)
    layers = [
        cells.load(cell).layer(width, number < depth, f"{cell}_{number}", kernel) for number in range(1, depth + 1)
    ]
    return keras.Sequential([keras.Input((None, features)), *layers, keras.layers.Dense(1, name="head")])


def chrono(cell: str, features: int = 1) -> keras.Model:
    """Tallec & Ollivier 2018: gates that keep for ln U[1, T - 1]."""
    made = model(cell, features)
    kernel, recurrent, bias = made.layers[0].get_weights()
    keep = np.log(np.random.default_rng(0).uniform(1, STEPS - 1, WIDTH))
    bias[...] = 0
    if cell == "gru":
        bias[0, :WIDTH] = keep
    else:
        bias[WIDTH : 2 * WIDTH], bias[:WIDTH] = keep, -keep
    made.layers[0].set_weights([kernel, recurrent, bias])
    return made


def found(made: keras.Model, **more: Any) -> dict[str, float]:
    return summary(GradientProbe(made, STEPS, **more).curve())


def linear(factor: float) -> keras.Model:
    """h[t] = W x[t] + factor Q h[t - 1] with W and Q orthogonal: G_tau / G_0 is factor^tau."""
    one, other = keras.initializers.Orthogonal(seed=1), keras.initializers.Orthogonal(gain=factor, seed=0)
    more = {"kernel_initializer": one, "recurrent_initializer": other}
    layer = keras.layers.SimpleRNN(8, activation="linear", **more)
    return keras.Sequential([keras.Input((None, 8)), layer, keras.layers.Dense(1)])


def test_a_linear_cell_halves_as_its_matrix_does() -> None:
    numbers = found(linear(0.9))
    for name in ("half_life_50", "half_life"):
        assert numbers[name] == pytest.approx(math.log(2) / -math.log(0.9), rel=0.01)
    assert numbers["rate"] == pytest.approx(math.log(0.9), rel=0.01)
    assert numbers["g50_g0"] == pytest.approx(0.9**50, rel=0.01)
    assert numbers["tau_1pct"] == math.ceil(math.log(0.01) / math.log(0.9)) == 44
    assert numbers["tau_eff"] == pytest.approx(9, rel=0.01)


def test_a_cell_whose_gradient_grows_has_a_positive_rate() -> None:
    numbers = found(linear(1.05))
    assert numbers["rate_50"] == pytest.approx(math.log(1.05), rel=0.01)
    assert numbers["half_life_50"] == numbers["half_life"] == numbers["tau_1pct"] == STEPS


def test_what_explodes_beyond_float32_has_finite_numbers() -> None:
    curve = GradientProbe(linear(2.0), STEPS).curve()
    assert np.isfinite(curve).all() and rate(curve, 50) == pytest.approx(math.log(2), rel=0.01)
    assert all(math.isfinite(value) for value in summary(curve).values())


@pytest.mark.parametrize(("cell", "features"), GOLDEN)
def test_half_lives_at_the_beginning(cell: str, features: int) -> None:
    numbers, (steps, left) = found(model(cell, features)), GOLDEN[cell, features]
    assert steps / 1.5 < numbers["half_life_50"] < steps * 1.5
    assert math.log(numbers["g50_g0"]) == pytest.approx(math.log(left), rel=0.5)


def test_the_order_at_one_input_channel() -> None:
    plain = [found(model(cell))["half_life_50"] for cell in ("gru", "lstm", "simple_rnn")]
    assert plain == sorted(plain)
    for cell in ("gru", "lstm"):
        open_gates = found(chrono(cell))
        assert open_gates["half_life_50"] > 1.5 * plain[-1]
        assert open_gates["half_life"] > 5 * plain[-1]
        assert open_gates["tau_1pct"] > 3 * found(model("simple_rnn"))["tau_1pct"]


def test_the_curve_equals_finite_differences() -> None:
    made, rng, steps, change = model("gru", 2, width=5, depth=2), np.random.default_rng(1), 51, 1e-2
    x = rng.standard_normal((3, steps, 2)).astype(np.float32)
    probe = GradientProbe(made, samples=3, seed=4, x=x)
    v = np.random.default_rng((4, 1)).standard_normal((3, 5))
    below = tf.function(keras.Model(made.inputs, made.layers[-1].input), autograph=False)

    def moved(lag: int, feature: int, by: float) -> np.ndarray:
        other = x.copy()
        other[:, -1 - lag, feature] += by
        return (keras.ops.convert_to_numpy(below(other)) * v).sum(axis=1)

    curve = probe.curve()
    for lag in (0, 1, 2, 4):
        slopes = [(moved(lag, feature, change) - moved(lag, feature, -change)) / (2 * change) for feature in (0, 1)]
        assert curve[lag] == pytest.approx(np.log(np.linalg.norm(slopes, axis=0)).mean(), abs=0.02)


@pytest.mark.parametrize("cell", cells_with("xla"))
@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("kernel", ["xla", "native"])
def test_every_kernel_gives_the_same_curve(cell: str, depth: int, kernel: str) -> None:
    made = model(cell, 2, 8, depth, kernel)
    probe = GradientProbe(made, 60)
    below, x = keras.Model(made.inputs, made.layers[-1].input), tf.constant(probe.x)
    v = np.random.default_rng((0, 1)).standard_normal((16, 8)).astype(np.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        s = tf.reduce_sum(v * below(x))
    gains = np.linalg.norm(np.asarray(tape.gradient(s, x), np.float64), axis=2)
    by_kernel = np.log(gains).mean(axis=0)[::-1]
    assert probe.curve()[:30] == pytest.approx(by_kernel[:30], abs=1e-2)


@pytest.mark.parametrize(
    ("stack", "more", "how"),
    [
        *(([(cell, 8)], {"features": 2}, {}) for cell in cells_with("xla")),
        ([("lstm", 8), ("lstm", 8)], {"tokens": 5}, {}),
        ([("gru", 8), ("gru", 8)], {"features": 1, "per_step": True}, {}),
        ([("simple_rnn", 8), ("simple_rnn", 6)], {"features": 2}, {"residual": True}),
        ([("gru", 8), ("gru", 8)], {"features": 2}, {"bidirectional": True}),
        ([("lstm", 8), ("simple_rnn", 6), ("gru", 8)], {"tokens": 5, "one_hot": True}, {}),
    ],
)
def test_what_training_has_compiled_gives_the_same_curve(
    stack: list[tuple[str, int]], more: dict[str, Any], how: dict[str, Any]
) -> None:
    keras.utils.set_random_seed(0)
    space = RecurrentSpace(3, "categorical", asked="xla", **more)
    made, rng = space.stack(stack, 0.2, **how), np.random.default_rng(0)
    made.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    x = rng.integers(5, size=(32, 60)) if "tokens" in more else rng.standard_normal((32, 60, more["features"]))
    y = rng.integers(3, size=(32, 60) if "per_step" in more else 32)
    arrays = x.astype(np.int32 if "tokens" in more else np.float32), y.astype(np.int32)
    made.fit(Batches(arrays, 32).shuffled(np.arange(32)), verbose=0)
    both = [(layer, "forward_layer", "backward_layer") for layer in made.layers]
    layers = [getattr(layer, name, layer) for layer, *names in both for name in names]
    layers = [layer for layer in layers if isinstance(layer, Scanned)]
    programs = [_compiled(part) for layer in layers for part in (layer.forward_pass, layer.backward_pass)]
    traced = [program.experimental_get_tracing_count() for program in programs]
    assert len(layers) == 2 * len(stack) and all(traced)  # those that read one way twice
    curve = GradientProbe(made, 60, compiled=32).curve()
    assert [program.experimental_get_tracing_count() for program in programs] == traced
    assert curve == pytest.approx(GradientProbe(made, 60).curve(), abs=1e-2)


@pytest.mark.parametrize("more", [{}, {"one_hot": True}, {"per_step": True}, {"padding": 0}])
def test_of_tokens_the_embeddings_are_watched(more: dict[str, Any]) -> None:
    keras.utils.set_random_seed(0)
    space = RecurrentSpace(3, "categorical", tokens=7, **more)
    made = space.stack([("lstm", 8), ("lstm", 8)], 0.5)
    before = [array.copy() for array in made.get_weights()]
    probe = GradientProbe(made, 60)
    assert probe.x.shape == (16, 60) and probe.x.max() == 6 and probe.x.min() == ("padding" in more)
    curve = probe.curve()
    assert curve[50] < min(curve[0], curve[5])
    table, *rest = made.get_weights()
    reading = RecurrentSpace(3, "categorical", features=table.shape[1]).stack([("lstm", 8), ("lstm", 8)], 0.0)
    reading.set_weights(rest)
    assert GradientProbe(reading, x=table[probe.x]).curve() == pytest.approx(curve, abs=1e-4)
    assert np.array_equal(curve, probe.curve())
    assert all(np.array_equal(*pair) for pair in zip(before, made.get_weights(), strict=True))
    assert made.layers[-1].output is made.outputs[0], "the model is as it was"


def test_a_masked_model_reads_the_whole_probe() -> None:
    space = RecurrentSpace(1, "mse", features=1, padding=-1.0)
    curve = GradientProbe(space.stack([("simple_rnn", 16)], 0.0), 60).curve()
    assert np.isfinite(curve).all() and curve[1] > math.log(MIN_GAIN)


def test_a_functional_model_of_tokens_is_measured_as_the_sequential_one() -> None:
    made = RecurrentSpace(3, "categorical", tokens=7).stack([("gru", 8)], 0.0)
    start = keras.Input((None,), dtype="int32")
    end = start
    for layer in keras.models.clone_model(made).layers:
        end = layer(end)
    other = keras.Model(start, end)
    other.set_weights(made.get_weights())
    assert GradientProbe(other, 60).curve() == pytest.approx(GradientProbe(made, 60).curve(), abs=1e-5)


def test_a_bidirectional_and_a_functional_model_are_measured() -> None:
    start = keras.Input((None, 2))
    first = keras.layers.Bidirectional(keras.layers.GRU(4, return_sequences=True))(start)
    second = keras.layers.Add()([keras.layers.GRU(8, return_sequences=True)(first), first])
    curve = GradientProbe(keras.Model(start, keras.layers.Dense(1)(second)), 60).curve()
    assert curve.shape == (60,) and np.isfinite(curve).all()


def test_init_and_trained_are_of_their_weights() -> None:
    made, slow = linear(0.9), linear(0.97)
    both = measure(slow, made.get_weights(), STEPS)
    assert both["init"]["summary"]["half_life_50"] == pytest.approx(6.58, rel=0.01)
    assert both["trained"]["summary"]["half_life_50"] == pytest.approx(22.76, rel=0.01)
    assert both["trained"]["curve"]["lags"][-1] == STEPS - 1


def test_rates_leave_out_what_float32_cannot_tell_from_nothing() -> None:
    curve = np.maximum(np.log(0.1) * np.arange(300), np.log(1e-45))
    assert rate(curve, 50) == rate(curve, 299) == pytest.approx(np.log(0.1))
    lost = np.log(np.array([1.0] + [1e-45] * 60))
    assert rate(lost, 50) == math.log(MIN_GAIN) and summary(lost)["tau_1pct"] == 1


def test_a_half_life_is_at_most_what_was_looked_at() -> None:
    assert half_life(-1e-9, 300) == half_life(0.0, 300) == half_life(0.1, 300) == 300
    assert half_life(-math.log(2), 300) == pytest.approx(1)


def test_a_drawn_curve_has_few_points_and_both_ends() -> None:
    curve = -0.1 * np.arange(1000)
    points = plot_points(curve)
    assert len(points["lags"]) == len(points["log10_gain"]) < 70
    assert points["lags"][:20] == list(range(20)) and points["lags"][-1] == 999
    assert points["log10_gain"][10] == pytest.approx(-1 / math.log(10), abs=1e-3)


def test_a_probe_has_room_for_fifty_lags() -> None:
    assert [probe_steps(steps) for steps in (5, 400, 10_000)] == [100, 400, 1_000]
    with pytest.raises(ValueError, match="steps: expected more than 50, got 50"):
        GradientProbe(linear(0.9), 50)


@pytest.mark.parametrize(
    ("tokens", "bidirectional"), [({"tokens": 5}, 0), ({"tokens": 5, "one_hot": True}, 1)], ids=["embedded", "one-hot"]
)
def test_a_residual_model_of_padded_tokens_is_measured_as_one_without_a_mask(
    tokens: dict[str, Any], bidirectional: int
) -> None:
    recipe = Recipe(residual=[1], bidirectional=[bidirectional])
    about: dict[str, Any] = {"depths": [2], "widths": [4], "cells": ["simple_rnn"], "recipe": recipe, **tokens}
    plain, masked = (
        RecurrentSpace(2, "categorical", padding=padding, **about).build(keras_tuner.HyperParameters())
        for padding in (None, 0)
    )
    plain.set_weights(masked.get_weights())
    x = np.random.default_rng(0).integers(1, 5, (4, 60))
    curves = [GradientProbe(model, 60, x=x).curve() for model in (plain, masked)]
    np.testing.assert_allclose(*curves, atol=1e-4)
