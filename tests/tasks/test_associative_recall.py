"""The associative recall task against its definition, with a solver that reads x alone."""

from typing import Any

import numpy as np
import pytest

from experiments.tasks.associative_recall import AssociativeRecall
from experiments.tasks.loading.bits import of_unknown_order

SETTINGS = [{}, {"items": 3, "vectors": 2, "bits": 2}, {"items": 12, "fewest": 12}, {"items": 4, "vectors": 1}]


def solve(x: list[list[float]]) -> list[list[float]]:
    """Splits the sequence at its delimiters, and finds the query among the items."""
    parts: list[list[list[float]]] = []
    for step, (*bits, begins, asks) in enumerate(x):
        if begins or asks:
            parts.append([])
        if asks and sum(one[-1] for one in x[: step + 1]) == 2:
            break
        if not (begins or asks):
            parts[-1].append(bits)
    *items, query, _ = parts
    answer = items[items.index(query) + 1]
    nothing = [-1.0] * (len(x[0]) - 2)
    return [nothing] * (step + 1) + answer + [nothing] * (len(x) - step - 1 - len(answer))


def test_the_worked_example() -> None:
    """That of the docstring."""
    x = [[0, 0, 1, 0, 1, 1, 0, 0, 1, 0, 0, 0], [1, 0, 0, 1] + 8 * [0], 6 * [0] + [1, 0, 0, 1, 0, 0]]
    assert solve(np.array(x).T.tolist()) == [[-1]] * 10 + [[1], [1]]


@pytest.mark.parametrize("options", SETTINGS)
def test_the_solver_finds_every_answer(options: dict[str, int]) -> None:
    x, y = AssociativeRecall(train=500, **options).split("train", 3)
    assert [solve(row) for row in x.tolist()] == y.tolist()


def test_lists_and_queries_are_uniform_and_items_differ() -> None:
    task = AssociativeRecall(train=20_000)
    x, y = task.split("train", 0)
    lengths = (x[:, :, 6] == 1).sum(axis=1)
    assert np.abs(np.bincount(lengths)[2:] / len(x) - 1 / 5).max() < 0.015
    rows = np.flatnonzero(lengths == 6)
    items = x[rows, :24].reshape(len(rows), 6, 4, 8)[:, :, 1:, :6].reshape(len(rows), 6, 18)
    query = x[rows, 25:28, :6].reshape(len(rows), 1, 18)
    asked = (items == query).all(axis=2)
    assert (asked.sum(axis=1) == 1).all() and not asked[:, 5].any(), "items differ, and the last one is never asked"
    assert np.abs(asked.mean(axis=0)[:5] - 1 / 5).max() < 0.04
    assert abs(items.mean() - 0.5) < 0.01 and (y[rows, 29:32] != -1).all()


def test_items_differ_where_there_are_hardly_more_of_them() -> None:
    x, _ = AssociativeRecall(items=4, fewest=4, vectors=2, bits=2, train=400).split("train", 0)
    items = x[:, :12].reshape(400, 4, 3, 4)[:, :, 1:, :2].reshape(400, 4, 4) @ [1, 2, 4, 8]
    assert all(len(set(row)) == 4 for row in items.tolist())


@pytest.mark.parametrize("length", [2, 3, 6])
def test_the_floor_of_a_model_that_knows_all_items_and_not_their_order(length: int) -> None:
    task = AssociativeRecall(items=length, fewest=length, val=4_000)
    x, y = task.split("val", 0)
    items = x[:, : 4 * length].reshape(len(x), length, 4, 8)[:, :, 1:, :6]
    start = 4 * length + 1
    query = x[:, start : start + 3, :6]
    others = ~(items == query[:, None]).all(axis=(2, 3))
    share = (items * others[..., None, None]).sum(axis=1) / (length - 1)
    logits = np.zeros_like(y)
    with np.errstate(divide="ignore"):
        logits[:, start + 4 : start + 7] = np.clip(np.log(share) - np.log(1 - share), -100, 100)
    assert task.score(y, logits) == pytest.approx(task.floors()["without_order"], abs=0.15)
    assert task.floors()["no_memory"] == 18 == pytest.approx(task.score(y, np.zeros_like(y)))


def test_a_bit_of_one_of_two_vectors_costs_a_half() -> None:
    """Two vectors agree on a bit in half of the cases, and it costs nothing then, else 1."""
    assert (of_unknown_order(1), of_unknown_order(2)) == (0, 0.5)
    three = (1 / 4) * 0 + (1 / 2) * -np.log2(2 / 3) + (1 / 4) * -np.log2(1 / 3)  # both others, one, none agree
    assert of_unknown_order(3) == pytest.approx(three)
    assert 0.99 < of_unknown_order(100) < 1


def test_longer_lists_all_have_the_whole_length() -> None:
    longer = AssociativeRecall(test=50).longer(2)
    x, _ = longer.split("test", 0)
    assert x.shape == (50, 12 * 4 + 8, 8) and ((x[:, :, 6] == 1).sum(axis=1) == 12).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fewest": 7}, "fewest: expected at most items=6, got 7"),
        (
            {"vectors": 1, "bits": 5},
            r"bits: expected items of at most 60 bits, 2\^bits from items\^2 on, got 5 bits for 6",
        ),
        ({"vectors": 11}, r"bits: expected items of at most 60 bits, 2\^bits from items\^2 on, got 66 bits for 6"),
    ],
)
def test_options_that_do_not_fit(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        AssociativeRecall(**options)
