"""The repeat copy task against its definition, with a solver that reads x alone."""

import math

import numpy as np
import pytest

from experiments.tasks.repeat_copy import RepeatCopy

SETTINGS = [{}, {"length": 3, "bits": 2, "repeats": 2}, {"length": 4, "shortest": 4, "repeats": 9}, {"repeats": 1}]


def solve(x: list[list[float]], most: int) -> list[list[float]]:
    """Reads the vectors and the count, which it brings back to a whole number, then writes a list of answers."""
    vectors: list[list[float]] = []
    for *bits, delimiter, number in x:
        if delimiter:
            spread = math.sqrt(sum((one - (most + 1) / 2) ** 2 for one in range(1, most + 1)) / most)
            times = round(number * spread + (most + 1) / 2)
            break
        vectors.append(bits)
    nothing = [-1.0] * (len(x[0]) - 1)
    answers = [nothing] * (len(vectors) + 1) + [[*bits, 0.0] for bits in vectors * times]
    answers.append([0.0] * (len(nothing) - 1) + [1.0])
    return answers + [nothing] * (len(x) - len(answers))


def test_the_worked_example() -> None:
    """That of the docstring, with 1 or 2 repeats, so that 2 is written as 1."""
    x = np.array([[1, 0, 0, 0, 0, 0, 0, 0], [0, 1] + 6 * [0], [0, 0, 1] + 5 * [0], [0, 0, 1] + 5 * [0]]).T
    written = [[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert solve(x.tolist(), 2) == [[-1, -1, -1]] * 3 + written


@pytest.mark.parametrize("options", SETTINGS)
def test_the_solver_finds_every_answer(options: dict[str, int]) -> None:
    task = RepeatCopy(train=400, **options)
    x, y = task.split("train", 3)
    assert [solve(row, task.repeats) for row in x.tolist()] == y.tolist()


@pytest.mark.parametrize("options", SETTINGS)
def test_lengths_and_counts_are_uniform_and_independent(options: dict[str, int]) -> None:
    task = RepeatCopy(train=4_000, **options)
    x, y = task.split("train", 0)
    lengths = x[:, :, -2].argmax(axis=1)
    counts = x[np.arange(len(x)), lengths, -1]
    assert (x[:, :, -2].sum(axis=1) == 1).all() and np.count_nonzero(x[:, :, -1], axis=1).max() <= 1
    if task.repeats > 1:
        assert abs(counts.mean()) < 0.07 and abs(counts.std() - 1) < 0.05
    if task.length > task.shortest and task.repeats > 1:
        assert abs(np.corrcoef(lengths, counts)[0, 1]) < 0.05
    shares = np.unique(counts, return_counts=True)[1] / len(x)
    assert len(shares) == task.repeats and np.abs(shares - 1 / task.repeats).max() < 0.03
    assert (y[:, :, -1] == 1).sum(axis=1).tolist() == [1] * len(y), "one end"


def test_the_floors_by_simple_predictors() -> None:
    task = RepeatCopy(val=1_000)
    (_, y), floors = task.split("val", 0), task.floors()
    answered = y[..., :1] != -1
    scored, end = np.broadcast_to(answered, y.shape), y[..., -1:] == 1
    rates = np.array([y[..., one][scored[..., one]].mean() for one in range(9)])
    constant = np.broadcast_to(np.log(rates / (1 - rates)), y.shape)
    sure = np.where(y == 1, 100.0, -100.0)
    counting = np.where(end | (np.arange(9) == 8), sure, 0)
    half = np.where(np.arange(9) < 4, sure, counting)
    first = np.cumsum(answered, axis=1) - 1  # the place in what is written
    lengths = (y[..., 0] == -1).argmin(axis=1) - 1
    one = np.where(first % lengths[:, None, None] == 0, sure, counting)
    spread = 4 * np.std((y[..., 0] != -1).sum(axis=1)) * 8 / np.sqrt(len(y))
    for name, outputs in {"no_memory": constant, "counting": counting, "one_vector": one, "half_memory": half}.items():
        assert abs(task.score(y, outputs) - floors[name]) < spread, name
    assert list(floors.values()) == sorted(floors.values(), reverse=True)
    assert floors["counting"] == pytest.approx(8 * 5.5 * 5.5)


def test_longer_sequences_have_the_whole_length_and_the_same_counts() -> None:
    longer = RepeatCopy(test=60).longer(2)
    x, _ = longer.split("test", 0)
    assert x.shape == (60, 20 * 11 + 2, 10) and (x[:, :, -2].argmax(axis=1) == 20).all()
    assert set(np.unique(x[:, 20, -1])) <= set(np.unique(RepeatCopy(test=900).split("test", 0)[0][:, :, -1]))


def test_options_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="^shortest: expected at most length=10, got 11$"):
        RepeatCopy(shortest=11)
