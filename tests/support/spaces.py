"""Spaces as tests write them down."""

from typing import Any

import keras_tuner

from search_spaces.recurrent import RecurrentSpace


def declared(space: RecurrentSpace) -> keras_tuner.HyperParameters:
    hp = keras_tuner.HyperParameters()
    space.declare_hyperparameters(hp)
    return hp


def named(hp: keras_tuner.HyperParameters) -> dict[str, Any]:
    """Each hyperparameter by its name; each name once."""
    assert len({parameter.name for parameter in hp.space}) == len(hp.space)
    return {parameter.name: parameter for parameter in hp.space}


def conditions(parameter: Any) -> list[tuple[str, list[Any]]]:
    return [(condition.name, list(condition.values)) for condition in parameter.conditions]


def at(values: dict[str, Any]) -> keras_tuner.HyperParameters:
    hp = keras_tuner.HyperParameters()
    hp.values = dict(values)
    return hp


def space(**changes: Any) -> RecurrentSpace:
    return RecurrentSpace(**{"outputs": 2, "loss": "mse", "features": 3, **changes})
