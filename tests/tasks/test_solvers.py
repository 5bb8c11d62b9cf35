"""Does a second author get the same answers? The solvers here were written from the definitions of the tasks and of
their encodings alone, without a look at the generators. A solver sees nothing of a sample but its encoded x."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from experiments.tasks.loading import find

Options = dict[str, Any]
Function = Callable[[Any, Any], Any]
SEED, SIZES, SYMBOLS = 20, {"train": 1000, "val": 10, "test": 10}, "BTPSXVE"
# The inner Reber grammar: from each node, which symbol leads where.
ARROWS = [{"B": 1}, {"T": 2, "P": 3}, {"S": 2, "X": 4}, {"T": 3, "V": 5}, {"X": 3, "S": 6}, {"P": 4, "V": 6}, {}]


def made(name: str, options: Options) -> tuple[np.ndarray, np.ndarray, Options]:
    task = find.make(name, {key: str(value) for key, value in {**options, **SIZES}.items()})
    x, y = task.split("train", SEED)
    assert len(x) == len(y) == 1000
    return (x[:, :, 0] if name == "copy_memory" and x.ndim == 3 else x), y, vars(task)  # TCN's has one channel


def copy_memory(x: list[int], facts: Options) -> list[int]:
    delimiter = x.index(9)
    return ([0] * (delimiter + 1) + [token for token in x[:delimiter] if token] + [-1] * len(x))[: len(x)]


def legal_dyck(tokens: list[int], depth: int, kinds: int) -> bool:
    stack: list[int] = []
    for token in tokens:
        if 1 <= token <= kinds and len(stack) < depth:
            stack.append(token)
        elif token > kinds and stack and stack[-1] == token - kinds:
            stack.pop()
        elif token != 0 or stack:
            return False
    return True


def listops(x: list[int], facts: Options) -> int:
    stack: list[list[int]] = [[]]
    for token in x:
        if 1 <= token <= 10:
            stack[-1].append(token - 1)
        elif 11 <= token <= 14:
            stack.append([token])
        elif token == 15:
            operation, *s = stack.pop()
            s.sort()
            middle = (s[(len(s) - 1) // 2] + s[len(s) // 2]) // 2
            stack[-1].append({11: s[0], 12: s[-1], 13: middle, 14: sum(s) % 10}[operation])
    ((answer,),) = stack
    return answer


def mqar(x: list[int], facts: Options) -> list[int]:
    memory: dict[int, int] = {}
    y = [-1] * len(x)
    for step, token in enumerate(x):
        if token in memory:
            y[step] = memory[token]
        elif token and step % 2 == 0:
            memory[token] = x[step + 1]
    return y


def legal_reber(word: str, depth: int) -> bool:
    if depth:
        around = re.fullmatch(r"B([TP])(.*)\1E", word)
        return around is not None and legal_reber(around[2], depth - 1)
    node = 0
    for symbol in word[:-1]:
        node = ARROWS[node].get(symbol, -1)  # the last of the nodes is left by none
    return node == 6 and word[-1] == "E"


SOLVERS: dict[str, Function] = {
    "adding": lambda x, facts: [sum(number for number, mark in x if mark == 1)],
    "copy_memory": copy_memory,
    "delayed_recall": lambda x, facts: x[0] - 1,
    "listops": listops,
    "mqar": mqar,
    "nback": lambda x, facts: [-1] * facts["lag"] + x[: -facts["lag"]],
    "parity": lambda x, facts: sum(token - 1 for token in x if token) % facts["n"],
    "selective_copy": lambda x, facts: [-1] * x.index(x[-1]) + [token for token in x if token not in (0, x[-1])],
    "temporal_order": lambda x, facts: int("".join(str(token - 5) for token in x if token in (5, 6)), 2),
}
SMALL = {"length": 1, "symbols": 2}
SETTINGS: dict[str, list[Options]] = {
    "adding": [{}, {"variant": "anywhere"}, {"length": 5}, {"length": 6, "variant": "anywhere"}],
    "copy_memory": [{"variant": v, **rest} for v in ("arjovsky", "variable", "tcn") for rest in ({}, SMALL)],
    "delayed_recall": [{}, {"lag": 1, "alphabet": 2}, {"lag": 7, "alphabet": 3}],
    "dyck": [{}, {"depth": 1, "kinds": 2, "length": 9}, {"depth": 5, "kinds": 3, "length": 40}],
    "listops": [{}, {"depth": 3, "arguments": 3, "shortest": 4, "longest": 60}, {"depth": 8, "arguments": 10}],
    "mqar": [{}, {"pairs": 2, "vocabulary": 12, "length": 15}, {"pairs": 4, "vocabulary": 16, "length": 16}],
    "nback": [{}, {"lag": 1, "scored": 5, "alphabet": 3}, {"lag": 9, "scored": 4}],
    "parity": [{}, {"n": 5}, {"length": 9, "shortest": 9, "n": 3}],
    "reber": [{}, {"depth": 2}, {"depth": 3, "longest": 30}],
    "selective_copy": [{}, {"length": 1, "symbols": 3, "alphabet": 2}, {"length": 20, "symbols": 6, "alphabet": 4}],
    "temporal_order": [{}, {"markers": 3}, {"length": 20}, {"length": 100, "markers": 3}],
}


def of(*names: str) -> Any:
    pairs = [(name, options) for name in names for options in SETTINGS[name]]
    return pytest.mark.parametrize("name, options", pairs, ids=lambda value: str(value).replace(" ", ""))


def check(name: str, samples: list[Any], facts: Options, answers: Any) -> None:
    np.testing.assert_allclose([SOLVERS[name](sample, facts) for sample in samples], answers, rtol=0, atol=1e-6)


@of(*SOLVERS)
def test_the_solver_finds_every_answer(name: str, options: Options) -> None:
    x, y, facts = made(name, options)
    check(name, x.tolist(), facts, y)


@of("dyck")
def test_every_dyck_answer_continues_the_brackets_before_it(name: str, options: Options) -> None:
    x, y, facts = made(name, options)
    assert not x[:, 0].any() and np.array_equal(x[:, 1:], y[:, :-1])
    assert all(legal_dyck(answers, facts["depth"], facts["kinds"]) for answers in y.tolist())


@of("reber")
def test_every_reber_string_is_legal_and_its_answers_are_its_next_symbols(name: str, options: Options) -> None:
    x, y, facts = made(name, options)
    lengths = (x > 0).sum(axis=1) + 1
    assert lengths.min() == 5 + 4 * facts["depth"] and lengths.max() <= facts["longest"] == x.shape[1] + 1
    for sample, answers, n in zip(x.tolist(), y.tolist(), lengths, strict=True):
        codes = [token - 1 for token in sample[: n - 1]] + [answers[n - 2]]  # x never shows the last symbol
        assert legal_reber("".join(SYMBOLS[code] for code in codes), facts["depth"]), codes
        assert answers == codes[1:] + [-1] * (len(sample) + 1 - n) and not any(sample[n - 1 :])


WORKED: list[tuple[str, Options, list[Any], Any]] = [
    ("adding", {}, [[0.2, 0], [0.7, 1], [0.5, 0], [0.1, 1]], [0.8]),
    ("copy_memory", {}, [3, 5, 0, 0, 9, 0, 0], [0, 0, 0, 0, 0, 3, 5]),
    ("copy_memory", {}, [3, 5, 0, 0, 9, 9, 9], [0, 0, 0, 0, 0, 3, 5]),  # TCN
    ("copy_memory", {}, [3, 5, 0, 9, 0, 0, 0], [0, 0, 0, 0, 3, 5, -1]),  # variable
    ("delayed_recall", {}, [3, 0, 0, 9], 2),
    ("listops", {}, [13, 2, 3, 4, 5, 15, 0], 2),  # [MED 1 2 3 4 ]
    ("listops", {}, [14, 10, 10, 6, 15], 3),  # [SM 9 9 5 ]
    ("listops", {}, [12, 3, 10, 11, 5, 8, 15, 1, 15], 9),  # [MAX 2 9 [MIN 4 7 ] 0 ]
    ("mqar", {}, [2, 8, 4, 7, 0, 0, 4, 0, 0, 0, 0, 0, 2, 0, 0], [-1] * 6 + [7] + [-1] * 5 + [8, -1, -1]),
    ("nback", {"lag": 2}, [3, 1, 0, 2], [-1, -1, 3, 1]),
    ("parity", {"n": 2}, [2, 1, 2, 1, 2, 1, 1], 1),
    ("parity", {"n": 2}, [1, 2, 2, 2, 2, 0, 0], 0),
    ("parity", {"n": 5}, [2, 5, 1, 5, 5], 3),  # the cycle 1, -1, 0, -1, -1
    ("selective_copy", {}, [0, 4, 0, 0, 2, 5, 5], [-1, -1, -1, -1, -1, 4, 2]),
    ("temporal_order", {}, [7, 3, 5, 1, 6, 2, 8], 0b01),  # E c X a Y b B -> XY
]


@pytest.mark.parametrize("name, facts, x, y", WORKED)
def test_the_solver_finds_the_answer_of_the_worked_example(name: str, facts: Options, x: list[Any], y: Any) -> None:
    check(name, [x], facts, [y])


def test_the_acceptors_tell_legal_from_illegal() -> None:
    assert legal_reber("BTBTXSETE", 1) and legal_reber("BPBTBTXSETEPE", 2)
    assert not legal_reber("BTBPVVEPE", 1) and legal_reber("BTBPVVETE", 1)  # broken only in symmetry
    assert not legal_reber("BTBTXXETE", 1) and not legal_reber("BTBTSSETE", 1) and not legal_reber("BTBTXSETE", 2)
    assert legal_dyck([1, 2, 4, 3, 0, 0, 2], 2, 2)
    assert not any(legal_dyck(y, 2, 2) for y in ([1, 4], [3], [1, 0], [1, 1, 1], [1, 2, 3]))


@of("copy_memory")
def test_the_delimiter_stands_where_the_definition_puts_it(name: str, options: Options) -> None:
    x, _, facts = made(name, options)
    m, t, variant = facts["symbols"], facts["length"], facts["variant"]
    assert x.shape[1] == t + 2 * m and np.isin(x[:, :m], range(1, 9)).all() and np.isin(x[:, m:], (0, 9)).all()
    assert ((x == 9).sum(axis=1) == (m + 1 if variant == "tcn" else 1)).all()
    assert np.isin((x == 9).argmax(axis=1), range(m, m + t) if variant == "variable" else m + t - 1).all()


@of("mqar")
def test_keys_are_distinct_and_each_is_asked_once(name: str, options: Options) -> None:
    x, _, facts = made(name, options)
    context = 2 * facts["pairs"]
    for sample in x.tolist():
        assert len(set(sample[:context:2])) == facts["pairs"] and not any(sample[context + 1 :: 2])
        assert sorted(sample[:context:2]) == sorted(token for token in sample[context:] if token)


@of("temporal_order")
def test_a_temporal_order_string_has_its_trigger_and_its_markers(name: str, options: Options) -> None:
    x, _, facts = made(name, options)
    for text in ("".join(".abcdXYEB"[token] for token in sample) for sample in x):
        assert re.fullmatch(rf"E[a-d]*([XY][a-d]*){{{facts['markers']}}}B\.*", text), text


def nodes(x: np.ndarray) -> list[tuple[int, list[int]]]:
    """Of every listops operation: how deep it is nested (the root at 1), and the first token of each argument."""
    found, stack = [], [[0]]
    for token in x[x > 0].tolist():
        if token == 15:
            found.append((len(stack) - 1, stack.pop()))
        else:
            stack[-1].append(token)
            stack += [[]] if token > 10 else []
    return found


@of("listops")
def test_listops_keep_their_limits(name: str, options: Options) -> None:
    x, _, facts = made(name, options)
    assert np.isin((x > 0).sum(axis=1), range(facts["shortest"] or 20, facts["longest"] + 1)).all()
    for depth, arguments in (node for sample in x for node in nodes(sample)):
        assert depth <= facts["depth"] and 2 <= len(arguments) <= facts["arguments"]


WHOLE = {"depth": 3, "arguments": 3, "shortest": 4, "longest": 60}  # limits that no listops expression meets
BITS, PAIRS, XY = 2 ** np.arange(11), [3, 5, 6, 9, 10, 12, 17, 18, 20, 24], (5, 6)
# What a task draws, and all that it can be, each equally often.
BALANCE: list[tuple[str, Options, Function, Any]] = [
    ("adding", {}, lambda x, y: x[:, :, 0] * 10 // 1, range(10)),
    ("adding", {}, lambda x, y: x[:, :, 1].reshape(-1, 2, 50).sum(axis=2), [1]),
    ("adding", {"length": 5}, lambda x, y: x[:, :, 1] @ BITS[:5], [5, 6, 9, 10, 17, 18]),
    ("adding", {"variant": "anywhere", "length": 5}, lambda x, y: x[:, :, 1] @ BITS[:5], PAIRS),
    ("copy_memory", {}, lambda x, y: x[:, :10], range(1, 9)),
    ("copy_memory", {"variant": "variable"}, lambda x, y: (x == 9).argmax(axis=1), range(10, 60)),
    ("delayed_recall", {}, lambda x, y: y, range(8)),
    ("dyck", {}, lambda x, y: x[(x > 0) & (x < 5)], range(1, 5)),
    ("listops", WHOLE, lambda x, y: x[(x > 10) & (x < 15)], range(11, 15)),
    ("listops", WHOLE, lambda x, y: x[(x > 0) & (x < 11)], range(1, 11)),
    ("listops", WHOLE, lambda x, y: [len(node[1]) for sample in x for node in nodes(sample)], (2, 3)),
    ("mqar", {}, lambda x, y: x[:, :8:2], range(1, 32)),
    ("mqar", {}, lambda x, y: x[:, 1:8:2], range(32, 64)),
    ("nback", {}, lambda x, y: x, range(8)),
    ("nback", {"lag": 3}, lambda x, y: y[:, 3:] - x[:, :-3], [0]),
    ("parity", {}, lambda x, y: y, range(2)),
    ("parity", {"shortest": 20}, lambda x, y: np.bitwise_xor.reduce(x - 1, axis=1) ^ y, [0]),
    ("parity", {"n": 5}, lambda x, y: y, range(5)),
    ("parity", {"n": 5}, lambda x, y: x[x > 0], range(1, 6)),
    ("parity", {"shortest": 4}, lambda x, y: (x > 0).sum(axis=1), range(4, 21)),
    ("reber", {}, lambda x, y: x[:, 1], (2, 3)),
    ("reber", {"depth": 2}, lambda x, y: x[:, 1] + 2 * x[:, 3], (6, 7, 8, 9)),  # both pairs around, independent
    ("selective_copy", {}, lambda x, y: y[y >= 0], range(1, 9)),
    ("selective_copy", {"length": 3, "symbols": 2}, lambda x, y: (x[:, :5] > 0) @ BITS[:5], PAIRS),
    ("temporal_order", {}, lambda x, y: y, range(4)),
    ("temporal_order", {"markers": 3}, lambda x, y: y, range(8)),
    ("temporal_order", {}, lambda x, y: x[(x > 0) & (x < 5)], range(1, 5)),
    ("temporal_order", {"length": 100}, lambda x, y: (x > 0).sum(axis=1), range(100, 111)),
    *(
        ("temporal_order", {"length": 100, "markers": m}, lambda x, y, a=a: np.isin(x[:, a : a + 11], XY) @ BITS, BITS)
        for m, a in ((2, 10), (2, 50), (3, 10), (3, 33), (3, 66))
    ),
]


def check_shares(values: Any, possible: Any, weights: np.ndarray) -> None:
    """Chi-square of the frequencies, and nothing but what is possible."""
    values, degrees = np.asarray(values).ravel(), len(possible) - 1
    counts, expected = np.array([(values == v).sum() for v in possible]), len(values) * weights / weights.sum()
    assert counts.sum() == len(values)
    assert ((counts - expected) ** 2 / expected).sum() <= degrees + 5 * np.sqrt(2 * degrees)


def check_rate(hits: Any, probability: float) -> None:
    assert abs(np.mean(hits) - probability) < 4 * np.sqrt(probability * (1 - probability) / len(hits))


@pytest.mark.parametrize("name, options, values, possible", BALANCE)
def test_all_that_can_occur_is_equally_frequent(name: str, options: Options, values: Function, possible: Any) -> None:
    check_shares(values(*made(name, options)[:2]), possible, np.ones(len(possible)))


def test_a_key_is_asked_after_a_gap_of_the_power_law() -> None:
    y = made("mqar", {"pairs": 1, "length": 34})[1]
    check_shares((y >= 0).argmax(axis=1) // 2, range(1, 17), np.arange(1, 17) ** (0.01 - 1))


@of("dyck")
def test_brackets_open_close_and_end_as_often_as_defined(name: str, options: Options) -> None:
    _, y, facts = made(name, options)
    kinds, m = facts["kinds"], facts["depth"]
    steps = np.where(y > kinds, -1, y > 0)
    depths = steps.cumsum(axis=1) - steps  # before the step
    assert set(np.unique(depths)) == set(range(m + 1)) and not (steps[depths == m] > 0).any()
    for depth in range(m):  # at the bottom END is what closes
        check_rate(steps[depths == depth] > 0, 0.5)


def test_a_quarter_of_the_arguments_are_operations() -> None:
    found = [node for sample in made("listops", WHOLE)[0] for node in nodes(sample)]
    check_rate([argument > 10 for depth, arguments in found if depth == 1 for argument in arguments], 0.25)


GAPS: dict[str, tuple[Function, Any]] = {
    "adding": (lambda x, facts: [mark for _, mark in x].index(1) + 1, [0.25, 0.0]),  # where, and what is put in
    "copy_memory": (lambda x, facts: x.index(9), 0),
    "delayed_recall": (lambda x, facts: facts["lag"], 0),
    "mqar": (lambda x, facts: 2 * facts["pairs"], 0),
    "selective_copy": (lambda x, facts: x.index(x[-1]), 0),
    "temporal_order": (lambda x, facts: x.index(8) // 2, 2),
}


@of(*GAPS)
def test_a_longer_gap_changes_no_answer(name: str, options: Options) -> None:
    x, y, facts = made(name, options)
    place, filler = GAPS[name]
    parts = [(sample[: place(sample, facts)], sample[place(sample, facts) :]) for sample in x.tolist()]
    got = np.array([SOLVERS[name](before + [filler] * 6 + after, facts) for before, after in parts])
    if got.shape != y.shape:  # an answer per step: those in the gap are blank
        got, y = got[got > 0], y[y > 0]
    np.testing.assert_allclose(got, y, rtol=0, atol=1e-6)


@of("adding", "temporal_order")
def test_shuffled_distractors_change_no_answer(name: str, options: Options) -> None:
    x, y, facts = made(name, options)
    rng = np.random.default_rng(SEED)
    for sample in x:
        steps = np.flatnonzero(sample[:, 1] == 0 if name == "adding" else np.isin(sample, range(1, 5)))
        sample[steps] = sample[rng.permutation(steps)]
    check(name, x.tolist(), facts, y)


@of("temporal_order")
def test_swapping_x_and_y_swaps_the_classes(name: str, options: Options) -> None:
    x, y, facts = made(name, options)
    check(name, np.where(np.isin(x, (5, 6)), 11 - x, x).tolist(), facts, 2 ** facts["markers"] - 1 - y)
