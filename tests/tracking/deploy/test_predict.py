"""What predict.py of an export makes of input, by cards written by hand."""

from typing import Any

import numpy as np
import pytest

from experiments.data import words
from experiments.training import sampling
from tracking.deploy.predict import Unfit, _words, answers, continued, padded, probabilities, sequence

FEATURES = {"shapes": {"input": {"shape": [None, None, 2], "dtype": "float32"}}}
TOKENS = {"shapes": {"input": {"shape": [None, None], "dtype": "int32"}}}


def features(**more: Any) -> dict[str, Any]:
    return {**FEATURES, "preprocessing": {"input": "float32 (batch, time, 2)", **more}}


def tokens(**more: Any) -> dict[str, Any]:
    return {**TOKENS, "preprocessing": {"input": "int32 (batch, time)", **more}}


def test_whole_numbers_are_features_too() -> None:
    found = sequence([[1, 0.5], [2, 1]], features())
    assert found.dtype == np.float32
    assert found.tolist() == [[1, 0.5], [2, 1]]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([[1, 2, 3]], r"expected float32 \(time, 2\), got the shape \(1, 3\)"),
        ([], "got the shape"),
        ([[1, 1e300]], "expected finite numbers"),
        ([[1, float("nan")]], "expected finite numbers"),
        ([[1, 10**400]], "expected float32"),
        ("abc", "expected float32"),
        ([[1], [2, 3]], "expected float32"),
        ([[1, 1], [-7, -7], [1, 1]], "expected no step of -7"),
    ],
)
def test_features_that_do_not_fit(given: Any, said: str) -> None:
    with pytest.raises(Unfit, match=said):
        sequence(given, features(padding=-7))


def test_tokens_of_own_data_are_numbered_as_in_the_search() -> None:
    """0 is the padding, 4 to 6 never occurred in the training split, and the last id stands for all unknown ones."""
    card = tokens(words=["_", "?", "1", "2", "3", "?", "?", "?", "7", "?"], unknown=9, padding=0)
    assert sequence([7, 1, 5, 99], card).tolist() == [8, 2, 9, 9]


@pytest.mark.parametrize(
    ("given", "said"), [([0, 1], "from 1 to 3, got 0 to 1"), ([1.5], "whole"), ([4], "from 1 to 3")]
)
def test_tokens_that_do_not_fit(given: Any, said: str) -> None:
    with pytest.raises(Unfit, match=said):
        sequence(given, tokens(words=["_", "a", "b", "c"], padding=0))


def test_shorter_sequences_are_filled() -> None:
    rows = [np.array([1, 2, 3], np.int32), np.array([4], np.int32)]
    assert padded(rows, tokens(padding=0)).tolist() == [[1, 2, 3], [4, 0, 0]]
    with pytest.raises(Unfit, match="one length"):
        padded(rows, tokens())


@pytest.mark.parametrize("text", ["", "the cat", "the cat\n", "a\nb", "\n\n", "  "])
def test_the_words_of_a_prompt_are_those_of_the_search(text: str) -> None:
    assert _words(text) == list(words.prompt(text))


@pytest.mark.parametrize(
    "asked", [(1.0, 0, 1.0), (0.5, 0, 1.0), (0.0, 0, 1.0), (2.0, 3, 1.0), (1.0, 0, 0.6), (0.7, 4, 0.8)]
)
def test_probabilities_are_those_of_sampling(asked: tuple[float, int, float]) -> None:
    logits = np.random.default_rng(0).normal(size=9)
    np.testing.assert_allclose(probabilities(logits, *asked), sampling.probabilities(logits, *asked), atol=1e-12)


def test_a_prompt_of_megabytes_is_refused() -> None:
    with pytest.raises(Unfit, match="prompt: expected 100,000 characters at most, got 10,000,000"):
        continued(lambda: pytest.fail("it is not read"), {"preprocessing": {"vocabulary": "?ab"}}, "a" * 10_000_000)


def test_a_long_prompt_is_read_in_pieces() -> None:
    seen: list[int] = []

    def begin() -> Any:
        def read(ids: list[int]) -> np.ndarray:
            seen.append(len(ids))
            return np.array([0.0, 5.0, 1.0])

        return read

    card = {"preprocessing": {"vocabulary": "?ab"}}
    assert len(continued(begin, card, "a" * 2_500, length=3, seed=0)) == 3
    assert seen == [1_000, 1_000, 499, 1, 1, 1]


def test_bits_are_answered_by_their_probabilities() -> None:
    card = {"answer": "bits", "labels": [], "preprocessing": {}}
    found = answers(np.array([[0, np.log(3)], [-800, 800]], np.float32), card)
    assert found[0] == pytest.approx([0.5, 0.75], abs=1e-6) and found[1] == [0, 1]
