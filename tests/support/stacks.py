"""Small models of every form that a search builds, as stock Keras layers, with samples for them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

CELLS = ("simple_rnn", "lstm", "gru")
TOKENS, FEATURES, OUTPUTS = 11, 3, 4
PADDING = -7.0
LENGTHS = (13, 7, 1, 3, 9)  # of the samples; the longest one has no padding


@dataclass(frozen=True)
class Form:
    """How a model is made: as the arguments of `RecurrentSpace` and of `RecurrentSpace.stack`."""

    widths: tuple[int, ...] = (8,)
    tokens: bool = False
    one_hot: bool = False
    padded: bool = False
    per_step: bool = False
    residual: bool = False
    bidirectional: bool = False


FORMS = {
    "one layer": Form(),
    "two layers": Form((8, 8)),
    "residual": Form((8, 8), residual=True),
    "residual, two widths": Form((8, 12), residual=True),
    "bidirectional": Form((8, 8), bidirectional=True),
    "bidirectional, residual, padded": Form((8, 8, 8), bidirectional=True, residual=True, padded=True),
    "padded": Form((8, 8), padded=True),
    "padded, residual": Form((8, 8), padded=True, residual=True),
    "per step": Form((8, 8), per_step=True),
    "per step, padded": Form((8, 8), per_step=True, padded=True),
    "tokens": Form(tokens=True),
    "tokens, padded": Form((8, 8), tokens=True, padded=True),
    "one-hot tokens": Form(tokens=True, one_hot=True),
}


def model(cell: str, form: Form, seed: int = 0) -> Any:
    """A model whose weights and biases are all random."""
    from search_spaces.plain import plain
    from search_spaces.recurrent import RecurrentSpace

    rng = np.random.default_rng(seed)
    space = RecurrentSpace(
        outputs=OUTPUTS,
        loss="categorical",
        features=None if form.tokens else FEATURES,
        tokens=TOKENS if form.tokens else None,
        one_hot=form.one_hot,
        padding=(0 if form.tokens else PADDING) if form.padded else None,
        per_step=form.per_step,
        cells=[cell],
    )
    layers = [(cell, width) for width in form.widths]
    made = plain(space.stack(layers, 0.1, residual=form.residual, bidirectional=form.bidirectional))
    kept = 1 if form.one_hot else 0  # the table of one-hot vectors
    weights = made.get_weights()
    made.set_weights([*weights[:kept], *(rng.normal(0, 0.5, one.shape).astype("float32") for one in weights[kept:])])
    return made


def samples(form: Form, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """(x, the mask of the real steps) of five samples."""
    rng, shape = np.random.default_rng(seed), (len(LENGTHS), max(LENGTHS))
    x = rng.integers(1, TOKENS, shape, np.int32) if form.tokens else rng.normal(size=(*shape, FEATURES))
    x, real = x.astype(np.int32 if form.tokens else np.float32), np.ones(shape, bool)
    if form.padded:
        real = np.arange(shape[1]) < np.array(LENGTHS)[:, None]
        x[~real] = 0 if form.tokens else PADDING
    return x, real


def expected(made: Any, x: np.ndarray) -> np.ndarray:
    """What stock Keras answers."""
    return np.asarray(made(x, training=False))


def apart(outputs: np.ndarray, wanted: np.ndarray, scored: np.ndarray) -> float:
    """The largest difference of the answers that count, as a share of the largest answer."""
    assert outputs.shape == wanted.shape
    return float(np.abs(outputs - wanted)[scored].max() / np.abs(wanted[scored]).max())
