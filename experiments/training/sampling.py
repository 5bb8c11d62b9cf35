"""Text from an exported language model, a character or a word at a time.

Worked example, of two symbols the second twice as likely as the first:

    >>> probabilities(np.log([1, 2]), temperature=0.5).round(3)
    array([0.2, 0.8])

A temperature below 1 sharpens, above 1 flattens. Top-p, the nucleus: Holtzman et al. 2020, arXiv:1904.09751.
"""

import inspect
import json
import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.data import corpora, words
from experiments.tasks.base import Task
from tracking.errors import BadInput

if TYPE_CHECKING:
    import keras

FILES = ("model.keras", "model.json")
ROUNDING = 1e-12  # a mass that misses top-p by less than this part has reached it


def check(temperature: float, top_k: int, top_p: float) -> None:
    """Raises BadInput for a value that `probabilities` cannot use."""
    if not 0 <= temperature < math.inf:
        raise BadInput(f"temperature: expected a finite number from 0, got {temperature}")
    if top_k < 0:
        raise BadInput(f"top-k: expected 0 (all symbols) or more, got {top_k}")
    if not 0 < top_p <= 1:
        raise BadInput(f"top-p: expected a number above 0 and up to 1, got {top_p}")


def probabilities(logits: np.ndarray, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0) -> np.ndarray:
    """What a symbol is drawn with, from logits `(..., symbols)`: float64 of the same shape, the last axis sums to 1.

    First the temperature, then the `top_k` most likely symbols are kept, then of these (their sum made 1 again) the
    fewest whose mass reaches `top_p`. Symbols of equal logits rank by id, lowest first: exactly `top_k` stay, and
    temperature 0 is top_k 1. A logit of -inf rules its symbol out.
    Raises BadInput as `check` does, and when a row's highest logit is not finite.
    """
    check(temperature, top_k, top_p)
    logits = np.asarray(logits, np.float64)
    highest = logits.max(axis=-1, keepdims=True)
    if not np.isfinite(highest).all():
        raise BadInput(f"logits: expected a finite highest one, got {highest[~np.isfinite(highest)][0]}")
    if temperature == 0:
        temperature, top_k = 1.0, 1
    order = np.argsort(-logits, axis=-1, kind="stable")
    with np.errstate(over="ignore"):  # a very low temperature: exp(-inf) is the 0 it should be
        ranked = np.take_along_axis(np.exp((logits - highest) / temperature), order, axis=-1)
    ranked[..., top_k or ranked.shape[-1] :] = 0
    ranked /= ranked.sum(axis=-1, keepdims=True)
    if top_p < 1:
        ranked[ranked.cumsum(axis=-1) - ranked >= top_p * (1 - ROUNDING)] = 0
        ranked /= ranked.sum(axis=-1, keepdims=True)
    return np.take_along_axis(ranked, order.argsort(axis=-1), axis=-1)


def load(folder: Path) -> tuple["keras.Sequential", dict[str, Any]]:
    """The language model that `recurrent export` wrote to `folder`, and what its model.json says.

    Raises:
        BadInput: in one line, for a missing folder or file, a broken file and a model that does not write text.
    """
    if not folder.is_dir():
        raise BadInput(f"{folder}: expected the folder of an exported model, got no folder")
    for name in FILES:
        if not (folder / name).is_file():
            raise BadInput(f"{folder}: expected {' and '.join(FILES)}, got no {name}")
    about = _read(folder / "model.json", lambda path: dict(json.loads(path.read_text(encoding="utf-8"))))
    preprocessing = about.get("preprocessing")
    vocabulary = preprocessing.get("vocabulary") if isinstance(preprocessing, dict) else None
    if not isinstance(vocabulary, str | list):
        raise BadInput(f"{folder}: expected a language model, got one of the task {about.get('task')!r}")
    import keras

    _read(folder / "model.keras", zipfile.ZipFile).close()  # of a file that is no archive Keras says: not found
    model = _read(folder / "model.keras", lambda path: keras.saving.load_model(path, compile=False))
    if (symbols := model.output_shape[-1]) != len(vocabulary):
        raise BadInput(f"{folder}: expected a model of the {len(vocabulary)} symbols in model.json, got {symbols}")
    return model, about


def _read(path: Path, read: Callable[[Path], Any]) -> Any:
    try:
        return read(path)
    except Exception as error:  # what Keras raises for a broken file depends on where it is broken
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise BadInput(f"{path}: expected a file as it was exported, got a broken one: {reason}") from None


