"""Answers sequences with the exported model beside this file. It needs NumPy and the runtime of one format.

    python predict.py data.npy            an array (samples, time, features), or (samples, time) of tokens
    python predict.py data.jsonl          one sequence in each line, as JSON; they may differ in length
    python predict.py - < data.jsonl      the same from standard input
    python predict.py --text "The "       a language model goes on with the text, a translating model translates it
    python predict.py series.csv          a forecasting model says the next values of the series

Each answer is one line of JSON: {"label": …, "probabilities": {…}} for classes, a list for numbers, a list of the
probabilities that it is 1 for bits, and a list of these for a model with an answer at every step. A language model
writes text. A forecast is one number a line, in the units of the series. Nothing is read but the files in this folder.
Long because it is handed over as one file.
"""

import argparse
import csv
import json
import re
import runpy
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np

Model = Callable[[np.ndarray], np.ndarray]  # x (samples, time, …) -> outputs (samples, …)
Reader = Callable[[list[int]], np.ndarray]  # the next ids of a text -> the logits of the symbol after them
BATCH = 64  # sequences that are read at once
PIECE = 1_000  # symbols of a prompt that are read at once
LONGEST_PROMPT = 100_000  # characters; longer ones would keep a server busy for minutes
LONGEST = 10_000  # symbols that are written for one prompt
END = "<eos>"  # the end of a line, in a vocabulary of words
START_ID, END_ID, UNKNOWN_ID = 1, 2, 3  # of an encoder and a decoder
NEVER_WRITTEN = [0, START_ID, UNKNOWN_ID]  # padding, the start and the unknown symbol
# Accents that are characters of their own, and the scripts of South Asia and Thailand, whose vowels are.
MARK = r"\u0300-\u036f\u0483-\u0489\u0591-\u05c7\u0610-\u061a\u064b-\u0670\u06d6-\u06ed\u200c\u200d"
MARK += r"\u0900-\u0963\u0966-\u109f\u1780-\u17ff"
LETTERS = rf"(?:[^\W_]|[{MARK}])+"
# A number with a point or a comma inside, a word with an apostrophe or a hyphen behind it, or a sign.
WORD = re.compile(rf"\d+(?:[.,]\d+)+|{LETTERS}(?:['’]{LETTERS})*-?|\S")
UNITS: dict[str, Callable[[str], list[str]]] = {  # how a source or a target is cut into symbols
    "characters": list,
    "words": WORD.findall,  # words and signs: "twenty-", "three", ","
    "tokens": str.split,  # what stands between spaces
    "smiles": re.compile(r"<[^>]+>|\[[^\]]+\]|Br|Cl|.").findall,  # atoms and signs of a molecule, or a mark in <>
}
SHOWN = 10  # the classes of an answer whose probabilities are shown, and the names of series in a message


class Unfit(ValueError):
    """Input that the model cannot take. The text says what was expected and what came."""


def know_classes(folder: Path) -> None:
    """Runs the files of the classes that Keras does not have. They stand beside the card of the model."""
    for name in read_card(folder).get("class_files", []):
        runpy.run_path(str(folder / name))


def from_keras(folder: Path) -> Model:
    import keras

    if (folder / "model.json").exists():  # a logged model has its card elsewhere
        know_classes(folder)
    return reading(keras.models.load_model(folder / "model.keras", compile=False))


def reading(model: Any) -> Model:
    """What reads x with a Keras model."""
    import tensorflow as tf

    spec = tf.TensorSpec(model.inputs[0].shape, model.inputs[0].dtype)  # of any batch and length: it is traced once
    call = tf.function(lambda x: model(x, training=False), input_signature=[spec], autograph=False)
    return lambda x: call(x).numpy()


def from_savedmodel(folder: Path) -> Model:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(folder / "savedmodel" / "1"))
    return lambda x: loaded.serve(tf.constant(x)).numpy()


def from_onnx(folder: Path) -> Model:
    session = _session(folder / "model.onnx")
    return lambda x: session.run(None, {"x": x})[0]


def from_litert(folder: Path) -> Model:
    return _in_steps(folder, _litert_steps(folder))


