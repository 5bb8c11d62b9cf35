"""What stands behind the end of a sequence, and what is not scored, changes nothing."""

from typing import Any

import numpy as np
import pytest

from experiments.tasks.base import NOT_SCORED
from experiments.tasks.loading.text import cross_entropy
from search_spaces import cells
from search_spaces.recurrent import LOSSES, RecurrentSpace

every_cell = pytest.mark.parametrize("cell", cells.names())
RNG = np.random.default_rng(0)
LENGTHS = [1, 3, 6]


def model(cell: str, **arguments: Any) -> Any:
    space = RecurrentSpace(**{"outputs": 4, "loss": "categorical", **arguments})
    made = space.stack([(cell, 5), (cell, 3)], 0.0)
    made.compile("sgd", LOSSES["categorical"]())
    return made


@pytest.mark.usefixtures("untraced")
@every_cell
@pytest.mark.parametrize("one_hot", [True, False])
def test_the_last_real_token_is_read(cell: str, one_hot: bool) -> None:
    made = model(cell, tokens=6, padding=0, one_hot=one_hot)
    x = RNG.integers(1, 6, (3, 6))
    padded = np.where(np.arange(6) < np.array(LENGTHS)[:, None], x, 0)
    found = made.predict(padded, verbose=0)
    for row, length in enumerate(LENGTHS):
        alone = made.predict(x[row : row + 1, :length], verbose=0)
        np.testing.assert_allclose(found[row : row + 1], alone, rtol=0, atol=1e-6)
    assert not np.allclose(found[0], made.predict(x[:1], verbose=0), atol=1e-4), "the rest would have counted"


@pytest.mark.usefixtures("untraced")
@every_cell
def test_the_last_real_step_of_features_is_read(cell: str) -> None:
    made = model(cell, features=2, padding=-9.0)
    x = RNG.normal(size=(3, 6, 2)).astype(np.float32)
    x[1, 1] = 0  # a step of zeros is a step
    padded = np.where(np.arange(6)[:, None] < np.array(LENGTHS)[:, None, None], x, np.float32(-9))
    found = made.predict(padded, verbose=0)
    for row, length in enumerate(LENGTHS):
        alone = made.predict(x[row : row + 1, :length], verbose=0)
        np.testing.assert_allclose(found[row : row + 1], alone, rtol=0, atol=1e-6)


@pytest.mark.usefixtures("untraced")
def test_the_loss_is_the_mean_over_scored_steps() -> None:
    made = model("gru", tokens=6, per_step=True, one_hot=True)
    x, y = RNG.integers(0, 6, (4, 5)), RNG.integers(0, 4, (4, 5))
    y[:, :3] = NOT_SCORED
    y[2] = NOT_SCORED
    logits = made.predict(x, verbose=0)
    by_hand = [
        -np.log(np.exp(logits[row, step, y[row, step]]) / np.exp(logits[row, step]).sum())
        for row in (0, 1, 3)
        for step in (3, 4)
    ]
    assert made.evaluate(x, y, verbose=0) == pytest.approx(np.mean(by_hand), rel=1e-5)
    assert cross_entropy(y, logits) == pytest.approx(by_hand, rel=1e-5)


def test_one_hot_tokens_have_no_weights() -> None:
    space = {"tokens": 6, "outputs": 4, "loss": "categorical"}
    embedded, plain = (RecurrentSpace(**space, one_hot=one_hot).stack([("gru", 5)], 0.0) for one_hot in (False, True))
    vectors = plain.layers[0](np.arange(6)[None])
    np.testing.assert_array_equal(vectors[0], np.eye(6))
    assert len(plain.trainable_variables) == len(embedded.trainable_variables) - 1


def test_tokens_are_padded_with_zero() -> None:
    with pytest.raises(ValueError, match="^padding: expected 0 for tokens, got 3$"):
        RecurrentSpace(outputs=4, loss="categorical", tokens=6, padding=3)
