"""Recipes: the dimensions they open, the models they make, and that these need nothing of this project."""

import argparse
import dataclasses
import json
import math
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
import pytest
import tensorflow as tf
from support.searching import environment
from support.spaces import at, conditions, declared, named, space

from experiments.cli import main as cli
from experiments.cli.commands import search as search_command
from experiments.config import estimate, recipes
from experiments.config.folders import SearchFolder
from experiments.config.spec import Spec
from experiments.config.units import MOST
from experiments.launcher import settings
from experiments.strategy.points import finite, key, points
from experiments.strategy.points import size as count
from experiments.strategy.proposals import Proposals
from experiments.tasks.loading import find
from search_spaces import cells
from search_spaces.architecture import architecture, parameters
from search_spaces.kernels import cells_with
from search_spaces.native.layers import Native
from search_spaces.plain import plain
from search_spaces.recipe import OPTIMIZERS, Recipe
from search_spaces.scan import Scanned
from search_spaces.streams import carrying, reset

ALL = Recipe(
    inits=("default", "orthogonal", "identity", "chrono"),
    biases=[0.0, 2.0],
    clips=[0.25, 1.0],
    optimizers=OPTIMIZERS,
    residual=[0, 1],
    bidirectional=[0, 1],
    longest=20,
)
FLAGS = {"init": "default,chrono", "bias": "0,5", "clip": "0.25", "optimizer": "rmsprop"}
FLAGS |= {"residual": "no,yes", "bidirectional": "yes"}


def small(recipe: Recipe = ALL, **changes: Any) -> Any:
    if changes.get("per_step"):
        recipe = dataclasses.replace(recipe, bidirectional=[0])
    return space(**{"depths": [1, 2], "widths": [4], "learning_rate": [0.01], "recipe": recipe, **changes})


def differing(**changes: Any) -> list[dict[str, Any]]:
    """Points of a space in which all there is to a recipe occurs, depth 1 and 2; one optimiser and clip."""
    recipe = dataclasses.replace(ALL, biases=[2.0], clips=[1.0], optimizers=("adam",))
    return list(points(declared(small(recipe, **changes))))


# ---- the space ----


def test_the_dimensions_and_what_they_depend_on() -> None:
    known = ["simple_rnn", "gru", "lstm"]
    found = named(declared(small(cells=known)))
    assert list(found) == [
        *("depth", "cell", "width", "init_simple_rnn", "init_gru", "bias_gru", "init_lstm", "bias_lstm"),
        *("learning_rate", "dropout", "optimizer", "clip", "bidirectional", "residual"),
    ]
    for cell in known:
        assert tuple(found[f"init_{cell}"].values) == cells.facts(cell).inits
        assert conditions(found[f"init_{cell}"]) == [("cell", [cell])]
    for cell in ("lstm", "gru"):
        without = [name for name in cells.facts(cell).inits if name != "chrono"]
        assert conditions(found[f"bias_{cell}"]) == [("cell", [cell]), (f"init_{cell}", without)]
        assert found[f"bias_{cell}"].values == [0.0, 2.0]
    assert conditions(found["residual"]) == [("depth", [2])]
    assert [conditions(found[name]) for name in ("optimizer", "clip", "bidirectional")] == [[], [], []]


def test_each_layer_of_a_mixed_space_begins_by_itself() -> None:
    found = named(declared(small(mixed=True, cells=["lstm", "simple_rnn"])))
    layered = [
        f"{word}_{layer}" for layer in (1, 2) for word in ("cell", "width", "init_lstm", "bias_lstm", "init_simple_rnn")
    ]
    assert list(found)[1:11] == layered
    assert conditions(found["bias_lstm_2"])[:2] == [("depth", [2]), ("cell_2", ["lstm"])]


@pytest.mark.parametrize("mixed", [False, True])
def test_every_point_once(mixed: bool) -> None:
    made = small(mixed=mixed, cells=["simple_rnn", "lstm", "gru"])
    listed = [key(values) for values in points(declared(made))]
    starts = 2 + (3 * 2 + 1) + (2 * 2 + 1)  # SimpleRNN; LSTM and GRU, whose chrono has a bias of its own
    deep = 2 * (starts**2 if mixed else starts)
    assert len(listed) == len(set(listed)) == 2 * 2 * 2 * (starts + deep)
    spec = Spec(name="n", task="adding", options={}, cells=["simple_rnn", "lstm", "gru"], mixed=mixed, depth="1:2")
    spec = dataclasses.replace(spec, width="4", learning_rate="0.01", init="default,orthogonal,identity,chrono")
    spec = dataclasses.replace(spec, bias="0,2", clip="0.25,1", optimizer="adam,rmsprop")
    spec = dataclasses.replace(spec, residual="no,yes", bidirectional="no,yes")
    assert estimate.space_size(spec) == len(listed)