def from_onnx_steps(folder: Path) -> Model:
    return _in_steps(folder, _onnx_steps(folder))


def from_litert_whole(folder: Path) -> Model:
    """The file for sequences of one length, one after the other."""
    from ai_edge_litert.interpreter import Interpreter

    (file,) = folder.glob("model-[0-9]*.tflite")
    runner = Interpreter(str(file), num_threads=1).get_signature_runner()
    return lambda x: np.concatenate([runner(x=one[None])["output"] for one in x])


def _in_steps(folder: Path, start: Callable[[], Model]) -> Model:
    """Reads one sequence after the other, and each of its steps before the padding."""
    card = read_card(folder)
    padding, per_step = card["preprocessing"].get("padding"), len(card["shapes"]["output"]["shape"]) == 3

    def read(sequence: np.ndarray) -> np.ndarray:
        step = start()
        return np.stack([step(x[None])[0] for x in sequence])

    def answer(x: np.ndarray) -> np.ndarray:
        rows = [read(row[: _length(row, padding)]) for row in x]
        if not per_step:
            return np.stack([row[-1] for row in rows])
        # Behind the end of a shorter sequence stand zeros.
        return np.stack([np.pad(row, ((0, x.shape[1] - len(row)), (0, 0))) for row in rows])

    return answer


RUNTIMES = {  # a format: the file by which it is found, the module of its runtime, what reads it; the lightest first
    "onnx": ("model.onnx", "onnxruntime", from_onnx),
    "litert": ("model-step.tflite", "ai_edge_litert", from_litert),
    "keras": ("model.keras", "keras", from_keras),
    "savedmodel": ("savedmodel/1", "tensorflow", from_savedmodel),  # reads a whole text again for each symbol
}

FURTHER = {"onnx-steps": from_onnx_steps, "litert-whole": from_litert_whole}  # the other file of a format


def text_keras(folder: Path) -> Callable[[], Reader]:
    """Reads texts with a copy of the model whose layers keep their state between two calls."""
    import keras
    import tensorflow as tf

    model = keras.models.load_model(folder / "model.keras", compile=False)
    config = model.get_config()
    for layer in config["layers"]:
        layer.pop("build_config", None)  # it has the old, free size of the batch
        if "stateful" in layer["config"]:
            layer["config"]["stateful"] = True
        if layer["class_name"] == "InputLayer":
            layer["config"]["batch_shape"] = (1, None)
    copy = type(model).from_config(config)
    copy.set_weights(model.get_weights())
    spec = tf.TensorSpec((1, None), tf.int32)
    call = tf.function(lambda ids: copy(ids, training=False)[0, -1], input_signature=[spec], autograph=False)

    def begin() -> Reader:
        for layer in copy.layers:
            if getattr(layer, "stateful", False):
                layer.reset_state()
        return lambda ids: call(np.array([ids], np.int32)).numpy()

    return begin


def text_savedmodel(folder: Path) -> Callable[[], Reader]:
    """Reads the whole text again for each symbol, since the endpoint keeps no state."""
    model = from_savedmodel(folder)

    def begin() -> Reader:
        text: list[int] = []

        def read(ids: list[int]) -> np.ndarray:
            text.extend(ids)
            return model(np.array([text], np.int32))[0, -1]

        return read

    return begin


def text_onnx(folder: Path) -> Callable[[], Reader]:
    return _by_steps(_onnx_steps(folder))


def text_litert(folder: Path) -> Callable[[], Reader]:
    return _by_steps(_litert_steps(folder))


TEXTS = {"onnx": text_onnx, "litert": text_litert, "savedmodel": text_savedmodel, "keras": text_keras}


