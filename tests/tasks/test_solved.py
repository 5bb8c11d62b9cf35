"""What counts as solved, against the definitions of the tasks. test_every_task.py checks that it can be reached."""

import ast
from pathlib import Path

import numpy as np
import pytest

from experiments.tasks.dyck import MIN_COUNT, Dyck
from experiments.tasks.loading import find
from experiments.tasks.reber import Reber
from experiments.tasks.temporal_order import TemporalOrder

TASKS = Path(__file__).parents[2] / "experiments" / "tasks"


@pytest.mark.parametrize(
    ("name", "solved", "said"),
    [
        ("adding", 0.001, "0.001 or less"),
        ("delayed_recall", 0.99, "0.99 or more"),
        ("nback", 0.99, "0.99 or more"),
        ("copy_memory", 0.99, "0.99 or more"),
        ("selective_copy", 0.99, "0.99 or more"),
        ("parity", 0.99, "0.99 or more"),
        ("mqar", 0.99, "0.99 or more"),
        ("temporal_order", 2557 / 2560, "at most 3 wrong of 2560"),
        ("reber", 1.0, "every string right, a score of 1"),
        ("dyck", 0.99375, "0.8 or more at every distance"),
        ("ntm_copy", 0.1, "less than 0.1 bits a sequence"),
        ("repeat_copy", 0.1, "less than 0.1 bits a sequence"),
        ("associative_recall", 0.1, "less than 0.1 bits a sequence"),
        ("priority_sort", 5.0, "less than 5 bits a sequence"),
    ],
)
def test_the_score_is_that_of_the_definition(name: str, solved: float, said: str) -> None:
    assert find.make(name, {}).solved == pytest.approx(solved, rel=1e-12)
    text = " ".join((ast.get_docstring(ast.parse((TASKS / f"{name}.py").read_text("utf-8"))) or "").split())
    assert said in text.partition("Solved: ")[2].partition("Published")[0]


def test_three_wrong_of_2560() -> None:
    task = TemporalOrder(val=2560)
    _, y = task.split("val", 0)
    outputs = np.eye(task.outputs)[y]
    for wrong, solved in ((3, True), (4, False)):
        some = outputs.copy()
        some[:wrong] = np.roll(some[:wrong], 1, axis=1)
        assert (task.score(y, some) >= task.solved) is solved


def test_one_wrong_string() -> None:
    task = Reber(val=200)
    _, y = task.split("val", 0)
    outputs = task.legal(y).astype(np.float64)
    assert task.score(y, outputs) >= task.solved
    outputs[0, 0] = outputs[0, 0][::-1]
    assert task.score(y, outputs) < task.solved


@pytest.mark.parametrize(("depth", "length"), [(1, 64), (2, 64), (3, 64), (5, 20), (3, 7)])
def test_brackets_have_no_more_distances_than_the_score_allows_for(depth: int, length: int) -> None:
    task = Dyck(depth=depth, length=length, val=4_000)
    _, y = task.split("val", 0)
    distances = task.judge(y, np.eye(task.outputs)[y])[:, 0]
    most = (length // 2) if depth > 1 else 1
    assert len(set(distances)) <= most and (distances % 2 == 1).all()
    assert task.solved == pytest.approx(1 - 0.2 / most)


def test_a_solved_language_of_brackets_is_right_at_every_distance() -> None:
    """Shares of right answers at each distance are drawn: the score never reaches the bound with one below 0.8."""
    task, rng, reached = Dyck(length=8), np.random.default_rng(0), 0
    for _ in range(2_000):
        shares = 1 - rng.integers(0, 7, rng.integers(1, 5)) / 20 * (rng.random() < 0.9)
        rows = [
            np.column_stack([np.full(MIN_COUNT, 2 * place + 1), np.arange(MIN_COUNT) < round(share * MIN_COUNT)])
            for place, share in enumerate(shares)
        ]
        if task.summary(np.concatenate(rows).astype(float)) >= task.solved:
            reached += 1
            assert shares.min() >= 0.8
    assert reached > 100
