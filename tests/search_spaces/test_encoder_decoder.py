"""The encoder and the decoder: their names and sizes, stock layers, causality, costs, what is refused."""

from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
import pytest

from search_spaces.architecture import architecture
from search_spaces.cost import flops
from search_spaces.errors import SpaceError
from search_spaces.horizon import of_encoder
from search_spaces.plain import plain
from search_spaces.recipe import Recipe
from search_spaces.recurrent import RecurrentSpace

SOURCE, TARGET, TOKENS, OUTPUTS = 7, 5, 12, 9


def space(**changes: Any) -> RecurrentSpace:
    fixed: dict[str, Any] = {"tokens": TOKENS, "padding": 0, "per_step": True, "source_steps": SOURCE}
    fixed |= {"attention": ("none", "dot"), "cells": ["gru"], "depths": [2], "widths": [8], "learning_rate": [0.01]}
    return RecurrentSpace(OUTPUTS, "categorical", **{**fixed, **changes})


def built(attention: str, **changes: Any) -> keras.Model:
    made, hp = space(**changes), keras_tuner.HyperParameters()
    made.declare_hyperparameters(hp)
    hp.values["attention"] = attention
    keras.utils.set_random_seed(0)
    return made.build(hp)


def batch(count: int = 6) -> np.ndarray:
    rng = np.random.default_rng(0)
    x = np.zeros((count, SOURCE + TARGET), np.int32)
    for row in x:
        row[: rng.integers(1, SOURCE + 1)] = rng.integers(4, TOKENS)
        row[SOURCE] = 1
        row[SOURCE + 1 : SOURCE + 1 + rng.integers(1, TARGET - 1)] = rng.integers(4, OUTPUTS)
    return x


@pytest.mark.parametrize(("cell", "attention"), [("simple_rnn", "none"), ("lstm", "none"), ("gru", "dot")])
@pytest.mark.parametrize("kernel", ["xla", "native"])
def test_the_model_is_one_of_stock_layers(tmp_path: Path, cell: str, attention: str, kernel: str) -> None:
    """A kernel and Keras' own layers, from a file that needs nothing of this project, agree."""
    model = built(attention, cells=[cell], asked=kernel)
    plain(model).save(tmp_path / "model.keras")
    stock = keras.models.load_model(tmp_path / "model.keras", compile=False)
    assert {type(layer).__module__.split(".")[0] for layer in stock.layers} == {"keras"}
    x = batch()
    here, there = model.predict_on_batch(x), np.asarray(stock(x))
    assert here.shape == (len(x), TARGET, OUTPUTS)
    np.testing.assert_allclose(here, there, atol=1e-5)


@pytest.mark.parametrize("attention", ["none", "dot"])
def test_an_answer_knows_the_whole_source_and_no_later_target(attention: str) -> None:
    model, x = built(attention), batch()
    before = model.predict_on_batch(x)
    later, other = x.copy(), x.copy()
    later[:, SOURCE + 3 :] = 5
    other[:, 0] = np.where(x[:, 0] == 4, 5, 4)
    after = model.predict_on_batch(later)
    np.testing.assert_array_equal(before[:, :3], after[:, :3])
    assert np.abs(before - after)[:, 3:].max() > 1e-4
    assert (np.abs(before - model.predict_on_batch(other)).max(axis=-1) > 1e-6).all()


def test_the_decoder_begins_with_the_states_of_the_encoder() -> None:
    """By hand: the states of both layers at the last real step of the source, from the layers' own weights."""
    model, x = built("none"), batch(1)
    real = int((x[0, :SOURCE] != 0).sum())
    read = model.get_layer("source_embedding")(x[:, :real])
    states = []
    for number in (1, 2):
        read, state = model.get_layer(f"encoder_{number}")(read)
        states.append(state)
    written = model.get_layer("target_embedding")(x[:, SOURCE:])
    for number, state in enumerate(states, start=1):
        written, _ = model.get_layer(f"decoder_{number}")(written, initial_state=state)
    np.testing.assert_allclose(model.get_layer("head")(written), model.predict_on_batch(x), atol=1e-5)


def test_attention_is_searched_and_named() -> None:
    hp = keras_tuner.HyperParameters()
    space().declare_hyperparameters(hp)
    assert hp.space[-1].name == "attention" and hp.space[-1].values == ["none", "dot"]
    values = {"cell": "gru", "depth": 2, "width": 8}
    assert architecture({**values, "attention": "dot"}) == "gru-8x2+att"
    assert architecture({**values, "attention": "none"}) == "gru-8x2"
    alone = keras_tuner.HyperParameters()
    space(attention=("none",)).declare_hyperparameters(alone)
    assert "attention" not in [one.name for one in alone.space]


def test_the_cost_by_hand() -> None:
    """GRUs of width 8 over embeddings of 12 and 9 features and over 8; keys, output and head of attention."""
    model, steps = built("dot"), SOURCE + TARGET
    first, second, decoder = 2 * 3 * 8 * (12 + 8), 2 * 3 * 8 * (8 + 8), 2 * 3 * 8 * (9 + 8)
    of_source = first + second + 2 * 8 * 8
    of_target = decoder + second + 2 * 16 * 8 + 2 * 8 * OUTPUTS + 2 * 2 * SOURCE * 8
    expected = (SOURCE * of_source + TARGET * of_target) / steps
    assert flops(model, steps, True, SOURCE) == pytest.approx(expected)


def test_the_encoder_alone_has_the_weights_of_the_whole() -> None:
    model = built("dot")
    initial = [2 * weight for weight in model.get_weights()]
    encoder, first = of_encoder(model, initial)
    assert [layer.name for layer in encoder.layers[:3]] == ["source_embedding", "encoder_1", "encoder_2"]
    for layer in encoder.layers[:3]:
        for one, other in zip(layer.get_weights(), model.get_layer(layer.name).get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
    for one, other in zip(first[:-2], encoder.get_weights()[:-2], strict=True):
        np.testing.assert_array_equal(one, 2 * other)
    assert encoder.layers[2].return_sequences is False


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"attention": ["luong"]}, "attention: expected some of none, dot"),
        ({"per_step": False}, "source_steps: expected a whole number from 1, with tokens, per_step"),
        ({"recipe": Recipe(residual=[0, 1])}, "residual: expected 0 with source_steps"),
        ({"source_steps": None}, "attention: expected none without source_steps, got 'none,dot'"),
    ],
)
def test_what_cannot_be(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SpaceError, match=f"^{message}"):
        space(**changes)


@pytest.mark.parametrize("attention", ["none", "dot"])
def test_the_seed_alone_says_how_the_weights_begin(attention: str) -> None:
    """Two processes must begin alike. An initialiser that is made at the import gives all seeds the same numbers."""

    def begun(seed: int) -> dict[str, np.ndarray]:
        made, hp = space(), keras_tuner.HyperParameters()
        made.declare_hyperparameters(hp)
        hp.values["attention"] = attention
        keras.utils.set_random_seed(seed)
        return {weight.path: np.asarray(weight) for weight in made.build(hp).weights}

    one, same, other = begun(0), begun(0), begun(1)
    for name, values in one.items():
        np.testing.assert_array_equal(same[name], values)
        if np.ptp(values) > 0:  # biases begin with one number
            assert (other[name] != values).any(), name
    source, target = (values for name, values in one.items() if name.endswith("embeddings"))
    assert (source[: len(target), : target.shape[1]] != target[:, : source.shape[1]]).any(), "drawn apart"