def test_points_of_a_deep_space_are_counted_without_going_through_them() -> None:
    made = small(mixed=True, cells=["simple_rnn", "lstm", "gru"])
    made.depths = range(1, 31)
    starts = 2 + (3 * 2 + 1) + (2 * 2 + 1)
    assert count(declared(made)) == 2 * 2 * 2 * (starts + sum(2 * starts**depth for depth in range(2, 31)))


def test_the_grid_proposes_every_point_once() -> None:
    recipe = dataclasses.replace(ALL, clips=[1.0], optimizers=("adam",))
    hp = declared(small(recipe, cells=["simple_rnn", "lstm", "gru"]))
    tried: set[Any] = set()
    proposals = Proposals("grid", hp, 0)
    while values := proposals.next([], tried):
        assert key(values) not in tried
        tried.add(key(values))
    assert tried == {key(values) for values in points(hp)} and len(tried) == 2 * 3 * (2 + 7 + 5)


@pytest.mark.parametrize(
    ("changes", "size"),
    [
        ({}, 3),
        ({"init": "default,chrono"}, None),
        ({"cells": ["lstm", "gru"], "init": "chrono"}, 2),
        ({"cells": ["lstm", "gru"], "init": "chrono", "bias": "0:10"}, 2),
        ({"cells": ["lstm", "gru"], "init": "default,chrono", "bias": "0:10"}, None),
        ({"cells": ["lstm", "gru"], "init": "identity,chrono", "bias": "0,1,2"}, 5),
        ({"cells": ["simple_rnn", "gru"], "bias": "0,1,2"}, 4),
        ({"clip": "0.5:2"}, None),
        ({"clip": "0.5,2", "residual": "no,yes", "bidirectional": "no,yes"}, 12),
        ({"depth": "1,2", "residual": "no,yes"}, 9),
    ],
    ids=str,
)
def test_the_size_of_a_space(changes: dict[str, Any], size: int | None) -> None:
    plainest = {"depth": "1", "width": "4", "learning_rate": "0.01"}
    spec = Spec(
        **{"name": "n", "task": "adding", "options": {}, "cells": ["simple_rnn", "gru", "lstm"], **plainest, **changes}
    )
    if changes == {"init": "default,chrono"}:
        size = 1 + 2 + 2
    assert estimate.space_size(spec) == size
    made = space(cells=spec.cells, depths=[int(part) for part in spec.depth.split(",")], widths=[4])
    made.learning_rate, made.recipe = [0.01], recipes.recipe(spec, find.make("adding", {}))
    hp = declared(made)
    assert finite(hp) is (size is not None) or (spec.bias == "0:10" and size == 2)
    if finite(hp):
        assert len(list(points(hp))) == size


