"""Values as Python has them."""

import argparse
import dataclasses
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest

from experiments.cli import main as cli
from experiments.config.given import APART, BUDGET, Options, as_text, by_arguments, fields_of, option_text
from experiments.config.spec import FOUND, Spec
from experiments.errors import BadInput, SearchStateError

FIELDS = {field.name: field.type for field in dataclasses.fields(Spec) if field.name not in (*FOUND, *APART)}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("16:64", "16:64"),
        (32, "32"),
        (0.01, "0.01"),
        (1e-05, "1e-05"),
        ([32, 64], "32,64"),
        (("lstm", "gru"), "lstm,gru"),
        ([], ""),
        (np.int64(3), "3"),
        (np.float32(0.5), "0.5"),
        (list(np.array([16, 32])), "16,32"),
        (Path("a/b.txt"), "a/b.txt"),
    ],
)
def test_a_value_becomes_the_text_that_would_be_typed(value: Any, text: str) -> None:
    assert as_text("x", value) == text


@pytest.mark.parametrize("value", [True, None, {"a": 1}, [[1]], [None], {1, 2}, range(3), object])
def test_a_value_without_a_text(value: Any) -> None:
    with pytest.raises(BadInput, match="^width: expected a text, a number or a list of them, got "):
        as_text("width", value)


def test_options_of_a_task() -> None:
    texts = [option_text("x", value) for value in (50, 0.5, True, False, "online:64", Path("my.txt"))]
    assert texts == ["50", "0.5", "true", "false", "online:64", "my.txt"]
    with pytest.raises(BadInput, match="^options length: expected a text, a number, true or false, got '\\[3\\]'"):
        option_text("options length", [3])


def test_every_option_of_a_search_is_typed() -> None:
    """Editors and mypy know the options by this type."""
    assert set(get_type_hints(Options)) == {*FIELDS, BUDGET}


def test_every_option_is_one_of_the_command_line() -> None:
    parser = cli.parser()[1]["search"]
    assert set(get_type_hints(Options)) <= {action.dest for action in parser._actions}


@pytest.mark.parametrize("name", [name for name, kind in FIELDS.items() if kind is int])
@pytest.mark.parametrize("value", [-1, 0, 1, 2**31 - 1, 2**31, 2**63, "7", "x", 1.5])
def test_whole_numbers_have_the_bounds_of_the_command_line(name: str, value: Any) -> None:
    (action,) = [one for one in cli.parser()[1]["search"]._actions if one.dest == name]
    assert callable(action.type)
    try:
        expected: Any = action.type(str(value))
    except argparse.ArgumentTypeError as error:
        with pytest.raises(BadInput) as ours:
            fields_of({name: value})
        assert str(ours.value) == f"{name}: {error}"
    else:
        assert fields_of({name: value}) == {name: expected}


def test_fields() -> None:
    given = {"cells": ["lstm"], "width": [16, 32], "mixed": True, "recipe": None, "target": 0.01, "budget": "30m"}
    expected = {"cells": ["lstm"], "width": "16,32", "mixed": True, "target": "0.01", "budget": "30m"}
    assert fields_of(given) == expected
    assert fields_of({"cells": "lstm,gru"}) == {"cells": ["lstm", "gru"]}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"widht": 3}, "widht: expected an option of a search, got an unknown one; did you mean 'width'?"),
        ({"digest": "0"}, "digest: expected an option of a search, got an unknown one"),
        ({"mixed": "yes"}, "mixed: expected true or false, got 'yes'"),
        ({"epochs": True}, "epochs: expected a text, a number or a list of them, got 'True'"),
    ],
)
def test_a_field_that_cannot_be(given: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput) as error:
        fields_of(given)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("--learning-rate: expected 1: 2", "learning_rate: expected 1: 2"),
        ("-o length: expected 2", "options length: expected 2"),
        ("-o: expected one of", "options: expected one of"),
        ("task: expected --oracle", "task: expected --oracle"),
        ("no colon", "no colon"),
    ],
)
def test_an_error_names_the_argument_of_python(before: str, after: str) -> None:
    with pytest.raises(SearchStateError) as error, by_arguments():
        raise SearchStateError(before)
    assert str(error.value) == after