def _session(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _onnx_steps(folder: Path) -> Callable[[], Model]:
    """A function that begins some sequences. It returns what reads a step of each, and keeps the states."""
    session = _session(folder / "model-step.onnx")
    widths = {one.name: one.shape[1] for one in session.get_inputs() if one.name != "x"}
    names = [one.name for one in session.get_outputs()]

    def start() -> Model:
        states = {name: np.zeros((1, width), np.float32) for name, width in widths.items()}

        def step(x: np.ndarray) -> np.ndarray:
            made = dict(zip(names, session.run(None, {"x": x, **states}), strict=True))
            states.update({name: made[f"next_{name}"] for name in states})
            return made["output"]

        return step

    return start


def _litert_steps(folder: Path) -> Callable[[], Model]:
    """A function that begins a sequence. It returns what reads a step `(1, …)` and keeps the states."""
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(str(folder / "model-step.tflite"), num_threads=1).get_signature_runner()
    shapes = {name: about["shape"] for name, about in runner.get_input_details().items() if name != "x"}

    def start() -> Model:
        states = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}

        def step(x: np.ndarray) -> np.ndarray:
            made = runner(x=x, **states)
            states.update({name: made[f"next_{name}"] for name in states})
            return made["output"]

        return step

    return start


def _by_steps(start: Callable[[], Model]) -> Callable[[], Reader]:
    """Reads texts step by step."""

    def begin() -> Reader:
        step = start()
        return lambda ids: [step(np.array([one], np.int32))[0] for one in ids][-1]

    return begin


def read_card(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "model.json").read_text("utf-8")))


def _length(row: np.ndarray, padding: float | None) -> int:
    """The number of steps before the padding; at least 1."""
    if padding is None:
        return len(row)
    real = (row != padding).reshape(len(row), -1).any(axis=1)
    return max(1, int(real.sum()))