def test_a_recipe_that_is_as_by_default_declares_nothing() -> None:
    assert list(named(declared(space(recipe=Recipe())))) == list(named(declared(space())))
    same = Recipe(inits=["default"], clips=[1.0], optimizers=["adam"], residual=[0], bidirectional=[0])
    assert list(named(declared(space(recipe=same)))) == list(named(declared(space())))


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"inits": ["chaos"]}, "inits: expected some of default, orthogonal, identity, chrono, got 'chaos'"),
        ({"inits": []}, "inits: expected some of default, orthogonal, identity, chrono, got none"),
        ({"optimizers": ["sgd"]}, "optimizers: expected some of adam, rmsprop, got 'sgd'"),
        ({"residual": [2]}, "residual: expected 0, 1 or both, got [2]"),
        ({"bidirectional": []}, "bidirectional: expected 0, 1 or both, got []"),
        ({"inits": ["chrono"]}, "longest: expected a whole number from 2 for chrono, got None"),
        ({"inits": ["chrono"], "longest": 1}, "longest: expected a whole number from 2 for chrono, got 1"),
    ],
    ids=str,
)
def test_recipes_that_cannot_be(changes: dict[str, Any], line: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
        Recipe(**changes)


@pytest.mark.parametrize("changes", [{"biases": [-1.0]}, {"biases": []}, {"clips": [-1.0]}, {"clips": (0.0, 1.0)}])
def test_biases_and_clips_that_cannot_be(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{next(iter(changes))}: expected "):
        Recipe(**changes)


def test_what_does_not_fit_the_space() -> None:
    with pytest.raises(ValueError, match="^inits: expected one of default, identity for simple_rnn, got 'chrono'$"):
        space(recipe=Recipe(inits=["chrono"], longest=9))
    with pytest.raises(ValueError, match="^bidirectional: expected 0 with an output at every step"):
        space(recipe=Recipe(bidirectional=[0, 1]), per_step=True)


# ---- its words ----


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"depth": 2, "cell": "lstm", "width": 8, "init_lstm": "chrono", "residual": 1}, "lstm-8x2 chrono residual"),
        ({"depth": 1, "cell": "gru", "width": 8, "bias_gru": 2.5, "bidirectional": 1}, "gru-8 bias 2.5 bidirectional"),
        ({"depth": 1, "cell": "gru", "width": 8, "init_gru": "default", "residual": 1}, "gru-8"),
        ({"depth": 1, "cell": "lstm", "width": 8, "init_lstm": "identity", "bias_lstm": 0.0}, "lstm-8 identity bias 0"),
        (
            {"depth": 2, **{f"{name}_{at}": value for at in (1, 2) for name, value in (("cell", "lstm"), ("width", 8))}}
            | {"init_lstm_1": "chrono", "bias_lstm_1": 3.0, "init_lstm_2": "default", "bias_lstm_2": 3.0},
            "lstm-8 chrono+lstm-8 bias 3",
        ),
    ],
)
def test_architecture(values: dict[str, Any], words: str) -> None:
    assert architecture(values) == words


def test_every_trial_has_every_parameter() -> None:
    hp = declared(small(cells=["simple_rnn", "lstm"]))
    names = [parameter.name for parameter in hp.space]
    filled = [parameters(values, names) for values in points(hp)]
    assert {frozenset(found) for found in filled} == {frozenset([*names, "architecture", "init"])}
    assert {found["init"] for found in filled} == {"default", "orthogonal", "identity", "chrono"}
    for values, found in zip(points(hp), filled, strict=True):
        assert values.items() <= found.items()
        assert found["init_simple_rnn"] == "none" or found["cell"] == "simple_rnn"


def test_no_two_points_of_a_grid_read_alike() -> None:
    found = Counter(architecture(values) for values in differing(cells=["simple_rnn", "lstm", "gru"]))
    assert max(found.values()) == 1 and len(found) == 3 * 2 * (2 + 4 + 3)


# ---- the models ----


def directions(layer: Any) -> list[Any]:
    """The recurrent layers that a layer of a model is."""
    if isinstance(layer, keras.layers.Bidirectional):
        return [layer.forward_layer, layer.backward_layer]
    return [layer] if isinstance(layer, keras.layers.RNN) else []


def output(model: Any, x: np.ndarray) -> np.ndarray:
    return np.asarray(model(x))


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(4, 4, 3)).astype(np.float32), rng.normal(size=(4, 2)).astype(np.float32)


def telling(cell: str) -> list[dict[str, Any]]:
    """Two layers: each initialisation, with neither and both of the switches; by default with one of them, too."""
    found = differing(cells=[cell], depths=[2], dropout=[0.5])
    return [
        values
        for values in found
        if values.get(f"init_{cell}", "default") == "default" or values["residual"] == values["bidirectional"]
    ]