class Stepper:
    """Reads `streams` texts in pieces, each going on with the state that the last one left, from zero on."""

    def __init__(self, model: "keras.Sequential", streams: int = 1) -> None:
        import tensorflow as tf

        from search_spaces.streams import carrying

        self.twin = carrying(model, streams=streams, steps=None)
        shape = [tf.TensorSpec((streams, None), tf.int32)]  # one trace for the prompt and the single symbols
        self._logits = tf.function(lambda ids: self.twin(ids, training=False), input_signature=shape, autograph=False)

    def log_probabilities(self, ids: np.ndarray) -> np.ndarray:
        """Reads ids (time,); row t of the float64 (time, symbols) is about the symbol after ids[t]."""
        return self.of_streams(ids[None])[0]

    def of_streams(self, ids: np.ndarray) -> np.ndarray:
        """Reads ids (streams, time) and returns log-probabilities (streams, time, symbols)."""
        logits = self._logits(ids.astype(np.int32)).numpy().astype(np.float64)
        logits -= logits.max(axis=-1, keepdims=True)
        return np.asarray(logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True)))

    def reset(self) -> None:
        """The next text starts from zero."""
        from search_spaces.streams import reset

        reset(self.twin)


def start(vocabulary: str) -> str:
    """What an empty prompt is read as: a newline, else a space, else the first character that the model knows."""
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
    """The `length` characters, or words, that follow `prompt`, without the prompt; the same seed gives the same text.

    A symbol of the prompt that is not in the vocabulary is read as the unknown; the unknown is never written. A model
    of `lines` starts anew with every line.
    Raises BadInput as `check` does, and for a negative length or seed.
    """
    check(temperature, top_k, top_p)
    for name, value in (("length", length), ("seed", seed)):
        if value < 0:
            raise BadInput(f"{name}: expected 0 or more, got {value}")
    rng, stepper = np.random.default_rng(seed), Stepper(model)
    read = _prompt(prompt, vocabulary, lines)
    written = np.zeros(length, np.int32)
    for place in range(length):
        scores = stepper.log_probabilities(read)[-1]
        scores[0] = -np.inf  # the unknown
        written[place] = rng.choice(len(vocabulary), p=probabilities(scores, temperature, top_k, top_p))
        read = written[place : place + 1]
        if lines and vocabulary[read[0]] == "\n":
            stepper.reset()
    return corpora.decode(written, vocabulary) if isinstance(vocabulary, str) else words.decode(written, vocabulary)


def _prompt(prompt: str, vocabulary: str | list[str], lines: bool) -> np.ndarray:
    if isinstance(vocabulary, list):
        return words.encode(words.prompt(prompt), vocabulary)
    if lines:  # what stands before the last newline is forgotten
        return corpora.encode("\n" + prompt.split("\n")[-1], vocabulary)
    return corpora.encode(prompt or start(vocabulary), vocabulary)


def shares(task: Task, model: "keras.Sequential", seed: int) -> dict[str, float]:
    """What the task says of the lines that a trained model writes, by name; see `Task.samples`."""
    if list(inspect.signature(task.samples).parameters) == ["draw"]:
        found = task.samples(lambda count, longest: sample_lines(model, _vocabulary(task), count, longest, seed))
    else:
        found = task.samples(model, seed)  # type: ignore[call-arg]  # a user's own way
    return {name: float(share) for name, share in found.items()}


def _vocabulary(task: Task) -> str:
    return str(task.preprocessing()["vocabulary"])


def sample_lines(model: "keras.Sequential", vocabulary: str, count: int, longest: int, seed: int) -> list[str]:
    """`count` lines, each with its newline unless it has not come to an end after `longest` characters."""
    rng, stepper = np.random.default_rng(seed), Stepper(model, count)
    read = np.full((count, 1), vocabulary.index("\n"), np.int32)
    written = np.zeros((count, longest), np.int32)
    for place in range(longest):
        scores = stepper.of_streams(read)[:, -1]
        scores[:, 0] = -np.inf  # the unknown
        masses = probabilities(scores).cumsum(axis=-1)
        drawn = (masses < rng.random((count, 1)) * masses[:, -1:]).sum(axis=-1)
        written[:, place] = drawn
        read = drawn[:, None]
    texts = (corpora.decode(row, vocabulary) for row in written)
    return [text[: text.find("\n") + 1] or text for text in texts]
