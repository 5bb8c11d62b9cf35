"""The floors of every generated task, counted again on 100,000 answers.

The predictors were written from the definitions of the tasks and the coding of their symbols alone, without the code
of the generators: one that knows nothing (the most frequent answer), one that sees the current step only, and one that
has half of the memory. What is most frequent is read from the split "val", what counts is their score on "train".
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from experiments.tasks.loading import find

SEED = 31337
ANSWERS = 100_000

Options = dict[str, Any]


class Case(NamedTuple):
    """One task with small knobs; per_sample is the number of scored answers in one sample."""

    name: str
    options: Options
    half: Callable[[np.ndarray, Options, np.random.Generator], np.ndarray]
    per_sample: int = 1


@pytest.fixture(autouse=True)
def nothing_is_cached_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECURRENT_SEARCH_CACHE", str(tmp_path))


# --- Predictors with half of the memory: they read x alone and return an answer (a class, a number, a set) per step.


def adding_first_number(x: np.ndarray, options: Options, rng: np.random.Generator) -> np.ndarray:
    """Keeps the first marked number; the other one is 1/2 on average."""
    return x[np.arange(len(x)), x[:, :, 1].argmax(1), 0][:, None] + 0.5


def copy_first_symbols(x: np.ndarray, options: Options, rng: np.random.Generator) -> np.ndarray:
    """Keeps the first half of the data, writes it behind the delimiter, then says 1."""
    x, half = x.reshape(*x.shape[:2]).astype(int), options["symbols"] // 2
    answers, begin = np.ones_like(x), (x == 9).argmax(1)[:, None] + 1
    answers[np.arange(len(x))[:, None], begin + np.arange(half)] = x[:, :half]
    return answers


def selective_first_symbols(x: np.ndarray, options: Options, rng: np.random.Generator) -> np.ndarray:
    """Keeps the first half of the data tokens, then says 1."""
    symbols, answers = options["symbols"], np.ones_like(x)
    data = x[(x >= 1) & (x <= 8)].reshape(len(x), symbols)
    answers[:, -symbols : -symbols + symbols // 2] = data[:, : symbols // 2]
    return answers


def recall_half_of_alphabet(x: np.ndarray, options: Options, rng: np.random.Generator) -> np.ndarray:
    """Knows whether the symbol lies in the lower half, and names the first symbol of that half."""
    half = options["alphabet"] // 2
    return np.where(x[:, 0] - 1 < half, 0, half)


def nback_every_other_symbol(x: np.ndarray, options: Options, rng: np.random.Generator) -> np.ndarray:
    """Has kept the symbols of the even steps; says 0 for the others."""
    lag, answers = options["lag"], np.zeros_like(x)
    answers[:, lag:] = np.where(np.arange(x.shape[1] - lag) % 2 == 0, x[:, :-lag], 0)
    return answers


def mqar_values_without_binding(x: np.ndarray, options: Options, rng: np.random.Generator) -> np.ndarray:
    """Knows the values that occurred, and draws one of them at every step."""
    values = x[:, 1 : 2 * options["pairs"] : 2]
    return np.take_along_axis(values, rng.integers(values.shape[1], size=x.shape), axis=1)


def temporal_last_marker(x: np.ndarray, options: Options, rng: np.random.Generator) -> np.ndarray:
    """Knows the last marker, and takes those before it for X."""
    last = x.shape[1] - 1 - np.isin(x, (5, 6))[:, ::-1].argmax(1)
    return x[np.arange(len(x)), last] - 5


def parity_last_symbols(x: np.ndarray, options: Options, rng: np.random.Generator) -> np.ndarray:
    """Adds up the last length // 2 symbols: right for the short sequences, a guess for the others."""
    behind = (x > 0).sum(1, keepdims=True) - np.arange(x.shape[1])  # 1 at the last symbol
    kept = (behind >= 1) & (behind <= options["length"] // 2)
    return np.where(kept, x - 1, 0).sum(1) % options.get("n", 2)


def dyck_half_of_openers(x: np.ndarray, options: Options, rng: np.random.Generator) -> np.ndarray:
    """Has kept each opening bracket with probability 1/2; draws a kind for the others."""
    opener = innermost(x, options["kinds"])
    kept = np.take_along_axis(rng.random(x.shape) < 0.5, opener, axis=1)
    kind = np.take_along_axis(x, opener, axis=1)
    return options["kinds"] + np.where(kept, kind, rng.integers(1, options["kinds"] + 1, size=x.shape))


def listops_root(x: np.ndarray, options: Options, rng: np.random.Generator) -> np.ndarray:
    """The most frequent answer for the root operation."""
    known_x, known_y = samples("listops", options, "val", ANSWERS)[1:]
    return most_frequent(known_x[:, 0], known_y, x[:, 0])


def reber_place(x: np.ndarray, options: Options, rng: np.random.Generator) -> np.ndarray:
    """Knows the place in the grammar; draws T or P where an embedding symbol is due once more."""
    legal, level = reber_grammar(x, options["depth"])
    drawn = np.eye(7, dtype=bool)[rng.integers(1, 3, size=(len(x), options["depth"]))]
    rows = np.broadcast_to(np.arange(len(x))[:, None], level.shape)
    return np.where((level >= 0)[..., None], drawn[rows, level], legal)


CASES = [
    Case("adding", {"length": 20, "variant": "halves"}, adding_first_number),
    Case("adding", {"length": 20, "variant": "anywhere"}, adding_first_number),
    Case("copy_memory", {"length": 20, "symbols": 10, "variant": "arjovsky"}, copy_first_symbols, 10),
    Case("copy_memory", {"length": 20, "symbols": 10, "variant": "tcn"}, copy_first_symbols, 10),
    Case("copy_memory", {"length": 20, "symbols": 10, "variant": "variable"}, copy_first_symbols, 10),
    Case("delayed_recall", {"lag": 5, "alphabet": 8}, recall_half_of_alphabet),
    Case("delayed_recall", {"lag": 5, "alphabet": 5}, recall_half_of_alphabet),
    Case("dyck", {"depth": 3, "kinds": 4, "length": 12}, dyck_half_of_openers, 3),
    Case("dyck", {"depth": 2, "kinds": 2, "length": 10}, dyck_half_of_openers, 3),
    Case("listops", {"depth": 3, "arguments": 3, "shortest": 5, "longest": 20}, listops_root),
    Case("mqar", {"pairs": 4, "vocabulary": 16, "length": 24}, mqar_values_without_binding, 4),
    Case("nback", {"lag": 2, "scored": 10}, nback_every_other_symbol, 10),
    Case("nback", {"lag": 3, "scored": 10, "alphabet": 5}, nback_every_other_symbol, 10),
    Case("parity", {"length": 6, "shortest": 3, "n": 2}, parity_last_symbols),
    Case("parity", {"length": 7, "shortest": 2, "n": 5}, parity_last_symbols),
    Case("reber", {"depth": 1}, reber_place),
    Case("reber", {"depth": 2}, reber_place),
    Case("selective_copy", {"length": 10, "symbols": 10}, selective_first_symbols, 10),
    Case("temporal_order", {"length": 20, "markers": 2}, temporal_last_marker),
    Case("temporal_order", {"length": 20, "markers": 3}, temporal_last_marker),
]
NAMES = ["-".join(map(str, (case.name, *case.options.values()))) for case in CASES]
every_case = pytest.mark.parametrize("case", CASES, ids=NAMES)


# --- Definitions: which steps count, what is right, and how far a count may lie from the truth.


def samples(name: str, options: Options, split: str, count: int) -> tuple[Any, np.ndarray, np.ndarray]:
    task = find.make(name, {key: str(value) for key, value in {**options, "train": count, "val": count}.items()})
    x, y = task.split(split, SEED)
    assert len(x) == len(y) == count
    return task, x, y


def innermost(x: np.ndarray, kinds: int) -> np.ndarray:
    """At each step the position of the innermost bracket that is still open (0, the START, if none is)."""
    stack, depth, rows = np.zeros((len(x), x.shape[1] + 1), int), np.zeros(len(x), int), np.arange(len(x))
    tops = np.zeros(x.shape, int)
    for step, token in enumerate(x.T):
        opening = (token >= 1) & (token <= kinds)
        depth += opening.astype(int) - (token > kinds)
        stack[rows[opening], depth[opening]] = step
        tops[:, step] = stack[rows, depth]  # stack[:, 0] stays 0
    return tops


def reber_grammar(x: np.ndarray, depth: int) -> tuple[np.ndarray, np.ndarray]:
    """The legal successors at each step, and the level of the embedding symbol that is due (-1: none is)."""
    inner = {1: "T2 P3", 2: "S2 X4", 3: "T3 V5", 4: "X3 S6", 5: "P4 V6", 6: "E7"}
    top = 2 * depth  # node i < top: i symbols of the embedding are read; then B; top + 7: the inner string is read
    edges = {node: f"B{node + 1}" if node % 2 == 0 else f"T{node + 1} P{node + 1}" for node in range(top + 1)}
    edges |= {top + n: " ".join(f"{e[0]}{top + int(e[1])}" for e in text.split()) for n, text in inner.items()}
    for node in range(top + 7, 2 * top + 7):  # first the embedding symbol, then E, from the innermost level outwards
        edges[node] = f"T{node + 1} P{node + 1}" if (node - top) % 2 else f"E{node + 1}"
    end = 2 * top + 7
    following, allowed = np.full((end + 1, 7), end), np.zeros((end + 1, 7), bool)
    for node, text in edges.items():
        for edge in text.split():
            following[node, "BTPSXVE".index(edge[0])] = int(edge[1:])
            allowed[node, "BTPSXVE".index(edge[0])] = True
    place, rows = np.zeros(len(x), int), np.arange(len(x))
    legal, level = np.zeros((*x.shape, 7), bool), np.full(x.shape, -1)
    for step, symbol in enumerate(x.T - 1):
        assert allowed[place, symbol][symbol >= 0].all()
        place = np.where(symbol >= 0, following[place, symbol], end)
        legal[:, step] = allowed[place]
        due = (place >= top + 7) & (place < end) & ((place - top) % 2 == 1)
        level[due, step] = depth - 1 - (place[due] - top - 7) // 2
        legal[due, step] = np.eye(7, dtype=bool)[x[rows[due], 2 * level[due, step] + 1] - 1]
    return legal, level


def most_frequent(known: np.ndarray, answers: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The most frequent answer for each value of what is known."""
    table = np.zeros((max(known.max(), asked.max()) + 1, answers.max() + 1), int)
    np.add.at(table, (known, answers), 1)
    return table.argmax(1)[asked]


def counts(case: Case, y: np.ndarray) -> np.ndarray:
    """Where an answer is scored."""
    if case.name == "dyck":
        return y > case.options["kinds"]
    return (y >= 1) & (y <= 8) if case.name == "copy_memory" else y >= 0


def score(case: Case, task: Any, x: np.ndarray, y: np.ndarray, answers: np.ndarray) -> tuple[float, float]:
    """The task's own score of these answers, held against ours, and its standard error."""
    values = case.name in ("adding", "reber")
    outputs = answers.astype(np.float32) if values else 50 * np.eye(task.outputs, dtype=np.float32)[answers]
    if case.name == "adding":
        groups = [(answers - y)[:, 0].astype(float) ** 2]
    elif case.name == "reber":  # answers are sets: 1 for the symbols named, 0 for the others
        legal = reber_grammar(x, case.options["depth"])[0]
        groups = [((answers == legal).all(-1) | (y < 0)).all(1)]
    elif case.name == "dyck":  # the kinds are drawn independently: each closing bracket is an answer of its own
        distance = np.arange(1, x.shape[1] + 1) - innermost(x, case.options["kinds"])
        closing = counts(case, y)
        assert closing.sum() >= ANSWERS
        groups = [(answers == y)[closing & (distance == d)] for d in np.unique(distance[closing])]
        groups = [group for group in groups if len(group) >= 20]
    elif y.ndim == 2:  # the answers of one sample may depend on each other: its mean counts as one
        scored = counts(case, y)
        assert (scored.sum(1) == case.per_sample).all()
        groups = [((answers == y) & scored).sum(1) / case.per_sample]
    else:
        groups = [answers == y]
    found = float(np.mean([group.mean() for group in groups]))
    assert task.score(y, outputs) == pytest.approx(found, abs=1e-6)
    return found, float(np.sqrt(sum(group.var() / len(group) for group in groups)) / len(groups))


def assert_at_floor(case: Case, floor: float, found: float, error: float) -> None:
    """Within three standard errors; the floors of listops are a count of 100,000 samples themselves."""
    counted = np.sqrt(floor * (1 - floor) / ANSWERS) if case.name == "listops" else 0.0
    assert abs(found - floor) <= 3 * (error + counted) + 1e-6, f"found {found:.5f} +- {error:.5f}, floor {floor:.5f}"


def answers_without_memory(case: Case, x: np.ndarray, y: np.ndarray, current_step: bool) -> np.ndarray:
    """The best constant, or the best answer to what the step at which the answer is due shows."""
    if case.name == "adding":  # a number counts if it stands at the last step and is marked there
        value, mark = x[:, -1:, 0], x[:, -1:, 1] * current_step
        return value * mark + 0.5 * (2 - mark)
    known_x, known_y = samples(case.name, case.options, "val", len(x))[1:]
    shown = [part.reshape(part.shape[:2]).astype(int) * current_step for part in (known_x, x)]
    if y.ndim == 1:
        return most_frequent(shown[0][:, -1], known_y, shown[1][:, -1])
    scored = counts(case, known_y)
    answers = most_frequent(shown[0][scored], known_y[scored], shown[1])
    if case.name != "reber":
        return answers
    seen = np.zeros((8, 7), bool)  # names every successor that it has seen
    seen[shown[0][scored], known_y[scored]] = True
    return seen[shown[1]]


# The floors of these two are a constant's, as in the literature: the step at which the answer is due is worth
# 1/(6 length) in adding, whose last number may be marked, and the brackets that close at distance 1 in dyck.
CONSTANT = ("adding", "dyck")
STEPS = [(case, step) for case in CASES for step in (False, True) if not (step and case.name in CONSTANT)]


@pytest.mark.parametrize(("case", "current_step"), STEPS)
def test_without_memory_the_best_answer_scores_the_floor(case: Case, current_step: bool) -> None:
    task, x, y = samples(case.name, case.options, "train", ANSWERS // case.per_sample)
    answers = answers_without_memory(case, x, y, current_step)
    assert_at_floor(case, task.floors()["no_memory"], *score(case, task, x, y, answers))


@every_case
def test_half_of_the_memory_scores_the_floor_of_half_memory(case: Case) -> None:
    task, x, y = samples(case.name, case.options, "train", ANSWERS // case.per_sample)
    answers = case.half(x, case.options, np.random.default_rng(SEED))
    assert_at_floor(case, task.floors()["half_memory"], *score(case, task, x, y, answers))


@pytest.mark.parametrize("variant", ["halves", "anywhere"])
def test_adding_has_the_floors_of_the_literature(variant: str) -> None:
    floors = find.make("adding", {"length": "20", "variant": variant}).floors()
    assert floors == pytest.approx({"no_memory": 1 / 6, "half_memory": 1 / 12})


COSTS = [(50, 0.29706), (100, 0.17329), (200, 0.09452), (300, 0.06498), (500, 0.03999)]


@pytest.mark.parametrize(("gap", "nats"), COSTS)
def test_copy_memory_costs_ten_ln_eight_nats_without_memory(gap: int, nats: float) -> None:
    _, _, y = samples("copy_memory", {"length": gap, "symbols": 10, "variant": "arjovsky"}, "train", 1000)
    probability = np.zeros((gap + 20, 9))
    probability[:-10, 0], probability[-10:, 1:] = 1, 1 / 8
    cost = -np.log(probability[np.arange(gap + 20), y])
    assert cost.mean() == pytest.approx(10 * np.log(8) / (gap + 20)) == pytest.approx(nats, abs=5e-6)
    assert cost[:, -10:].mean() == pytest.approx(np.log(8)) == pytest.approx(2.0794, abs=5e-5)


def test_copy_memory_is_right_on_927_of_1000_steps_without_memory() -> None:
    _, _, y = samples("copy_memory", {"length": 100, "symbols": 10, "variant": "arjovsky"}, "train", ANSWERS // 10)
    right = (y == np.repeat([0, 1], [110, 10])).mean(1)
    assert abs(right.mean() - 111.25 / 120) <= 3 * right.std() / np.sqrt(len(right))
    assert round(right.mean(), 3) == 0.927


def test_digits_have_the_most_frequent_class_as_their_floor() -> None:
    task = find.make("pixels", {})
    _, y = task.split("val", 0)
    assert task.floors()["no_memory"] == pytest.approx(np.bincount(y).max() / len(y))