def test_every_recipe_trains_a_step_and_needs_nothing_of_this_project(
    data: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    x, y = data
    known = [values for cell in cells.searched() for values in telling(cell)]
    for number, values in enumerate(known):
        model = small(dataclasses.replace(ALL, biases=[2.0]), dropout=[0.5]).build(at(values))
        model.run_eagerly = True  # tracing takes longer than a few short steps
        before = model.layers[-1].get_weights()[0]
        assert np.isfinite(model.train_on_batch(x, y)) and (model.layers[-1].get_weights()[0] != before).any()
        stock = plain(model)
        assert stock.compiled and np.asarray(stock(x)) == pytest.approx(np.asarray(model(x)), abs=1e-6)
        assert "recurrent_search" not in json.dumps(json.loads(stock.to_json()))
        # One initialisation has all switches: they choose the layers, and initial values do not depend on the kernel.
        plainest = values.get(f"init_{values['cell']}", "default") == "default"
        kernels = ({"asked": "xla"}, {"asked": "native"}, {"gpus": 1}) if plainest else ()
        for more in kernels:
            other = small(dataclasses.replace(ALL, biases=[2.0]), dropout=[0.5], **more).build(at(values))
            exported = plain(other)
            assert "recurrent_search" not in exported.to_json(), "whatever the kernel"
            assert [type(layer) for layer in exported.layers] == [type(layer) for layer in stock.layers]
        stock.save(tmp_path / f"{number}.keras")
        np.save(tmp_path / f"{number}.npy", model(x))
    np.save(tmp_path / "x", x)
    load_elsewhere(tmp_path, len(known))


ALONE = """
import glob, sys
try:
    import search_spaces
except ImportError:
    pass
else:
    sys.exit("this project is here")
import keras, numpy
x = numpy.load("x.npy")
files = glob.glob("*.keras")
for file in files:
    model = keras.models.load_model(file)
    expected = numpy.load(file.replace(".keras", ".npy"))
    assert abs(numpy.array(model(x)) - expected).max() < 1e-5, file
    assert model(x[:3, :2]).shape == (3, 2), "another batch, another length"
    assert model.optimizer is not None
print(len(files))
"""


def load_elsewhere(folder: Path, count: int) -> None:
    """Loads the models of a folder in a process in which this project cannot be imported."""
    program = f"import sys\nsys.modules.update(dict.fromkeys(['experiments', 'search_spaces', 'tracking']))\n{ALONE}"
    env = environment(folder) | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, str(count)), done.stderr


@pytest.mark.parametrize(("kernel", "kind"), [("xla", Scanned), ("native", Native)])
@pytest.mark.parametrize("cell", cells_with("xla"))
def test_kernels_compute_the_same(cell: str, kernel: str, kind: type, data: tuple[np.ndarray, np.ndarray]) -> None:
    """Padding included: x ends early in half of the rows."""
    x = data[0].copy()
    x[::2, 2:] = 9.0
    for values in differing(cells=[cell]):
        if values.get(f"init_{cell}", "default") != "default":
            continue  # both models get the same weights
        loop, other = (small(padding=9.0, asked=asked).build(at(values)) for asked in ("loop", kernel))
        other.set_weights(loop.get_weights())
        assert all(isinstance(side, kind) for layer in other.layers for side in directions(layer))
        expected = output(loop, x)
        assert output(other, x) == pytest.approx(expected, abs=1e-5), architecture(values)
        assert output(loop, x[::2, :2]) == pytest.approx(expected[::2], abs=1e-5), "padding is not read"


