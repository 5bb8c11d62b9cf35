"""The loss of bits, against NumPy, and what becomes of it in a file for others."""

import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from search_spaces.losses import masked_binary
from search_spaces.plain import plain
from search_spaces.recurrent import LOSSES, RecurrentSpace

RNG = np.random.default_rng(0)
Y = RNG.integers(-1, 2, (4, 5, 3)).astype(np.float32)
LOGITS = RNG.normal(0, 3, Y.shape).astype(np.float32)


def cross_entropy(y: np.ndarray, logits: np.ndarray, weights: np.ndarray) -> float:
    share = 1 / (1 + np.exp(-logits.astype(np.float64)))
    each = -np.log(np.where(y == 1, share, 1 - share))
    return float((each * weights)[y >= 0].sum() / (weights * (y >= 0)).sum())


def test_the_mean_over_what_is_scored() -> None:
    assert float(masked_binary()(Y, LOGITS)) == pytest.approx(cross_entropy(Y, LOGITS, np.ones_like(Y)), rel=1e-6)
    assert float(masked_binary()(Y[:, 0], LOGITS[:, 0])) == pytest.approx(
        cross_entropy(Y[:, 0], LOGITS[:, 0], np.ones_like(Y[:, 0])), rel=1e-6
    )


def test_large_logits_and_nothing_scored() -> None:
    one = np.ones((1, 1, 1), np.float32)
    assert float(masked_binary()(one, -200 * one)) == 200
    assert float(masked_binary()(-one, one)) == 0, "and not NaN"


@pytest.mark.parametrize("shape", [(4,), (4, 5), (4, 5, 3)])
def test_weights_of_samples_steps_and_bits(shape: tuple[int, ...]) -> None:
    weights = RNG.random(shape).astype(np.float32)
    whole = np.broadcast_to(weights.reshape(*shape, *[1] * (3 - len(shape))), Y.shape)
    assert float(masked_binary()(Y, LOGITS, weights)) == pytest.approx(cross_entropy(Y, LOGITS, whole), rel=1e-5)


def space(padding: float | None = None) -> RecurrentSpace:
    return RecurrentSpace(outputs=3, loss="binary", features=2, padding=padding, per_step=True)


def test_padded_steps_change_nothing() -> None:
    """The mask of padding reaches the loss; without it a short sequence would count less."""
    model = space(-7.0).stack([("gru", 4)], 0.0)
    model.compile("adam", LOSSES["binary"]())
    x = RNG.normal(size=(4, 5, 2)).astype(np.float32)
    x[:2, 3:], y = -7.0, Y.copy()
    y[:2, 3:] = -1
    wanted = cross_entropy(y, np.asarray(model(x)), np.ones_like(y))
    assert model.evaluate(x, y, verbose=0) == pytest.approx(wanted, rel=1e-5)
    assert wanted == pytest.approx(float(masked_binary()(y, np.asarray(model(x)))), rel=1e-5)


def test_a_file_for_others_has_keras_own_loss(tmp_path: Path) -> None:
    """With a weight of 0 at the steps that are not scored it is the same mean, so that `fit` goes on."""
    model = space().stack([("lstm", 4)], 0.0)
    model.compile(keras.optimizers.Adam(0.01), LOSSES["binary"]())
    x, y = RNG.normal(size=(4, 5, 2)).astype(np.float32), np.abs(Y)
    y[:, :2] = -1
    model.fit(x, y, verbose=0)
    plain(model).save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as file:
        assert b"search_spaces" not in file.read("config.json") and b"recurrent_search" not in file.read("config.json")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded.loss) is not type(model.loss)
    weights = (y[..., 0] != -1).astype(np.float32)
    again = loaded.evaluate(x, np.maximum(y, 0), sample_weight=weights, verbose=0)
    assert again == pytest.approx(model.evaluate(x, y, verbose=0), rel=1e-5)
    assert len(loaded.optimizer.variables) == len(model.optimizer.variables)
