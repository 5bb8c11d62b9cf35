"""The space: what it declares, what it builds, and that it works under stock Keras Tuner."""

import math
import re
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
import pytest
from support.spaces import at, conditions, declared, named, space

from experiments.strategy.points import points
from search_spaces import cells
from search_spaces.architecture import EMBEDDING, architecture, layers, parameters
from search_spaces.recurrent import RecurrentSpace

LAYERS = {"simple_rnn": keras.layers.SimpleRNN, "lstm": keras.layers.LSTM, "gru": keras.layers.GRU}


def expected_parameters(stack: list[tuple[str, int]], inputs: int, outputs: int) -> int:
    """By the cells' equations: every gate has W, U and a bias; GRU's `reset_after` a second bias."""
    total = 0
    for cell, width in stack:
        gates = cells.facts(cell).gates
        biases = 2 if cell == "gru" else 1
        total += gates * (inputs * width + width * width + biases * width)
        inputs = width
    return total + inputs * outputs + outputs


def test_the_flat_space_by_names_values_and_defaults() -> None:
    found = named(declared(space()))
    assert list(found) == ["depth", "cell", "width", "learning_rate", "dropout"]
    assert (found["depth"].values, found["depth"].default) == ([1, 2, 3], 1)
    assert (found["cell"].values, found["cell"].default) == (cells.searched(), "simple_rnn")
    width, rate = found["width"], found["learning_rate"]
    assert isinstance(width, keras_tuner.engine.hyperparameters.Int)
    assert (width.min_value, width.max_value, width.step, width.sampling) == (16, 128, 16, "linear")
    assert isinstance(rate, keras_tuner.engine.hyperparameters.Float)
    assert (rate.min_value, rate.max_value, rate.step, rate.sampling) == (1e-4, 1e-2, None, "log")
    assert found["dropout"].values == [0.0]
    assert conditions(found["dropout"]) == [("depth", [2, 3])]
    assert [conditions(found[name]) for name in ("depth", "cell", "width", "learning_rate")] == [[], [], [], []]


def test_the_mixed_space_has_a_cell_and_a_width_per_layer() -> None:
    found = named(declared(space(mixed=True, widths=[8, 32], dropout=(0.0, 0.5))))
    layered = [f"{word}_{layer}" for layer in (1, 2, 3) for word in ("cell", "width")]
    assert list(found) == ["depth", *layered, "learning_rate", "dropout"]
    for layer, depths in ((1, [1, 2, 3]), (2, [2, 3]), (3, [3])):
        assert conditions(found[f"cell_{layer}"]) == conditions(found[f"width_{layer}"]) == [("depth", depths)]
        assert found[f"width_{layer}"].values == [8, 32]
    dropout = found["dropout"]
    assert (dropout.min_value, dropout.max_value, dropout.sampling) == (0.0, 0.5, "linear")
    assert conditions(dropout) == [("depth", [2, 3])]


@pytest.mark.parametrize(("depths", "expected"), [([1, 3], [[1, 3], [3], [3]]), ([2], [[2], [2]]), ([1], [[1]])])
def test_layers_stand_under_the_depths_that_have_them(depths: list[int], expected: list[list[int]]) -> None:
    found = named(declared(space(mixed=True, depths=depths)))
    assert [conditions(found[f"cell_{layer + 1}"])[0][1] for layer in range(len(expected))] == expected
    assert f"cell_{len(expected) + 1}" not in found
    assert ("dropout" in found) == (max(depths) > 1)


def test_a_narrowed_space() -> None:
    found = named(
        declared(space(cells=["lstm", "gru"], depths=[2], widths=range(8, 25, 8), learning_rate=[0.01, 0.001]))
    )
    assert found["cell"].values == ["lstm", "gru"], "in the order given"
    assert found["depth"].values == [2]
    assert (found["width"].min_value, found["width"].max_value, found["width"].step) == (8, 24, 8)
    assert found["learning_rate"].values == [0.01, 0.001]


def test_a_width_range_of_one_value() -> None:
    hp = declared(space(widths=range(16, 17, 16)))
    assert {values["width"] for values in points(declared(space(widths=range(16, 17, 16), learning_rate=[0.1])))} == {
        16
    }
    assert hp.get("width") == 16


@pytest.mark.parametrize("mixed", [False, True])
def test_building_declares_nothing_new(mixed: bool) -> None:
    made = space(mixed=mixed, cells=["gru"], widths=[2], learning_rate=[0.1], dropout=[0.5])
    hp = declared(made)
    before = [(parameter.name, conditions(parameter)) for parameter in hp.space]
    assert [values["depth"] for values in points(declared(made))] == [1, 2, 3]
    for values in points(declared(made)):
        hp.values = values
        made.build(hp)
        assert [(parameter.name, conditions(parameter)) for parameter in hp.space] == before
    fresh = keras_tuner.HyperParameters()
    made.build(fresh)
    assert [(parameter.name, conditions(parameter)) for parameter in fresh.space] == before