@pytest.mark.parametrize("cell", cells_with("cudnn"))
def test_every_point_can_use_cudnn(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cuDNN asks for stands in every layer's configuration, and its op in the graph for each."""
    monkeypatch.setattr(sys.modules["keras.src.backend.tensorflow.rnn"], "_is_gpu_available", lambda: True)
    for values in differing(cells=[cell], dropout=[0.0, 0.5]):
        model = small(dropout=[0.0, 0.5], gpus=1).build(at(values))
        sides = [side for layer in model.layers for side in directions(layer)]
        for config in (side.get_config() for side in sides):
            assert config["activation"] in (("tanh", "relu") if cell == "simple_rnn" else ("tanh",))
            assert config.get("recurrent_activation", "sigmoid") == "sigmoid" and config.get("reset_after", True)
            assert config["use_bias"] and not config["unroll"] and not config["dropout"] + config["recurrent_dropout"]
        if values.get(f"init_{cell}", "default") != "default":
            continue  # the graph is that of other initial values
        graph = tf.function(model).get_concrete_function(tf.TensorSpec((2, 6, 3))).graph
        kinds = [operation.type for operation in graph.get_operations()]
        assert kinds.count("CudnnRNNV3") == len(sides), architecture(values)
        assert not any("While" in kind for kind in kinds), architecture(values)


def test_the_optimizer() -> None:
    values = {"depth": 1, "cell": "gru", "width": 4, "learning_rate": 0.01}
    kinds = {"adam": keras.optimizers.Adam, "rmsprop": keras.optimizers.RMSprop}
    for name, clip in (("adam", 0.25), ("rmsprop", 5.0), ("rmsprop", 0.0)):
        optimizer = small().build(at({**values, "optimizer": name, "clip": clip})).optimizer
        assert type(optimizer) is kinds[name] and optimizer.global_clipnorm == (clip or None)
        assert optimizer.clipnorm is None and optimizer.clipvalue is None
    assert keras.optimizers.RMSprop().rho == 0.9 and keras.optimizers.RMSprop().momentum == 0


def zeroed(model: Any, *names: str) -> None:
    """Makes what the layers compute zero: their outputs are, too."""
    for layer in model.layers:
        if layer.name in names:
            layer.set_weights([0 * weight for weight in layer.get_weights()])


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize("per_step", [False, True])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_layer_that_says_nothing_passes_its_input_on(per_step: bool, bidirectional: bool) -> None:
    """GRU and zero weights: the output is zero, and with residual connections that of the layer below comes through."""
    if per_step and bidirectional:
        return
    made = small(per_step=per_step)
    one, deep = (
        made.stack([("gru", 4)] * depth, 0.0, residual=depth > 1, bidirectional=bidirectional) for depth in (1, 3)
    )
    zeroed(deep, "gru_2", "gru_3")
    for name in ("gru_1", "head"):
        deep.get_layer(name).set_weights(one.get_layer(name).get_weights())
    x = np.random.default_rng(0).normal(size=(5, 7, 3)).astype(np.float32)
    assert output(deep, x) == pytest.approx(output(one, x), abs=1e-6)
    assert (len(deep.get_weights()) - len(one.get_weights())) == 2 * 3 * (2 if bidirectional else 1)


def test_residual_connections_between_layers_of_different_width() -> None:
    model = small().stack([("gru", 4), ("lstm", 6), ("gru", 6)], 0.5, residual=True)
    names = [layer.name for layer in model.layers]
    assert "skip_2" in names and "skip_3" not in names
    assert model.get_layer("skip_2").get_weights()[0].shape == (4, 6) and not model.get_layer("skip_2").use_bias
    assert names.count("dropout_1") == names.count("dropout_2") == 1
    assert model.output_shape == (None, 2) and len(names) == len(set(names))


def test_dropout_does_not_touch_what_is_added() -> None:
    model = small(per_step=True).stack([("gru", 4), ("gru", 4)], 0.999, residual=True)
    zeroed(model, "gru_2")
    x = np.random.default_rng(0).normal(size=(5, 7, 3)).astype(np.float32)
    assert np.asarray(model(x, training=True)) == pytest.approx(output(model, x), abs=1e-6)


def test_reading_from_both_ends() -> None:
    """The answer to a sequence read backwards is that of its mirror image with the two directions exchanged."""
    model = small().stack([("lstm", 4)], 0.0, bidirectional=True)
    layer = model.layers[0]
    assert layer.output.shape[-1] == 8
    x = np.random.default_rng(0).normal(size=(2, 7, 3)).astype(np.float32)
    there = np.asarray(layer(x))
    weights = layer.get_weights()
    layer.set_weights(weights[3:] + weights[:3])
    assert np.asarray(layer(x[:, ::-1])) == pytest.approx(np.concatenate([there[:, 4:], there[:, :4]], 1), abs=1e-6)


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize("cell", cells.searched())
@pytest.mark.parametrize("init", ["default", "chrono", "identity"])
def test_a_stream_is_carried_through_every_recipe(cell: str, init: str) -> None:
    if init not in cells.facts(cell).inits:
        return
    for residual in (0, 1):
        values = {"depth": 2, "cell": cell, "width": 4, f"init_{cell}": init, "residual": residual}
        model = small(per_step=True).build(at(values))
        carrier = carrying(model, 3, None)
        assert carrier.compiled
        x = np.random.default_rng(0).normal(size=(3, 12, 3)).astype(np.float32)
        for _ in range(2):
            reset(carrier)
            parts = [np.asarray(carrier(x[:, start : start + 4])) for start in (0, 4, 8)]
            assert np.concatenate(parts, axis=1) == pytest.approx(np.asarray(model(x)), abs=1e-5)


def test_under_stock_keras_tuner(data: tuple[np.ndarray, np.ndarray], tmp_path: Path, untraced: None) -> None:
    x, y = data
    tuner = keras_tuner.RandomSearch(small(), objective="val_loss", max_trials=2, seed=1, directory=str(tmp_path))
    tuner.search(x, y, validation_data=(x, y), epochs=1, verbose=0)
    assert len(tuner.oracle.trials) == 2
    for trial in tuner.oracle.trials.values():
        assert trial.status == "COMPLETED" and np.isfinite(trial.score)
        assert "init_lstm" not in trial.hyperparameters.values or trial.hyperparameters.values["cell"] == "lstm"


# ---- the command line ----


def settled(*words: str, task: str = "adding") -> Spec:
    parsed: argparse.Namespace = cli.parse(["search", task, *words])
    options = search_command.task_options(parsed.options)
    spec, _ = settings.search_spec(task, options, parsed.name, parsed.resume, **search_command._given(parsed))
    return spec


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_grid_is_whole_where_no_number_of_trials_is_given(folder: Path) -> None:
    words = ("--oracle", "grid", "--learning-rate", "0.01,0.001")
    assert settled(*words).trials == 2 * len(cells.searched()) * 3 * 8, "cells, depths, widths"
    assert settled(*words, "--trials", "5").trials == 5
    assert settled().trials == Spec.trials, "another oracle has its default"
    endless = settled(
        "--oracle", "grid", "--learning-rate", "0.01", "--mixed", "--depth", "1:100", "--width", "16:65536"
    )
    assert settled("--trials", str(endless.trials)).trials == endless.trials == MOST - 1, "the most it takes"


def of(spec: Spec) -> dict[str, str]:
    return {name: getattr(spec, name) for name in FLAGS}


CLOSED = {"init": "default", "bias": "default", "clip": "1", "optimizer": "adam", "residual": "no"}
CLOSED |= {"bidirectional": "no"}
OPEN = {"init": "default,orthogonal,identity,chrono", "bias": "0,1,2,5,10", "clip": "0.25,1,5"}
OPEN |= {"optimizer": "adam,rmsprop", "residual": "no,yes", "bidirectional": "no,yes"}


def test_what_the_flags_open(folder: Path) -> None:
    assert of(settled()) == CLOSED and settled().recipe is False
    assert of(settled("--recipe")) == OPEN and settled("--recipe").recipe is True
    words = [word for name, value in FLAGS.items() for word in (f"--{name}", value)]
    assert of(settled(*words)) == FLAGS
    assert of(settled("--recipe", "--bias", "0,1", "--residual", "no")) == {**OPEN, "bias": "0,1", "residual": "no"}
    assert of(settled("--init", "default,chrono")) == {**CLOSED, "init": "default,chrono"}
    assert of(settled("--recipe", task="nback")) == {**OPEN, "bidirectional": "no"}
    assert of(settled("--recipe", "--cells", "simple_rnn")) == {**OPEN, "bias": "default"}, "it has no gate that keeps"


def test_closed_is_the_recipe_by_default(folder: Path) -> None:
    for task in find.names():
        found, plainest = recipes.recipe(settled(), find.make(task, {})), Recipe()
        for field in dataclasses.fields(Recipe):
            values = (getattr(recipe, field.name) for recipe in (found, plainest))
            assert len({str(list(value) if isinstance(value, tuple) else value) for value in values}) == 1


def test_resume_keeps_them(folder: Path) -> None:
    begun = settled("--recipe", "--init", "default,chrono", "--clip", "0.5:2", "--name", "r")
    search = SearchFolder(settings.SEARCHES / "r")
    search.path.mkdir(parents=True)
    begun.write(search)
    assert Spec.read(search) == begun
    for again in (
        settled("--resume", "--name", "r"),
        settled("--resume", "--name", "r", "--recipe"),
        settled("--recipe", "--init", "default,chrono", "--clip", "0.5:2", "--name", "r", "--resume"),
    ):
        assert not begun.changes(again) and of(again) == of(begun)
    changed = begun.changes(settled("--resume", "--name", "r", "--init", "default"))
    assert changed == {"--init": ("default,chrono", "default")}


def test_resume_does_not_open_what_was_closed(folder: Path) -> None:
    search = SearchFolder(settings.SEARCHES / "r")
    search.path.mkdir(parents=True)
    begun = settled("--name", "r")
    begun.write(search)
    assert begun.changes(settled("--resume", "--name", "r", "--recipe")) == {"--recipe": ("False", "True")}


@pytest.mark.parametrize("task", find.names())
def test_both_ends_only_where_nothing_can_be_seen_too_early(task: str, folder: Path) -> None:
    made = find.make(task, {})
    if made.per_step or made.stream:
        with pytest.raises(ValueError, match="^--bidirectional: expected no for a task that is answered at every step"):
            settled("--bidirectional", "no,yes", task=task)
    else:
        assert recipes.recipe(settled("--recipe", task=task), made).bidirectional == [0, 1]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--init", "xavier"), "--init: expected some of default, orthogonal, identity, chrono, got 'xavier'"),
        (("--init", "default,"), "--init: expected some of default, orthogonal, identity, chrono, got ''"),
        (("--init", "chrono"), "--init: expected one of default, identity for simple_rnn, got 'chrono'"),
        (("--init", "identity"), "--init: expected one of default, orthogonal, chrono for gru, got 'identity'"),
        (("--optimizer", "sgd"), "--optimizer: expected some of adam, rmsprop, got 'sgd'"),
        (("--residual", "maybe"), "--residual: expected some of no, yes, got 'maybe'"),
        (("--bidirectional", "1"), "--bidirectional: expected some of no, yes, got '1'"),
        (("--clip", "0:1"), "--clip: expected A:B with A above 0, or a list with 0 for none, got '0:1'"),
        (
            ("--bias", "1", "--cells", "simple_rnn"),
            "--bias: expected a cell that has it, lstm or gru, got 'simple_rnn'",
        ),
        (
            ("--oracle", "grid", "--learning-rate", "0.01", "--bias", "0:10"),
            "--bias: expected a list like 0,1,5 with --oracle grid, got a range",
        ),
        (
            ("--oracle", "grid", "--learning-rate", "0.01", "--clip", "0.1:1"),
            "--clip: expected a list like 0.25,1,5 with --oracle grid, got a range",
        ),
    ],
)
def test_refusals(words: tuple[str, ...], line: str, folder: Path) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
        settled(*words)
    assert not os.listdir(folder)


