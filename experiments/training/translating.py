"""Writes the targets of sources with an exported encoder and decoder: greedily, with a beam, or by drawing symbols.

The layers of the model are called by themselves: the encoder once for each source, and the decoder once for each symbol
of a target, in one loop of TensorFlow. A beam keeps the K likeliest beginnings of each target. A score is the sum of
the log-probabilities of its symbols, END included, without a bonus for length. A beam of 1 is greedy: it writes what
the score of a search counts (see experiments/tasks/loading/pairs.py).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.tasks.loading.pairs import END, START
from experiments.training.sampling import check, drawn, read_card, read_model
from search_spaces.halves import DECODER, ENCODER, KEYS, SOURCE, TARGET
from tracking.deploy.predict import NEVER_WRITTEN, Unfit, joined, source_ids
from tracking.errors import BadInput

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

BATCH = 64  # sources that are read at once
Target = tuple[list[int], float]  # the ids of its symbols, without END, and the logarithm of its probability

# From log-probabilities (sources, rows, symbols) and the rows' scores: the row that each new row goes on with, its
# symbol, and its score.
Choose = Callable[["tf.Tensor", "tf.Tensor"], tuple["tf.Tensor", "tf.Tensor", "tf.Tensor"]]


@dataclass(frozen=True)
class Translation:
    """A target, the logarithm of its probability, and the ids of its symbols, without END."""

    text: str
    log_probability: float
    ids: list[int]


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
    """Translates with a model of encoder_decoder.py whose layers are those of Keras.

    Args:
        about: `preprocessing` of its card.
    """

    def __init__(self, model: "keras.Model", about: dict[str, Any]) -> None:
        self.about = about
        self.layers = {layer.name: layer for layer in model.layers}
        depth = sum(name.startswith(ENCODER) and name[len(ENCODER) :].isdigit() for name in self.layers)
        self.encoder, self.decoder = (
            [self.layers[f"{half}{number}"] for number in range(1, depth + 1)] for half in (ENCODER, DECODER)
        )

    def translate(self, texts: list[str], beam: int = 1) -> list[list[Translation]]:
        """For each source its likeliest targets, at most `beam`, the best one first. Raises BadInput for a bad one."""
        return self._named(self.write(self.sources(texts), beam))

    def draw(
        self,
        texts: list[str],
        count: int = 1,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        seed: int = 0,
    ) -> list[list[Translation]]:
        """For each source `count` targets whose symbols are drawn, the likeliest one first.

        Args:
            temperature, top_k, top_p: see `sampling.probabilities`. The log-probabilities are those of the model.

        Raises BadInput for a bad source and as `sampling.check` does.
        """
        check(temperature, top_k, top_p)
        rng = np.random.default_rng(seed)
        choose = _by_lot(lambda shares: drawn(shares, rng, temperature, top_k, top_p).astype(np.int32))
        found = self._named(self._targets(self.sources(texts), [0.0] * count, choose))
        return [sorted(several, key=lambda one: -one.log_probability) for several in found]

    def looked_at(self, text: str, ids: list[int]) -> tuple[list[str], list[str], np.ndarray]:
        """What the decoder looks at while it writes a target: the symbols of both sides, and the weights.

        Weights `(target, source)` of one step of the target sum to 1. The last step is END, if the target has an end.

        Raises BadInput for a bad source, and for a model without attention.
        """
        import tensorflow as tf

        x = self.sources([text])
        states, memory = self._encode(tf.constant(x))
        if not memory:
            raise BadInput("--plot: expected a model with attention, whose name ends with +att, got one without")
        rows = []
        for last in (START, *ids)[: self.about["target_steps"]]:
            written, states = self._advance(tf.constant([last]), states)
            rows.append(np.asarray(self._look(written, memory)[1])[0, 0])
        count = int((x != 0).sum())
        source = [self.about["source_vocabulary"][one] for one in x[0, :count]]
        target = [self.about["target_vocabulary"][one] for one in (*ids, END)[: len(rows)]]
        return source[::-1], target, np.array(rows)[:, :count][:, ::-1]

    def write(self, x: np.ndarray, beam: int = 1) -> list[list[Target]]:
        """The likeliest targets of sources `(count, source)`, at most `beam` of each, the best one first."""
        return self._targets(x, [0.0, *[-np.inf] * (beam - 1)], _likeliest)  # at first all rows of a beam are the same

    def sources(self, texts: list[str]) -> np.ndarray:
        """The ids of sources `(count, source)`. Raises BadInput for one that the model cannot read."""
        try:
            found = [source_ids(text, self.about)[: self.about["source_steps"]] for text in texts]
        except Unfit as error:
            raise BadInput(str(error)) from None
        return np.reshape(found, (-1, self.about["source_steps"])).astype(np.int32)

    def _targets(self, x: np.ndarray, first: list[float], choose: Choose) -> list[list[Target]]:
        """For each source a target for each score in `first`, with which they begin; none whose score is -inf."""
        import tensorflow as tf

        spec = [tf.TensorSpec((None, self.about["source_steps"]), tf.int32)]  # of any batch: it is traced once
        write = tf.function(lambda source: self._write(source, first, choose), input_signature=spec, autograph=False)
        found = []
        for start in range(0, len(x), BATCH):
            written, scores = (part.numpy().tolist() for part in write(x[start : start + BATCH]))
            found += [_cut(*one) for one in zip(written, scores, strict=True)]
        return found

    def _named(self, found: list[list[Target]]) -> list[list[Translation]]:
        names = self.about["target_vocabulary"]
        return [
            [Translation(joined([names[one] for one in ids], self.about), score, ids) for ids, score in several]
            for several in found
        ]

    def _write(self, source: "tf.Tensor", first: list[float], choose: Choose) -> tuple["tf.Tensor", "tf.Tensor"]:
        """From sources `(count, source)` symbols `(count, rows, target)` and scores `(count, rows)`.

        All rows of all sources are read as one batch.
        """
        import tensorflow as tf

        count, rows, steps = tf.shape(source)[0], len(first), self.about["target_steps"]
        allowed = np.isin(np.arange(len(self.about["target_vocabulary"])), NEVER_WRITTEN, invert=True)
        states, memory = tf.nest.map_structure(lambda part: tf.repeat(part, rows, axis=0), self._encode(source))

        def step(
            now: Any, last: Any, states: Any, scores: Any, ended: Any, written: Any
        ) -> tuple[Any, Any, Any, Any, Any, Any]:
            logits, states = self._decode(tf.reshape(last, (-1,)), states, memory)
            shares = tf.where(allowed, tf.nn.log_softmax(tf.cast(logits, tf.float64)), -np.inf)
            shares = tf.reshape(shares, (count, rows, logits.shape[-1]))
            ends = tf.where(tf.range(logits.shape[-1]) == 0, tf.zeros((), tf.float64), -np.inf)
            shares = tf.where(ended[..., None], ends, shares)  # behind END stands padding, which costs nothing
            parents, last, scores = choose(shares, scores)
            places = tf.reshape(parents + rows * tf.range(count)[:, None], (-1,))
            states = tf.nest.map_structure(lambda part: tf.gather(part, places), states)
            written = tf.gather(written, parents, batch_dims=1)
            written = tf.where(tf.range(steps) == now, last[..., None], written)
            ended = tf.gather(ended, parents, batch_dims=1) | (last == END)
            return now + 1, last, states, scores, ended, written

        begun = (
            tf.constant(0),
            tf.fill((count, rows), START),
            states,
            tf.tile(tf.constant([first], tf.float64), (count, 1)),
            tf.zeros((count, rows), tf.bool),
            tf.zeros((count, rows, steps), tf.int32),
        )
        more = lambda now, last, states, scores, ended, written: ~tf.reduce_all(ended)  # noqa: E731
        *_, scores, _, written = tf.while_loop(more, step, begun, maximum_iterations=steps)
        return written, scores

    def _encode(self, source: "tf.Tensor") -> tuple[list[Any], list[Any]]:
        """The last states of each layer, and with attention every step, its key, and whether it is real."""
        real, states = source != 0, []
        read = self.layers[SOURCE](source)
        for layer in self.encoder:
            read, *state = layer(read, mask=real)
            states.append(state)
        return states, [read, self.layers[KEYS](read), real] if KEYS in self.layers else []

    def _decode(self, last: "tf.Tensor", states: list[Any], memory: list[Any]) -> tuple["tf.Tensor", list[Any]]:
        """From the last symbols `(rows,)`, the states and the memory: logits `(rows, outputs)` and the new states."""
        written, states = self._advance(last, states)
        if memory:
            seen, _ = self._look(written, memory)
            written = self.layers["attention_out"](self.layers["attention_beside"]([written, seen]))
        return self.layers["head"](written)[:, 0], states

    def _advance(self, last: "tf.Tensor", states: list[Any]) -> tuple["tf.Tensor", list[Any]]:
        """The outputs `(rows, 1, width)` and new states of the recurrent layers that read the last symbols."""
        written, ends = self.layers[TARGET](last), []
        for layer, state in zip(self.decoder, states, strict=True):
            written, state = layer.cell(written, state)
            ends.append(list(state))
        return written[:, None], ends

    def _look(self, written: "tf.Tensor", memory: list[Any]) -> tuple["tf.Tensor", "tf.Tensor"]:
        """What is seen in the source, `(rows, 1, width)`, and the weight of each of its steps, `(rows, 1, source)`."""
        read, keys, real = memory
        scored: Any = self.layers["attention"]
        seen, weights = scored([written, read, keys], mask=[None, real], return_attention_scores=True)
        return seen, weights


def _cut(written: list[list[int]], scores: list[float]) -> list[Target]:
    """Targets in front of their END, with their scores. A beam that is wider than the number of targets has -inf."""
    cut = [row[: row.index(END)] if END in row else row for row in written]
    return [one for one in zip(cut, scores, strict=True) if np.isfinite(one[1])]


def _likeliest(shares: Any, scores: Any) -> tuple[Any, Any, Any]:
    """The rows of a beam that are likeliest with their next symbol."""
    import tensorflow as tf

    rows, symbols = shares.shape[1:]
    scores, best = tf.math.top_k(tf.reshape(scores[..., None] + shares, (-1, rows * symbols)), rows)
    return best // symbols, best % symbols, scores


def _by_lot(draw: Callable[[np.ndarray], np.ndarray]) -> Choose:
    """Each row goes on with a symbol that `draw` chooses by the log-probabilities."""
    import tensorflow as tf

    def choose(shares: Any, scores: Any) -> tuple[Any, Any, Any]:
        last = tf.ensure_shape(tf.numpy_function(draw, [shares], tf.int32), shares.shape[:2])
        parents = tf.zeros_like(last) + tf.range(shares.shape[1])
        return parents, last, scores + tf.gather(shares, last, batch_dims=2)

    return choose
