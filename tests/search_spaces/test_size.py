"""The size of a space: what is counted is what Keras Tuner is told, and the count by hand."""

import math
from typing import Any

import pytest
from support.spaces import conditions, declared, space

from experiments.strategy.points import domain
from search_spaces.recipe import Recipe
from search_spaces.size import Condition, Declared, Parameter, size

RECIPE = Recipe(
    inits=("default", "identity", "chrono"),
    biases=(0.0, 5.0),
    clips=[0.25, 1.0],
    optimizers=("adam", "rmsprop"),
    residual=[0, 1],
    bidirectional=[0, 1],
    longest=20,
)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"depths": [2], "widths": range(8, 25, 8), "learning_rate": [0.1, 0.01]},
        {"mixed": True, "depths": [1, 3], "widths": [4, 8], "dropout": (0.0, 0.5), "recipe": RECIPE},
        {"recipe": RECIPE},
    ],
    ids=str,
)
def test_what_is_counted_is_what_keras_tuner_is_told(changes: dict[str, Any]) -> None:
    made, counted = space(**changes), Declared()
    made.declare_hyperparameters(counted)
    told = [(parameter.name, conditions(parameter), domain(parameter)) for parameter in declared(made).space]
    assert told == [
        (
            parameter.name,
            [(name, list(values)) for name, values in parameter.conditions],
            None if parameter.values is None else list(parameter.values),
        )
        for parameter in counted.space
    ]


def test_points_by_hand() -> None:
    depth, width = Parameter("depth", [1, 2], []), Parameter("width", range(3), [])
    dropout = Parameter("dropout", [0.0, 0.5], [Condition("depth", [2])])
    assert size([]) == 1
    assert size([depth, width]) == 2 * 3
    assert size([depth, width, dropout]) == 3 + 3 * 2
    assert size([depth, Parameter("lost", None, [Condition("depth", [3])])]) == 2, "it never has a value"
    assert size([depth, Parameter("rate", None, [Condition("depth", [2])])]) == math.inf


def test_a_space_larger_than_any_float() -> None:
    many = [Parameter(f"p{number}", range(10_000), []) for number in range(100)]
    assert size(many) == 10**400
    assert size([*many, Parameter("rate", None, [])]) == math.inf