@pytest.mark.parametrize(
    ("task", "options", "longest"),
    [
        ("adding", {"length": "200"}, 200),
        ("copy_memory", {"length": "50"}, 75),
        ("copy_memory", {"length": "50", "variant": "tcn"}, 75),
        ("copy_memory", {"length": "50", "variant": "variable"}, 50),
        ("char_lm", {}, 8),
        ("copy_memory", {"length": "1"}, 2),
    ],
)
def test_how_far_chrono_reaches(task: str, options: dict[str, str], longest: int, folder: Path) -> None:
    spec = settled("--init", "default,chrono", task=task)
    assert recipes.recipe(spec, find.make(task, options)).longest == longest
    layer = cells.load("lstm").layer(500, False, "layer", init="chrono", longest=longest)
    layer.build((None, None, 1))
    assert abs(layer.get_weights()[2]).max() == pytest.approx(math.log(max(longest - 1, 1)), abs=0.1)


def test_a_model_that_reads_from_both_ends_takes_twice_the_time() -> None:
    spec = Spec(name="n", task="adding", options={}, cells=["gru"], trials=1, epochs=100)
    one, both = (
        estimate.search_seconds(
            dataclasses.replace(spec, bidirectional=switch), find.make("adding", {}), 1000, 1, spec.trials
        )
        for switch in ("no", "yes")
    )
    assert both / one == pytest.approx(2, abs=0.1)


def test_an_epoch_of_the_largest_candidate() -> None:
    spec = Spec(name="n", task="nback", options={}, cells=["simple_rnn", "gru"], depth="1,3", width="64,512")
    task = find.make("nback", {})
    largest = dataclasses.replace(spec, cells=["gru"], depth="3", width="512")
    assert estimate.epoch_seconds(spec, task, 10, max) == estimate.epoch_seconds(largest, task, 10)
    assert estimate.epoch_seconds(spec, task, 10) < estimate.epoch_seconds(largest, task, 10)


def test_an_epoch_with_many_classes_at_every_step() -> None:
    spec = Spec(name="n", task="nback", options={}, cells=["gru"], depth="1", width="64", batch=100)
    few, many = (find.make("nback", {"alphabet": symbols}) for symbols in ("8", "1008"))
    more = estimate.epoch_seconds(spec, many, 10) - estimate.epoch_seconds(spec, few, 10)
    weights = 3 * 64 * 1000 + 64 * 1000  # of the three gates, which read one-hot tokens, and of the head
    assert more == pytest.approx(3 * 2 * 100 * weights / 6.5e10 * 10 * few.steps), "products, forward and back"
