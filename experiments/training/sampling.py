"""Samples text from a language model, one symbol at a time. A symbol is a character or a word.

Worked example. The second symbol is twice as likely as the first. Temperature 0.5 makes it four times as likely:

    >>> probabilities(np.log([1, 2]), temperature=0.5).round(3)
    array([0.2, 0.8])

A temperature below 1 sharpens the distribution, one above 1 flattens it. Top-p is the nucleus of Holtzman et al. 2020,
arXiv:1904.09751.
"""

import json
import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.data import corpora, words
from experiments.system.imports import import_keras
from tracking.errors import BadInput

if TYPE_CHECKING:
    import keras

FILES = ("model.keras", "model.json")
# A sum of probabilities that equals top-p on paper may be a little smaller because of rounding.
# A sum that is below top-p by at most this share of it counts as equal.
TOP_P_TOLERANCE = 1e-12


def check(temperature: float, top_k: int, top_p: float) -> None:
    """Raises BadInput for a value that `probabilities` cannot use."""
    if not 0 <= temperature < math.inf:
        raise BadInput(f"temperature: expected a finite number from 0, got {temperature}")
    if top_k < 0:
        raise BadInput(f"top-k: expected 0 (all symbols) or more, got {top_k}")
    if not 0 < top_p <= 1:
        raise BadInput(f"top-p: expected a number above 0 and up to 1, got {top_p}")


def probabilities(logits: np.ndarray, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0) -> np.ndarray:
    """The probabilities with which the next symbol is drawn.

    Args:
        logits: `(..., symbols)`. A logit of -inf gives the probability 0.
        temperature: divides the logits. At 0 the most likely symbol has the probability 1.
        top_k: only the `top_k` most likely symbols are kept. Their probabilities are scaled to the sum 1. 0 keeps all.
            Of symbols with equal logits the one with the lower id counts as more likely.
        top_p: the most likely of the kept symbols stay until their probabilities have at least the sum `top_p`. The
            others are dropped. 1 keeps all.

    Returns:
        float64 of the shape of `logits`; the last axis sums to 1.

    Raises BadInput as `check` does, and if the highest logit of a row is not finite.
    """
    check(temperature, top_k, top_p)
    logits = np.asarray(logits, np.float64)
    highest = logits.max(axis=-1, keepdims=True)
    if not np.isfinite(highest).all():
        raise BadInput(f"logits: expected a finite highest one, got {highest[~np.isfinite(highest)][0]}")
    if temperature == 0:
        temperature, top_k = 1.0, 1
    order = np.argsort(-logits, axis=-1, kind="stable")
    with np.errstate(over="ignore"):  # at a very low temperature exp(-inf) = 0 is right
        ranked = np.take_along_axis(np.exp((logits - highest) / temperature), order, axis=-1)
    ranked[..., top_k or ranked.shape[-1] :] = 0
    ranked /= ranked.sum(axis=-1, keepdims=True)
    if top_p < 1:
        ranked[ranked.cumsum(axis=-1) - ranked >= top_p * (1 - TOP_P_TOLERANCE)] = 0
        ranked /= ranked.sum(axis=-1, keepdims=True)
    return np.take_along_axis(ranked, order.argsort(axis=-1), axis=-1)


def drawn(
    logits: np.ndarray, rng: np.random.Generator, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0
) -> np.ndarray:
    """Symbols `(...)` that are drawn by `probabilities` from logits `(..., symbols)`."""
    cumulative = probabilities(logits, temperature, top_k, top_p).cumsum(axis=-1)
    return np.asarray((cumulative < rng.random((*logits.shape[:-1], 1)) * cumulative[..., -1:]).sum(axis=-1))


def log_probabilities(logits: np.ndarray) -> np.ndarray:
    """float64 log-probabilities from logits, over the last axis."""
    logits = logits.astype(np.float64)
    logits -= logits.max(axis=-1, keepdims=True)
    return np.asarray(logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True)))


def load(folder: Path) -> tuple["keras.Sequential", dict[str, Any]]:
    """The language model that `recurrent export` wrote to `folder`, and what its model.json says.

    Raises:
        BadInput: for a missing folder or file, a broken file and a model that does not write text.
    """
    about = read_card(folder)
    preprocessing = about.get("preprocessing")
    vocabulary = preprocessing.get("vocabulary") if isinstance(preprocessing, dict) else None
    if not isinstance(vocabulary, str | list):
        hint = "; `recurrent translate` takes it" if "source_steps" in (preprocessing or {}) else ""
        raise BadInput(f"{folder}: expected a language model, got one of the task {about.get('task')!r}{hint}")
    model = read_model(folder)
    if (symbols := model.output_shape[-1]) != len(vocabulary):
        raise BadInput(f"{folder}: expected a model of the {len(vocabulary)} symbols in model.json, got {symbols}")
    return model, about