def sequence(given: Any, card: dict[str, Any]) -> np.ndarray:
    """One sequence `(time, features)`, or `(time,)` of tokens. Raises Unfit for what the model cannot take."""
    about = card["preprocessing"]
    features, expected = card["shapes"]["input"]["shape"][2:], about["input"].replace("(batch, ", "(")
    try:
        array = np.asarray(given, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise Unfit(f"sequence: expected {expected}, got {str(given)[:60]!r}") from None
    if array.ndim != 1 + len(features) or not len(array) or list(array.shape[1:]) != features:
        raise Unfit(f"sequence: expected {expected}, got the shape {array.shape}")
    if len(array) != about.get("window", len(array)):
        raise Unfit(f"sequence: expected a window of {about['window']} steps, got {len(array)}; cut a longer sequence")
    with np.errstate(over="ignore"):
        array = array.astype(np.float32) if features else array
    if not np.isfinite(array).all():
        raise Unfit("sequence: expected finite numbers, got NaN or one that is too large")
    if "x_mean" in about:  # the model reads features in the scale of its training split
        array = ((array - about["x_mean"]) / about["x_deviation"]).astype(np.float32)
    if not features:
        return _ids(array, about)
    if "padding" in about and (array == about["padding"]).all(axis=1).any():
        raise Unfit(f"sequence: expected no step of {about['padding']}, which stands behind the end of a sequence")
    return array


def _ids(array: np.ndarray, about: dict[str, Any]) -> np.ndarray:
    """The ids of tokens. Tokens of a user's own data are numbered anew; one that is not known gets the unknown id."""
    names = about.get("vocabulary") or about["words"]
    if (array != np.round(array)).any():
        raise Unfit("sequence: expected whole numbers")
    if "unknown" in about and "words" in about:
        places = {name: place for place, name in enumerate(names)}
        return np.array([places.get(str(int(token)), about["unknown"]) for token in array], np.int32)
    least = 1 if "padding" in about else 0
    if array.min() < least or array.max() >= len(names):
        known = f"whole numbers from {least} to {len(names) - 1}"
        raise Unfit(f"sequence: expected {known}, got {array.min():g} to {array.max():g}")
    return array.astype(np.int32)


def padded(rows: list[np.ndarray], card: dict[str, Any]) -> np.ndarray:
    """Sequences as one batch. Behind the end of a shorter one stands the padding."""
    longest = max(map(len, rows))
    padding = card["preprocessing"].get("padding")
    if padding is None and any(len(row) < longest for row in rows):
        raise Unfit("sequence: expected sequences of one length, since the model knows no padding")
    x = np.full((len(rows), longest, *rows[0].shape[1:]), padding or 0, rows[0].dtype)
    for row, one in zip(x, rows, strict=True):
        row[: len(one)] = one
    return x


def batches(rows: Iterator[np.ndarray], card: dict[str, Any]) -> Iterator[np.ndarray]:
    """Batches of sequences. Without padding those of one batch have one length."""
    waiting: list[np.ndarray] = []
    for row in rows:
        other = "padding" not in card["preprocessing"] and waiting and len(row) != len(waiting[0])
        if waiting and (other or len(waiting) == BATCH):
            yield padded(waiting, card)
            waiting = []
        waiting.append(row)
    if waiting:
        yield padded(waiting, card)


def in_file(path: str, card: dict[str, Any]) -> Iterator[np.ndarray]:
    """The sequences of a file; a message names the line, counted from 1."""
    if path.endswith(".npy"):
        about = card["preprocessing"]
        padding = None if "x_mean" in about else about.get("padding")  # it is a number of that scale
        yield from (sequence(one[: _length(one, padding)], card) for one in np.load(path, allow_pickle=False))
        return
    with sys.stdin if path == "-" else open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                try:
                    yield sequence(json.loads(line), card)
                except (json.JSONDecodeError, Unfit) as error:
                    raise Unfit(f"line {number}: {error}") from None


def translated(model: Model, card: dict[str, Any], texts: list[str]) -> list[str]:
    """What an encoder and a decoder write of each source: the likeliest symbol at each step, up to END."""
    about = card["preprocessing"]
    x, names = np.stack([source_ids(text, about) for text in texts]), about["target_vocabulary"]
    rows = np.full((len(texts), about["target_steps"]), END_ID, np.int32)
    for step in range(rows.shape[1]):
        logits = np.array(model(x)[:, step])
        logits[:, NEVER_WRITTEN] = -np.inf
        rows[:, step] = logits.argmax(axis=-1)
        if step + 1 < rows.shape[1]:
            x[:, about["source_steps"] + step + 1] = rows[:, step]
    return [joined([names[one] for one in row[: _until_end(row)]], about) for row in rows.tolist()]


def _until_end(row: list[int]) -> int:
    return row.index(END_ID) if END_ID in row else len(row)


def source_ids(text: Any, about: dict[str, Any]) -> np.ndarray:
    """x `(source + target,)` with the source, from its last symbol to its first, and START."""
    if not isinstance(text, str):
        raise Unfit(f"source: expected a text, got {str(text)[:60]!r}")
    symbols = UNITS[about["units"][0]](normalize("NFC", text.strip().lower() if about["lower"] else text.strip()))
    steps, places = about["source_steps"], {name: place for place, name in enumerate(about["source_vocabulary"])}
    if not 0 < len(symbols) <= steps:
        raise Unfit(f"source: expected 1 to {steps} {about['units'][0]}, got {len(symbols):,}")
    x = np.zeros(steps + about["target_steps"], np.int32)
    x[: len(symbols)] = [places.get(one, UNKNOWN_ID) for one in symbols[::-1]]
    x[steps] = START_ID
    return x


def joined(symbols: list[str], about: dict[str, Any]) -> str:
    """The text of a target's symbols: "twenty-", "three", "," and "one" are "twenty-three, one"."""
    if about["units"][1] != "words":
        return (" " if about["units"][1] == "tokens" else "").join(symbols)
    text = re.sub(r"- (?=\w)", "-", " ".join(symbols))
    return re.sub(r"([(\[{¿¡„“]) ", r"\1", re.sub(rf" ([^\w\s({{\[¿¡„“{MARK}])", r"\1", text))


def header(path: str) -> tuple[list[str], str]:
    """The names of the columns of a file .csv, and what stands between them: a comma, a semicolon or a tab."""
    with open(path, newline="", encoding="utf-8-sig") as file:
        first = file.readline()
    between = max(",;\t", key=first.count)
    return next(csv.reader([first], delimiter=between), []), between


def read_series(path: str, about: dict[str, Any], last: int = 0) -> dict[str, np.ndarray]:
    """The series in a file .csv by their names, float64 `(time, columns)`; "" is the name of an only one.

    Args:
        about: `columns`, `time` (the column by which the rows are ordered; "" for a file in order) and `series_by` (the
            column that says of which series a row is; "" for one series).
        last: only so many rows at the end of each series are read; 0 for all.

    Raises Unfit, with the line, for a column that is missing, rows that are not in order, and what is no number.
    """
    names, between = header(path)
    for name in filter(None, [*about["columns"], about["time"], about["series_by"]]):
        if name not in names:
            raise Unfit(f"{path}: expected the column {name!r}, got {', '.join(names) or 'an empty file'}")
    found: dict[str, list[tuple[int, dict[str, str]]]] = {}
    with open(path, newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file, delimiter=between, restval="")
        for row in rows:
            found.setdefault(row[about["series_by"]] if about["series_by"] else "", []).append((rows.line_num, row))
    if not found:
        raise Unfit(f"{path}: expected rows below the names of the columns, got none")
    if about["time"]:
        for several in found.values():
            _check_order(path, about["time"], several)
    return {
        name: np.array(
            [[_number(path, line, row, column) for column in about["columns"]] for line, row in rows[-last:]]
        )
        for name, rows in found.items()
    }


def _number(path: str, line: int, row: dict[str, str], column: str) -> float:
    try:
        value = float(row[column])
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise Unfit(f"{path}, line {line}: expected a number in the column {column}, got {row[column]!r}")
    return value


def _check_order(path: str, column: str, rows: list[tuple[int, dict[str, str]]]) -> None:
    """Times are numbers, or dates like 2024-01, 2024-01-31 or 2024-01-31 12:00."""
    before: float | datetime | None = None
    for line, row in rows:
        try:
            numbers = row[column].replace(".", "", 1).lstrip("-").isdigit()
            month = len(row[column]) == len("2024-01")
            now = float(row[column]) if numbers else datetime.fromisoformat(row[column] + month * "-01")
            late = before is not None and now <= before  # type: ignore[operator]
        except (ValueError, TypeError):
            raise Unfit(
                f"{path}, line {line}: expected a date or a number as the others, got {row[column]!r}"
            ) from None
        if late:
            raise Unfit(f"{path}, line {line}: expected a time after {before}, got {row[column]!r}")
        before = now


def forecasts(
    model: Model, card: dict[str, Any], path: str, horizon: int = 0, column: str = ""
) -> dict[str, list[float]]:
    """The next values of each series in a file .csv, in the units of the file, by the names of the series.

    Args:
        horizon: values that are forecast, 0 for as many as the model says at once. Further ones go on from its own.
        column: the one that is forecast, if it has another name than in training.

    Raises Unfit as `read_series` does, and for a series that is too short or not known.
    """
    about = card["preprocessing"]
    columns = [column or about["columns"][0], *about["columns"][1:]]
    steps, horizon = about["context"], horizon or about["horizon"]
    if horizon < 0:
        raise Unfit(f"horizon: expected a number from 1, got {horizon}")
    if horizon > about["horizon"] and columns[1:]:
        reason = f"the next values of {', '.join(columns[1:])} are not known"
        raise Unfit(f"horizon: expected at most {about['horizon']}, since {reason}, got {horizon}")
    found = read_series(path, {**about, "columns": columns}, steps)
    for name, values in found.items():
        if name not in about["scales"]:
            known = ", ".join([*about["scales"]][:SHOWN]) + (", …" if len(about["scales"]) > SHOWN else "")
            raise Unfit(f"{path}: expected series out of {known}, got {name or 'one without a name'}")
        if len(values) < steps:
            of = f" of {name}" if name else ""
            raise Unfit(f"{path}: expected at least {steps} rows{of}, which the model reads, got {len(values)}")
    while len(next(iter(found.values()))) < steps + horizon:
        windows = {name: scaled(values[None, -steps:], about["scales"][name], about) for name, values in found.items()}
        outputs = model(np.concatenate([x for x, _ in windows.values()]).astype(np.float32))
        for (name, (_, last)), output in zip(windows.items(), outputs, strict=True):
            scale = about["scales"][name]
            values = (output + last[0]) * scale["deviation"][0] + scale["mean"][0]
            more = np.repeat(values[:, None], len(columns), axis=1)  # covariates are not read again
            found[name] = np.concatenate([found[name], more])
    return {name: values[steps : steps + horizon, 0].tolist() for name, values in found.items()}


def shown_forecasts(found: dict[str, list[float]]) -> list[str]:
    """A value in each line, with what 32 bits hold, behind the name of its series where there are several."""
    return [f"{name}\t{value:.7g}" if name else f"{value:.7g}" for name, values in found.items() for value in values]


def scaled(values: np.ndarray, scale: dict[str, Any], about: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Windows `(windows, context, columns)` of a series as a model reads them, and what its outputs are relative to.

    Each column is less its mean, divided by its deviation. With the anchor `last` the first column is then less its
    value at the last step of the window. It is this value `(windows, 1)` that the outputs are relative to, else 0.
    """
    x = (values - scale["mean"]) / scale["deviation"]
    last = x[:, -1:, 0] if about["anchor"] == "last" else np.zeros((len(x), 1))
    return np.concatenate([x[..., :1] - last[..., None], x[..., 1:]], axis=-1), last


def answers(outputs: np.ndarray, card: dict[str, Any]) -> Any:
    """The answer of one sequence, from its outputs `(outputs,)`, or `(time, outputs)` with an answer at every step."""
    if outputs.ndim == 2:
        return [answers(step, card) for step in outputs]
    if card["answer"] == "numbers":
        about = card["preprocessing"]
        units = outputs * np.array(about.get("y_deviation", 1.0)) + np.array(about.get("y_mean", 0.0))
        return [float(value) for value in units]
    if card["answer"] == "bits":
        return [float(value) for value in np.exp(-np.logaddexp(0, -outputs.astype(np.float64)))]
    shares = probabilities(outputs)
    labels = card.get("labels") or card["preprocessing"].get("vocabulary") or range(len(outputs))
    order = np.argsort(-shares, kind="stable")[:SHOWN]
    return {"label": str(labels[order[0]]), "probabilities": {str(labels[one]): float(shares[one]) for one in order}}


def probabilities(logits: np.ndarray, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0) -> np.ndarray:
    """The softmax at a temperature, of the `top_k` likeliest (0: all) that together have the share `top_p`."""
    if temperature == 0:
        temperature, top_k = 1.0, 1
    scaled = (logits - logits.max()).astype(np.float64) / temperature
    shares = np.exp(scaled)
    order = np.argsort(-shares, kind="stable")
    if top_k:
        shares[order[top_k:]] = 0
    shares /= shares.sum()
    if top_p < 1:
        before = np.cumsum(shares[order]) - shares[order]
        shares[order[before >= top_p]] = 0
        shares /= shares.sum()
    return shares


def continued(
    begin: Callable[[], Reader],
    card: dict[str, Any],
    text: str,
    length: int = 200,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    seed: int = 0,
) -> str:
    """What follows the text: `length` characters or words. The unknown one, 0, is never written.

    The same seed gives the same text. Raises Unfit for a number that makes no sense.
    """
    _check(text, length, temperature, top_k, top_p, seed)
    vocabulary, rng, read = card["preprocessing"]["vocabulary"], np.random.default_rng(seed), begin()
    places, words = {symbol: place for place, symbol in enumerate(vocabulary)}, isinstance(vocabulary, list)
    ids = [places.get(symbol, 0) for symbol in (_words(text) if words else _characters(text, card))]
    for start in range(0, len(ids) - 1, PIECE):  # a long prompt in one piece would need much memory
        read(ids[start : min(start + PIECE, len(ids) - 1)])
    ids, written = ids[-1:], list[str]()
    for _ in range(length):
        logits = np.array(read(ids), np.float64)
        logits[0] = -np.inf
        ids = [int(rng.choice(len(logits), p=probabilities(logits, temperature, top_k, top_p)))]
        written.append(vocabulary[ids[0]])
        if card["preprocessing"].get("lines") and written[-1] == "\n":
            read = begin()
    if not words:
        return "".join(written)
    return "\n".join(line.strip() for line in " ".join(written).split(END))


def _check(text: Any, length: int, temperature: float, top_k: int, top_p: float, seed: int) -> None:
    """Raises Unfit for a number that makes no sense, and for a prompt that is no text."""
    if not isinstance(text, str):
        raise Unfit(f"prompt: expected a text, got {text!r}")
    if len(text) > LONGEST_PROMPT:
        raise Unfit(f"prompt: expected {LONGEST_PROMPT:,} characters at most, got {len(text):,}")
    for name, value, fits in (
        ("length", length, 0 <= length <= LONGEST),
        ("temperature", temperature, 0 <= temperature < np.inf),
        ("top_k", top_k, top_k >= 0),
        ("top_p", top_p, 0 < top_p <= 1),
        ("seed", seed, seed >= 0),
    ):
        if not fits:
            raise Unfit(f"{name}: expected a number in its range, got {value}")


def _words(text: str) -> list[str]:
    """The words of a prompt with END behind each line, but not behind a last line without a newline."""
    found = [word for line in text.splitlines() for word in [*line.split(), END]]
    return (found if text.endswith("\n") else found[:-1]) or [END]


def _characters(text: str, card: dict[str, Any]) -> str:
    """A prompt of characters. A model of lines begins each one from a newline; an empty prompt becomes a character."""
    vocabulary = card["preprocessing"]["vocabulary"]
    if card["preprocessing"].get("lines"):
        return "\n" + text.split("\n")[-1]
    return text or next((one for one in "\n " + vocabulary[1:] if one in vocabulary), vocabulary[0])


def main() -> None:
    folder = Path(__file__).resolve().parent
    there = [name for name, (file, module, _) in RUNTIMES.items() if (folder / file).exists() and find_spec(module)]
    if not there:
        sys.exit("predict.py: expected the runtime of one of the formats, got none; see requirements-FORMAT.txt")
    parser = _parser(there)
    parsed, card = parser.parse_args(), read_card(folder)
    if (parsed.input is None) == (parsed.text is None):
        parser.error("expected a file or --text, one of the two")
    translates = "source_steps" in card["preprocessing"]
    if parsed.text is not None and not translates and "vocabulary" not in card["preprocessing"]:
        parser.error("--text: expected a language model beside this file, got a model of other sequences")
    if translates and parsed.text is None:
        parser.error("--text: expected it, since the model beside this file translates, got none")
    if (parsed.input or "").endswith(".csv") and "context" not in card["preprocessing"]:
        parser.error(f"{parsed.input}: expected a forecasting model beside this file, got one of other sequences")
    try:
        for line in _answered(folder, card, parsed, translates):
            print(line)
    except (OSError, ValueError, csv.Error) as error:
        parser.error(str(error))


def _parser(there: list[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", nargs="?", help="data.npy, data.jsonl, series.csv, or - for standard input")
    parser.add_argument("--format", choices=there, default=there[0], help=f"which file answers (default: {there[0]})")
    parser.add_argument("--text", help="the beginning of a text that a language model continues, or what is translated")
    parser.add_argument("--length", type=int, default=200, help="characters or words to write (default: 200)")
    parser.add_argument("--horizon", type=int, default=0, help="values of a forecast (default: those of the model)")
    parser.add_argument("--column", default="", help="the column of series.csv that is forecast, if it is another one")
    parser.add_argument("--temperature", type=float, default=1.0, help="below 1 is more likely text (default: 1)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed writes the same text (default: 0)")
    return parser


def _answered(folder: Path, card: dict[str, Any], parsed: argparse.Namespace, translates: bool) -> Iterator[str]:
    """The lines of the answer."""
    if parsed.text is not None and not translates:
        sampling = parsed.length, parsed.temperature, 0, 1.0, parsed.seed
        written = continued(TEXTS[parsed.format](folder), card, parsed.text, *sampling)
        between = " " if isinstance(card["preprocessing"]["vocabulary"], list) else ""
        yield f"{parsed.text}{between}{written}"
        return
    model = RUNTIMES[parsed.format][2](folder)
    if translates:
        yield from translated(model, card, [parsed.text])
    elif parsed.input.endswith(".csv"):
        yield from shown_forecasts(forecasts(model, card, parsed.input, parsed.horizon, parsed.column))
    else:
        for x in batches(in_file(parsed.input, card), card):
            yield from (json.dumps(answers(outputs, card), ensure_ascii=False) for outputs in model(x))


if __name__ == "__main__":
    main()
