"""The space of a cell with a memory: what it declares, what its models are, and what it refuses."""

import re
from typing import Any

import keras
import pytest
from support.spaces import at, conditions, declared, named

from search_spaces import cells
from search_spaces.architecture import architecture, parameters
from search_spaces.cost import flops
from search_spaces.kernels import kernel
from search_spaces.plain import plain
from search_spaces.recipe import Recipe
from search_spaces.recurrent import RecurrentSpace

POINT = {"depth": 1, "cell": "ntm", "width": 6, "learning_rate": 1e-3}


def machines(recipe: Recipe | None = None, **changes: Any) -> RecurrentSpace:
    given = {"cells": ["ntm"], "depths": [1], "widths": [6], "learning_rate": [1e-3], "features": 3, **changes}
    return RecurrentSpace(2, "binary", per_step=True, recipe=recipe or Recipe(), **given)


def test_it_is_searched_only_if_it_is_named() -> None:
    assert "ntm" in cells.names() and "ntm" not in cells.searched()
    assert cells.searched() == [name for name in cells.names() if name != "ntm"]
    assert "ntm" not in RecurrentSpace(1, "mse", features=1).cells


def test_what_belongs_to_the_memory_is_declared_under_its_cell() -> None:
    recipe = Recipe(
        memories=("8x4", "16x4"), controllers=("feed-forward", "lstm"), optimizers=("adam", "rmsprop"), momenta=[0.5]
    )
    found = named(declared(machines(recipe, cells=["lstm", "ntm"])))
    assert conditions(found["memory"]) == conditions(found["controller"]) == [("cell", ["ntm"])]
    assert (found["memory"].values, found["controller"].values) == (["8x4", "16x4"], ["feed-forward", "lstm"])
    assert conditions(found["momentum"]) == [("optimizer", ["rmsprop"])]
    assert not {"memory", "controller", "momentum"} & set(named(declared(machines())))


def test_the_model_is_that_of_its_values() -> None:
    recipe = Recipe(memories=("8x4",), controllers=("lstm",), optimizers=("rmsprop",), momenta=[0.5], clips=[10.0])
    values = {**POINT, "memory": "8x4", "controller": "lstm", "optimizer": "rmsprop", "momentum": 0.5, "clip": 10.0}
    model = machines(recipe).build(at(values))
    cell = model.layers[0].cell
    assert (cell.units, cell.rows, cell.columns, cell.controller) == (6, 8, 4, "lstm")
    assert model.jit_compile is True and type(model.optimizer) is keras.optimizers.RMSprop
    assert (model.optimizer.momentum, model.optimizer.global_clipnorm) == (0.5, 10.0)
    plainest = machines().build(at(POINT))
    own = plainest.layers[0].cell
    assert (own.rows, own.columns, own.controller) == (128, 20, "feed-forward")
    assert type(plain(plainest).layers[0].cell) is type(own)


def test_other_cells_are_not_compiled_as_a_whole() -> None:
    model = machines(cells=["gru", "ntm"]).build(at({**POINT, "cell": "gru"}))
    assert model.jit_compile is not True


def test_its_names() -> None:
    assert architecture(POINT) == "ntm-6"
    assert architecture({**POINT, "memory": "8x4", "controller": "lstm"}) == "ntm-6 memory 8x4 lstm"
    names = ["cell", "depth", "width", "memory", "controller", "momentum"]
    found = parameters({"depth": 1, "cell": "gru", "width": 8}, names)
    assert (found["memory"], found["controller"], found["momentum"]) == ("none", "none", 0)


def test_its_cost_is_counted() -> None:
    """Feed-forward, 3 features, 6 units, memory 8x4, 2 outputs; each weight of a matrix takes two operations.

    A head has a key of 4, strength, gate, 3 shifts, sharpness; the one that writes also erases and adds 4 numbers.
    """
    model = machines(Recipe(memories=("8x4",))).build(at({**POINT, "memory": "8x4"}))
    matrices = 3 * 6 + 4 * 6 + 6 * (2 * 10 + 8) + (6 + 4) * 2
    assert flops(model, 9, True) == 2 * matrices + 8 * 4 * 14


def test_xla_compiles_the_step() -> None:
    assert kernel(["ntm"], 0, 10**9) == ("loop", "XLA compiles the whole training step of ntm")


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"depths": [1, 2]}, "depths: expected 1 with ntm, got [1, 2]"),
        ({"mixed": True}, "mixed: expected none with ntm, got True"),
        ({"recipe": Recipe(residual=[0, 1])}, "residual: expected 0 with ntm, got [0, 1]"),
        (
            {"features": None, "tokens": 5, "source_steps": 3},
            "cells: expected none with a memory for an encoder and a decoder, got 'ntm'",
        ),
    ],
    ids=str,
)
def test_what_it_cannot_be(changes: dict[str, Any], line: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
        machines(**changes)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"momenta": [0.5]}, "momenta: expected 0 without the optimizer rmsprop, got [0.5]"),
        ({"momenta": [1.0], "optimizers": ["rmsprop"]}, "momenta: expected a list of numbers from 0 and below 1"),
        ({"memories": ["8"]}, "memories: expected sizes like 128x20, rows and columns, got '8'"),
        ({"memories": ["0x4"]}, "memories: expected sizes like 128x20, rows and columns, got '0x4'"),
        ({"memories": []}, "memories: expected sizes like 128x20, rows and columns, got ''"),
        ({"controllers": ["gru"]}, "controllers: expected some of feed-forward, lstm, got 'gru'"),
    ],
    ids=str,
)
def test_recipes_that_cannot_be(changes: dict[str, Any], line: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(line)}"):
        Recipe(**changes)
