"""Writes the target of a source with an exported encoder and decoder: greedily, or with a beam.

Both halves are built once more from the layers of the model: `encode` reads a batch of sources, and `step` writes one
symbol of each target from the states. A beam keeps the K likeliest beginnings of each target; a score is the sum of the
log-probabilities of its symbols, END included, without a bonus for length. A beam of 1 is greedy: it writes what the
score of a search counts (see experiments/tasks/loading/pairs.py).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.tasks.loading.pairs import END, START
from experiments.training.sampling import log_probabilities, read_card, read_model
from search_spaces.halves import DECODER, ENCODER, KEYS, SOURCE, TARGET
from tracking.deploy.predict import Unfit, joined, source_ids
from tracking.errors import BadInput

if TYPE_CHECKING:
    import keras

BATCH = 64  # sources that are read at once


@dataclass(frozen=True)
class Translation:
    """A target, and the logarithm of its probability."""

    text: str
    log_probability: float


def load(folder: Path) -> tuple["keras.Model", dict[str, Any]]:
    """The model that `recurrent export` wrote to `folder`, and the part of its card that says how it is used.

    Raises BadInput for a missing or broken file, and for a model that translates nothing.
    """
    about = read_card(folder)
    preprocessing = about.get("preprocessing")
    if not isinstance(preprocessing, dict) or "source_steps" not in preprocessing:
        got = f"one of the task {about.get('task')!r}"
        raise BadInput(f"{folder}: expected a model that writes a target from a source, got {got}")
    return read_model(folder), preprocessing


class Translator:
    """Translates with a model of encoder_decoder.py, as it was exported or trained.

    Args:
        about: `preprocessing` of its card.
    """

    def __init__(self, model: "keras.Model", about: dict[str, Any]) -> None:
        self.about = about
        layers = {layer.name: layer for layer in model.layers}
        self.depth = sum(name.startswith(ENCODER) and name[len(ENCODER) :].isdigit() for name in layers)
        self.encode, self.step = _encoder(layers, self.depth), _step(layers, self.depth)

    def translate(self, texts: list[str], beam: int = 1) -> list[list[Translation]]:
        """For each source its likeliest targets, at most `beam`, the best one first. Raises BadInput for a bad one."""
        try:
            sources = [source_ids(text, self.about) for text in texts]
        except Unfit as error:
            raise BadInput(str(error)) from None
        found = []
        for start in range(0, len(sources), BATCH):
            found += self._batch(np.stack(sources[start : start + BATCH])[:, : self.about["source_steps"]], beam)
        return found

    def _batch(self, source: np.ndarray, beam: int) -> list[list[Translation]]:
        """Sources `(count, source)`. All beams of all sources are rows of one batch."""
        count, steps = len(source), self.about["target_steps"]
        rows = np.repeat(source, beam, axis=0)
        states = [np.repeat(part, beam, axis=0) for part in self.encode.predict_on_batch(source)]
        states, memory = states[: -2 if self._attends else None], states[-2:] if self._attends else []
        scores = np.full((count, beam), -np.inf)
        scores[:, 0] = 0.0  # at first all beams of a source are the same
        written = np.zeros((count, beam, steps), np.int32)
        last, ended = np.full((count, beam), START, np.int32), np.zeros((count, beam), bool)
        for step in range(steps):
            logits, *states = self.step.predict_on_batch(
                [last.reshape(-1, 1), *states, *([*memory, rows] if self._attends else [])]
            )
            shares = log_probabilities(logits).reshape(count, beam, -1)
            shares[ended] = np.where(np.arange(shares.shape[-1]) == 0, 0.0, -np.inf)  # padding costs nothing
            totals = (scores[..., None] + shares).reshape(count, -1)
            best = np.argsort(-totals, axis=-1, kind="stable")[:, :beam]
            scores = np.take_along_axis(totals, best, axis=-1)
            parents, last = best // shares.shape[-1], (best % shares.shape[-1]).astype(np.int32)
            written = np.take_along_axis(written, parents[..., None], axis=1)
            written[..., step] = last
            ended = np.take_along_axis(ended, parents, axis=1) | (last == END)
            places = (parents + beam * np.arange(count)[:, None]).reshape(-1)
            states = [part[places] for part in states]
            if ended.all():
                break
        return [self._translations(*one) for one in zip(written, scores, strict=True)]

    @property
    def _attends(self) -> bool:
        return len(self.step.inputs) > len(self.step.outputs)

    def _translations(self, written: np.ndarray, scores: np.ndarray) -> list[Translation]:
        names, found = self.about["target_vocabulary"], []
        for row, score in zip(written.tolist(), scores.tolist(), strict=True):
            symbols = row[: row.index(END)] if END in row else row
            if np.isfinite(score):
                found.append(Translation(joined([names[one] for one in symbols], self.about), score))
        return found


def _encoder(layers: dict[str, Any], depth: int) -> "keras.Model":
    """From source ids the last states of all layers and, with attention, every step and its keys."""
    import keras

    source = keras.Input((None,), dtype="int32")
    read, states = layers[SOURCE](source), []
    for number in range(1, depth + 1):
        read, *state = layers[f"{ENCODER}{number}"](read)
        states += state
    return keras.Model(source, [*states, *([read, layers[KEYS](read)] if KEYS in layers else [])])


def _step(layers: dict[str, Any], depth: int) -> "keras.Model":
    """From the last symbol `(batch, 1)`, the states and the memory: logits `(batch, outputs)` and the new states."""
    import keras

    last = keras.Input((1,), dtype="int32")
    written = layers[TARGET](last)
    inputs: list[Any] = []
    ends: list[Any] = []
    for number in range(1, depth + 1):
        layer = layers[f"{DECODER}{number}"]
        sizes = layer.cell.state_size
        begun = [keras.Input((size,)) for size in (sizes if isinstance(sizes, list | tuple) else [sizes])]
        written, *state = layer(written, initial_state=begun)
        inputs, ends = [*inputs, *begun], [*ends, *state]
    if KEYS in layers:
        width = layers[KEYS].units
        read, keys, source = keras.Input((None, width)), keras.Input((None, width)), keras.Input((None,), dtype="int32")
        seen = layers["attention"]([written, read, keys], mask=[None, keras.ops.not_equal(source, 0)])
        written = layers["attention_out"](layers["attention_beside"]([written, seen]))
        inputs += [read, keys, source]
    logits = layers["head"](written)
    return keras.Model([last, *inputs], [keras.layers.Reshape((logits.shape[-1],))(logits), *ends])
