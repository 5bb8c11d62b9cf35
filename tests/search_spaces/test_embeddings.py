"""How far the first embeddings lie apart, and what a search says of them."""

from typing import Any

import keras
import keras_tuner
import numpy as np
import pytest

from experiments.cli.main import main
from experiments.config.recipes import embedding_spread
from experiments.config.spec import Spec
from experiments.launcher.settings import search_spec
from search_spaces.errors import SpaceError
from search_spaces.recurrent import RecurrentSpace


def embeddings(**more: Any) -> list[np.ndarray]:
    keras.utils.set_random_seed(0)
    space = RecurrentSpace(**{"outputs": 9, "loss": "categorical", "tokens": 500, **more})
    model = space.build(keras_tuner.HyperParameters())
    return [layer.get_weights()[0] for layer in model.layers if isinstance(layer, keras.layers.Embedding)]


def test_the_spread_of_a_stack() -> None:
    (plain,), (wide,) = embeddings(), embeddings(embedding_spread=0.7)
    assert np.abs(plain).max() <= 0.05 and plain.std() == pytest.approx(0.1 / 12**0.5, rel=0.02)
    assert wide.std() == pytest.approx(0.7, rel=0.02) and wide.mean() == pytest.approx(0, abs=0.02)
    (again,) = embeddings(embedding_spread=0.7)
    np.testing.assert_array_equal(wide, again)


def test_the_spread_of_an_encoder_and_a_decoder() -> None:
    about = {"source_steps": 4, "per_step": True, "padding": 0, "outputs": 400}
    for given, expected in ((None, 0.3), (1.0, 1.0)):
        sides = embeddings(**about, embedding_spread=given)
        assert [side.std() for side in sides] == pytest.approx([expected] * 2, rel=0.02)


@pytest.mark.parametrize("about", [{"one_hot": True}, {"tokens": None, "features": 2}, {"embedding_spread": 0.0}])
def test_a_spread_without_embeddings(about: dict[str, Any]) -> None:
    with pytest.raises(SpaceError, match="^embedding_spread: expected a number above 0 with embedded tokens, got "):
        embeddings(**{"embedding_spread": 1.0, **about})


def test_new_searches_have_it_and_old_ones_do_not() -> None:
    for name, expected in (
        ("char_lm", "1"),
        ("word_lm", "1"),
        ("mqar", "1"),
        ("parity", "default"),
        ("g2p", "default"),
    ):
        spec, task = search_spec(name, {})
        assert spec.embedding_spread == expected, name
        assert embedding_spread(spec, task) == (1.0 if expected == "1" else None)
    assert Spec.of({"name": "a", "task": "char_lm", "options": {}, "cells": ["gru"]}).embedding_spread == "default"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["adding", "0.5"], "expected default for a task without embeddings, got '0.5'"),
        (["parity", "0.5"], "expected default for a task without embeddings, got '0.5'"),
        (["mqar", "0.1:1"], "expected a number above 0, or default, got '0.1:1'"),
        (["mqar", "0"], "expected a number above 0, or default, got '0'"),
        (["mqar", "inf"], "expected a number above 0, or default, got 'inf'"),
        (["mqar", "nan"], "expected a number above 0, or default, got 'nan'"),
    ],
)
def test_a_bad_spread_gets_one_line(words: list[str], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", words[0], "--embedding-spread", words[1]]) == 2
    assert capsys.readouterr().err == f"recurrent search: --embedding-spread: {line}\n"