@pytest.mark.parametrize(
    ("mixed", "chosen", "count"), [(False, ["simple_rnn", "lstm", "gru"], 18), (True, ["lstm", "gru"], 36)]
)
def test_every_point_builds(mixed: bool, chosen: list[str], count: int) -> None:
    made = space(
        mixed=mixed,
        cells=chosen,
        depths=[1, 2],
        widths=[2, 3],
        learning_rate=[0.125],
        dropout=[0.0, 0.25],
        per_step=mixed,
    )
    seen = []
    for values in points(declared(made)):
        model, stack = made.build(at(values)), layers(values)
        seen.append((architecture(values), values.get("dropout")))
        recurrent = [layer for layer in model.layers if isinstance(layer, keras.layers.RNN)]
        assert [(type(layer), layer.units) for layer in recurrent] == [(LAYERS[cell], width) for cell, width in stack]
        assert [layer.return_sequences for layer in recurrent] == [True] * (len(stack) - 1) + [mixed]
        kinds = [type(layer).__name__ for layer in model.layers]
        if values.get("dropout"):
            assert kinds[1] == "Dropout" and kinds.count("Dropout") == len(stack) - 1 == 1
            assert model.layers[1].rate == 0.25
        else:
            assert "Dropout" not in kinds
        assert kinds[-1] == "Dense" and model.layers[-1].activation is keras.activations.linear
        assert model.count_params() == expected_parameters(stack, 3, 2)
        assert model.input_shape == (None, None, 3)
        assert model.output_shape == ((None, None, 2) if mixed else (None, 2))
        assert len({layer.name for layer in model.layers}) == len(model.layers)
        assert model.optimizer.global_clipnorm == 1.0
        assert model.optimizer.clipnorm is None and model.optimizer.clipvalue is None
        assert float(model.optimizer.learning_rate) == 0.125
    assert len(seen) == len(set(seen)) == count


def test_the_learning_rate_falls_along_half_a_cosine() -> None:
    hyperparameters = keras_tuner.HyperParameters()
    optimizer = space(learning_rate=[0.2], decay_steps=100).build(hyperparameters).optimizer
    for step, rate in (
        (0, 0.2),
        (25, 0.1 * (1 + math.sqrt(0.5))),
        (50, 0.1),
        (75, 0.1 * (1 - math.sqrt(0.5))),
        (100, 0),
    ):
        optimizer.iterations.assign(step)
        assert float(optimizer.learning_rate) == pytest.approx(rate, abs=1e-6)
    with pytest.raises(ValueError, match="^decay_steps: expected a whole number from 1, got 0$"):
        space(decay_steps=0)


def test_dropout_lies_between_recurrent_layers_alone() -> None:
    model = space().stack([("gru", 2), ("lstm", 3), ("simple_rnn", 4)], 0.5)
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds == ["GRU", "Dropout", "LSTM", "Dropout", "SimpleRNN", "Dense"]
    assert [type(layer).__name__ for layer in space().stack([("gru", 2)], 0.5).layers] == ["GRU", "Dense"]
    one_layer = space(dropout=[0.5], widths=[2]).build(at({"depth": 1, "cell": "gru", "width": 2, "dropout": 0.5}))
    assert [type(layer).__name__ for layer in one_layer.layers] == ["GRU", "Dense"]


@pytest.mark.parametrize(("tokens", "features"), [(7, 7), (64, 64), (104, EMBEDDING)])
def test_tokens_are_embedded(tokens: int, features: int) -> None:
    made = RecurrentSpace(tokens, "categorical", tokens=tokens, per_step=True)
    model = made.stack([("gru", 5)], 0.0)
    assert model.input_shape == (None, None) and model.inputs[0].dtype == "int32"
    assert model.layers[0].count_params() == tokens * features
    assert model.count_params() == tokens * features + expected_parameters([("gru", 5)], features, tokens)
    assert model.output_shape == (None, None, tokens)


@pytest.mark.parametrize("per_step", [False, True])
def test_batch_and_time_are_free(per_step: bool) -> None:
    model = space(per_step=per_step).stack([("lstm", 4), ("gru", 2)], 0.0)
    for batch, time in ((1, 1), (4, 9)):
        found = model(np.zeros((batch, time, 3), np.float32))
        assert found.shape == ((batch, time, 2) if per_step else (batch, 2))