def read_card(folder: Path) -> dict[str, Any]:
    """What the model.json of an export says. Raises BadInput for a missing folder or file, and for a broken one."""
    if not folder.is_dir():
        raise BadInput(f"{folder}: expected the folder of an exported model, got no folder")
    for name in FILES:
        if not (folder / name).is_file():
            raise BadInput(f"{folder}: expected {' and '.join(FILES)}, got no {name}")
    return dict(_read(folder / "model.json", lambda path: dict(json.loads(path.read_text(encoding="utf-8")))))


def read_model(folder: Path) -> Any:
    """The model of an export, not compiled. Raises BadInput for a broken file."""
    import_keras()
    import keras

    _read(folder / "model.keras", zipfile.ZipFile).close()  # Keras would report a file that is no archive as not found
    return _read(folder / "model.keras", lambda path: keras.saving.load_model(path, compile=False))


def _read(path: Path, read: Callable[[Path], Any]) -> Any:
    try:
        return read(path)
    except Exception as error:  # Keras raises many kinds of errors for broken files
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise BadInput(f"{path}: expected a file as it was exported, got a broken one: {reason}") from None


class StatefulReader:
    """Reads `streams` texts in pieces. The first piece starts from a state of zero, a later one from the last state.

    Row i of a piece continues text i.
    """

    def __init__(self, model: "keras.Sequential", streams: int = 1) -> None:
        import tensorflow as tf

        from search_spaces.streams import carrying

        self.model = carrying(model, streams=streams, steps=None)
        shape = [tf.TensorSpec((streams, None), tf.int32)]  # of any length, so that TensorFlow traces only once
        self._logits = tf.function(lambda ids: self.model(ids, training=False), input_signature=shape, autograph=False)

    def log_probabilities(self, ids: np.ndarray) -> np.ndarray:
        """Reads ids `(time,)` of one text; row t of the result `(time, symbols)` is for the symbol after ids[t]."""
        return self.batch_log_probabilities(ids[None])[0]

    def batch_log_probabilities(self, ids: np.ndarray) -> np.ndarray:
        """Reads ids `(streams, time)`; returns float64 log-probabilities `(streams, time, symbols)`."""
        return log_probabilities(self._logits(ids.astype(np.int32)).numpy())

    def reset(self) -> None:
        """Sets the state to zero for a new text."""
        from search_spaces.streams import reset

        reset(self.model)


def start_symbol(vocabulary: str) -> str:
    """The character that stands for an empty prompt: a newline, else a space, else the first known character."""
    return next((character for character in "\n " + vocabulary[1:] if character in vocabulary), corpora.UNKNOWN)


def generate(
    model: "keras.Sequential",
    vocabulary: str | list[str],
    prompt: str,
    length: int,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    seed: int = 0,
    lines: bool = False,
) -> str:
    """Continues `prompt` by `length` symbols; returns them without the prompt. The same seed gives the same text.

    A symbol of the prompt that is not in the vocabulary is read as the unknown symbol. The unknown symbol is never
    written.

    Args:
        vocabulary: the characters in one string, or the words in a list; the unknown symbol has id 0.
        temperature, top_k, top_p: see `probabilities`.
        lines: the model was trained on separate lines, so its state is set to zero after every newline.

    Raises BadInput as `check` does, and for a negative length or seed.
    """
    check(temperature, top_k, top_p)
    for name, value in (("length", length), ("seed", seed)):
        if value < 0:
            raise BadInput(f"{name}: expected 0 or more, got {value}")
    rng, reader = np.random.default_rng(seed), StatefulReader(model)
    ids = _prompt(prompt, vocabulary, lines)
    written = np.zeros(length, np.int32)
    for step in range(length):
        logits = reader.log_probabilities(ids)[-1]
        logits[0] = -np.inf  # the unknown symbol
        written[step] = rng.choice(len(vocabulary), p=probabilities(logits, temperature, top_k, top_p))
        ids = written[step : step + 1]
        if lines and vocabulary[ids[0]] == "\n":
            reader.reset()
    return corpora.decode(written, vocabulary) if isinstance(vocabulary, str) else words.decode(written, vocabulary)


def _prompt(prompt: str, vocabulary: str | list[str], lines: bool) -> np.ndarray:
    """The ids of a prompt, (time,)."""
    if isinstance(vocabulary, list):
        return words.encode(words.prompt(prompt), vocabulary)
    if lines:  # the state is zero after a newline, so the text before it has no influence
        return corpora.encode("\n" + prompt.split("\n")[-1], vocabulary)
    return corpora.encode(prompt or start_symbol(vocabulary), vocabulary)
