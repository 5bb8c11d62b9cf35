"""Decoding: greedy equals teacher forcing and the tools of an export, a beam equals a search of everything."""

import itertools
from typing import Any

import keras
import keras_tuner
import numpy as np
import pytest

from experiments.tasks.loading.pairs import END, SPECIAL, START
from experiments.training.sampling import drawn, log_probabilities
from experiments.training.translating import Translator, _by_lot
from search_spaces.plain import plain
from search_spaces.recurrent import RecurrentSpace
from tracking.deploy.predict import joined, translated
from tracking.errors import BadInput

SOURCE, TARGET = 5, 4
ABOUT = {
    "source_steps": SOURCE,
    "target_steps": TARGET,
    "source_vocabulary": [*SPECIAL, "a", "b", "c"],
    "target_vocabulary": [*SPECIAL, "u-", "v"],
    "units": ["characters", "words"],
    "lower": True,
}
CARD: dict[str, Any] = {"preprocessing": ABOUT}
KINDS = [("gru", "dot", 2), ("lstm", "none", 2), ("simple_rnn", "dot", 1), ("gru", "none", 1)]  # cell, attention, depth
TEXTS = ["a", "abc", "cabba", "bb"]


@pytest.fixture(scope="module", params=KINDS)
def model(request: pytest.FixtureRequest) -> keras.Model:
    """A model with large random weights, so that its answers differ from source to source."""
    cell, attention, depth = request.param
    space = RecurrentSpace(
        6,
        "categorical",
        tokens=7,
        padding=0,
        per_step=True,
        source_steps=SOURCE,
        attention=("none", "dot"),
        cells=[cell],
        depths=[depth],
        widths=[8],
        learning_rate=[0.01],
    )
    hp = keras_tuner.HyperParameters()
    space.declare_hyperparameters(hp)
    hp.values["attention"] = attention
    made, rng = plain(space.build(hp)), np.random.default_rng(4)
    made.set_weights([rng.normal(0, 0.7, weight.shape) for weight in made.get_weights()])
    return made


def rows(texts: list[str], targets: list[list[int]]) -> np.ndarray:
    x = np.zeros((len(texts), SOURCE + TARGET), np.int32)
    for row, text, target in zip(x, texts, targets, strict=True):
        row[: len(text)] = [ABOUT["source_vocabulary"].index(one) for one in text[::-1]]  # type: ignore[attr-defined]
        row[SOURCE] = START
        row[SOURCE + 1 : SOURCE + 1 + len(target)] = target[: TARGET - 1]
    return x


def test_greedy_is_what_teacher_forcing_scores(model: keras.Model) -> None:
    """By hand: each symbol is the likeliest one after those before it, read by the whole model."""
    for text, (found,) in zip(TEXTS, Translator(model, ABOUT).translate(TEXTS), strict=True):
        target: list[int] = []
        for step in range(TARGET):
            logits = model.predict_on_batch(rows([text], [target]))[0, step]
            target.append(max((END, 4, 5), key=lambda one: logits[one]))
        symbols = target[: target.index(END)] if END in target else target
        names = [ABOUT["target_vocabulary"][one] for one in symbols]  # type: ignore[index]
        assert found.text == joined(names, ABOUT)


def test_the_tools_of_an_export_write_the_same(model: keras.Model) -> None:
    """predict.py reads the whole model again at each step, with no part of this project."""
    found = [one.text for (one,) in Translator(model, ABOUT).translate(TEXTS)]
    assert translated(model.predict_on_batch, CARD, TEXTS) == found


def test_a_wide_beam_finds_the_best_of_all_targets(model: keras.Model) -> None:
    """All targets of up to TARGET symbols: those that end with END, and those that are cut; 31 of them."""
    symbols = [4, 5]  # padding, the start and the unknown symbol are never written
    several = [[*some, END] for size in range(TARGET) for some in itertools.product(symbols, repeat=size)]
    several += [list(some) for some in itertools.product(symbols, repeat=TARGET)]
    beams = Translator(model, ABOUT).translate(["abc"], beam=40)[0]
    logits = model.predict_on_batch(rows(["abc"] * len(several), several)).astype(np.float64)
    shares = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    scores = [sum(row[step, one] for step, one in enumerate(some)) for row, some in zip(shares, several, strict=True)]
    best = sorted(scores, reverse=True)[:5]
    assert [one.log_probability for one in beams[:5]] == pytest.approx(best, abs=1e-4)
    one, five = (Translator(model, ABOUT).translate(["abc"], beam=beam)[0][0] for beam in (1, 5))
    assert five.log_probability >= one.log_probability - 1e-6


@pytest.mark.parametrize("text", ["", "abcabc"])
def test_a_source_that_is_no_source(model: keras.Model, text: str) -> None:
    with pytest.raises(BadInput, match=f"^source: expected 1 to {SOURCE} characters, got {len(text)}$"):
        Translator(model, ABOUT).translate([text])


def test_what_is_looked_at(model: keras.Model) -> None:
    """The weights are those that the whole model has over the finished target, by Keras' own attention."""
    translator = Translator(model, ABOUT)
    if "attention" not in translator.layers:
        with pytest.raises(BadInput, match=r"^--plot: expected a model with attention, whose name ends with \+att,"):
            translator.looked_at("abc", [4])
        return
    ids = translator.translate(["abc"])[0][0].ids
    source, target, weights = translator.looked_at("abc", ids)
    assert source == ["a", "b", "c"] and weights.shape == (len(target), 3)
    assert target[-1] == "<end>" or len(target) == TARGET
    assert weights.sum(axis=1) == pytest.approx(1, abs=1e-5)
    layers = {layer.name: layer for layer in model.layers}
    assert [ABOUT["target_vocabulary"][one] for one in ids][:TARGET] == target[: len(ids)]  # type: ignore[index]
    inputs = layers["attention"]._inbound_nodes[0].input_tensors[:3]
    written, read, keys = keras.Model(model.inputs, inputs).predict_on_batch(rows(["abc"], [ids]))
    scores = np.einsum("td,sd->ts", written[0], keys[0])[: len(target), :3]
    expected = np.exp(scores - scores.max(axis=1, keepdims=True))
    assert weights[:, ::-1] == pytest.approx(expected / expected.sum(axis=1, keepdims=True), abs=1e-5)
    assert read.shape == keys.shape


def test_drawn_symbols_follow_the_model(model: keras.Model) -> None:
    """The share of each first symbol among 4,000 targets is its probability; at temperature 0 drawing is greedy."""
    shares = np.exp(log_probabilities(model.predict_on_batch(rows(["abc"], [[]]))[0, 0]))
    shares[[0, START, 3]] = 0
    shares /= shares.sum()
    translator, source = Translator(model, ABOUT), Translator(model, ABOUT).sources(["abc"])
    rng = np.random.default_rng(5)
    choose = _by_lot(lambda given: drawn(given, rng).astype(np.int32))
    (found,) = translator._targets(source, [0.0] * 4_000, choose)
    first = [ids[0] if ids else END for ids, _ in found]
    counts = np.bincount(first, minlength=6) / len(first)
    assert np.abs(counts - shares).max() < 4 * np.sqrt(0.25 / 4_000)
    (one,), (best,) = translator.draw(["abc"], temperature=0), translator.translate(["abc"])
    assert one[0].text == best[0].text and one[0].log_probability == pytest.approx(best[0].log_probability)
    scores = [share.log_probability for share in translator.draw(["abc"], 20, seed=1)[0]]
    assert scores == sorted(scores, reverse=True)