def test_the_losses_are_means_over_everything_that_is_scored() -> None:
    regression = space().build(keras_tuner.HyperParameters())
    found = regression.loss(np.array([[1.0, 2.0]]), np.array([[0.0, 0.0]]))
    assert float(found) == pytest.approx((1 + 4) / 2)
    classes = RecurrentSpace(3, "categorical", tokens=3, per_step=True).build(keras_tuner.HyperParameters())
    logits = np.log(np.array([[[1, 2, 4], [1, 1, 2]]], np.float32))
    expected = -(np.log(4 / 7) + np.log(1 / 4)) / 2
    assert float(classes.loss(np.array([[2, 0]]), logits)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"depth": 1, "cell": "lstm", "width": 32}, "lstm-32"),
        ({"depth": 2, "cell": "gru", "width": 64}, "gru-64x2"),
        ({"depth": 3, "cell": "simple_rnn", "width": 16, "dropout": 0.1}, "simple_rnn-16x3"),
        ({"depth": 1, "cell_1": "gru", "width_1": 8}, "gru-8"),
        ({"depth": 2, "cell_1": "lstm", "width_1": 64, "cell_2": "gru", "width_2": 32}, "lstm-64+gru-32"),
        ({"depth": 2, "cell_1": "gru", "width_1": 32, "cell_2": "lstm", "width_2": 64}, "gru-32+lstm-64"),
        ({"depth": 2, "cell_1": "lstm", "width_1": 64, "cell_2": "lstm", "width_2": 64}, "lstm-64x2"),
        ({"depth": 2, "cell_1": "lstm", "width_1": 64, "cell_2": "lstm", "width_2": 32}, "lstm-64+lstm-32"),
        (  # what stands under layers that the model does not have has no part in it
            {"depth": 1, "cell_1": "gru", "width_1": 8, "cell_2": "lstm", "width_2": 16},
            "gru-8",
        ),
    ],
)
def test_architecture(values: dict[str, Any], words: str) -> None:
    assert architecture(values) == words


def test_parameters_of_a_flat_trial() -> None:
    values = {"depth": 1, "cell": "gru", "width": 64, "learning_rate": 0.01}
    names = ["depth", "cell", "width", "learning_rate", "dropout"]
    expected = {**values, "dropout": 0, "architecture": "gru-64"}
    assert parameters(values, names) == expected
    assert values == {"depth": 1, "cell": "gru", "width": 64, "learning_rate": 0.01}, "not changed"


def test_parameters_of_a_mixed_trial_have_every_name() -> None:
    made = space(mixed=True, depths=[1, 2, 3], widths=[32, 64])
    names = [parameter.name for parameter in declared(made).space]
    values = {"depth": 2, "cell_1": "lstm", "width_1": 32, "cell_2": "gru", "width_2": 64, "learning_rate": 0.01}
    assert parameters({**values, "dropout": 0.25}, names) == {
        **values,
        "cell_3": "none",
        "width_3": 0,
        "dropout": 0.25,
        "architecture": "lstm-32+gru-64",
        "cell": "lstm+gru",
        "width": 64,
    }
    same = {"depth": 3, **{f"cell_{layer}": "gru" for layer in (1, 2, 3)}}
    same |= {"width_1": 16, "width_2": 48, "width_3": 32}
    found = parameters(same, names)
    assert (found["cell"], found["width"], found["architecture"]) == ("gru", 48, "gru-16+gru-48+gru-32")


@pytest.mark.parametrize("mixed", [False, True])
def test_stock_random_search(mixed: bool, tmp_path: Path, untraced: None) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.random((16, 5, 3), np.float32), rng.random((16, 2), np.float32)
    made = space(mixed=mixed, cells=["simple_rnn", "gru"], depths=[1, 2], widths=[2, 3], dropout=[0.0, 0.25])
    tuner = keras_tuner.RandomSearch(made, objective="val_loss", max_trials=2, seed=1, directory=str(tmp_path))
    tuner.search(x, y, validation_data=(x, y), epochs=1, verbose=0)
    trials = tuner.oracle.get_best_trials(2)
    assert [trial.status for trial in trials] == ["COMPLETED", "COMPLETED"]
    assert len(tuner.oracle.trials) == 2
    for trial in trials:
        assert np.isfinite(trial.score)
        rate = trial.hyperparameters.values["learning_rate"]
        assert 1e-4 <= rate <= 1e-2
        model = made.build(trial.hyperparameters)
        stack = layers(trial.hyperparameters.values)
        assert model.count_params() == expected_parameters(stack, 3, 2)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"tokens": 4}, "features, tokens: expected one of the two, got 3 and 4"),
        ({"features": None}, "features, tokens: expected one of the two, got None and None"),
        ({"loss": "mae"}, "loss: expected one of mse, categorical, binary, got 'mae'"),
        ({"cells": ["lstm", "rnn"]}, f"cells: expected some of {', '.join(cells.names())}, got 'rnn'"),
        ({"depths": []}, "depths: expected whole numbers from 1, got []"),
        ({"depths": [0, 1]}, "depths: expected whole numbers from 1, got [0, 1]"),
        ({"depths": range(3, 1)}, "depths: expected whole numbers from 1, got []"),
        ({"widths": [-16, 16]}, "widths: expected whole numbers from 1, got [-16, 16]"),
        ({"widths": range(0, 33, 16)}, "widths: expected whole numbers from 1, got [0, 16, 32]"),
    ],
)
def test_arguments_that_it_cannot_use(changes: dict[str, Any], line: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
        space(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"learning_rate": []},
        {"learning_rate": [0.0]},
        {"learning_rate": [-0.1]},
        {"learning_rate": (0.0, 0.1)},
        {"learning_rate": (0.1, 0.01)},
        {"learning_rate": [float("nan")]},
        {"dropout": []},
        {"dropout": [1.0]},
        {"dropout": [-0.1]},
        {"dropout": (0.0, 1.0)},
    ],
    ids=str,
)
def test_rates_and_dropouts_that_it_cannot_use(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=rf"^{next(iter(changes))}: expected "):
        space(**changes)
