"""The copy task of the Neural Turing machine against its definition, with a solver that reads x alone."""

import itertools

import numpy as np
import pytest

from experiments.tasks import ntm_copy
from experiments.tasks.loading.find import make
from experiments.tasks.ntm_copy import NtmCopy

SETTINGS = [{}, {"length": 3, "bits": 2}, {"length": 6, "shortest": 4}, {"length": 5, "shortest": 5, "bits": 1}]


def solve(x: list[list[float]]) -> list[list[float]]:
    """Puts every vector into a queue until the delimiter comes, then takes them out again."""
    queue: list[list[float]] = []
    answers, copying = [], False
    for *bits, delimiter in x:
        answers.append(queue.pop(0) if copying and queue else [-1.0] * len(bits))
        copying = copying or delimiter == 1
        if not copying:
            queue.append(bits)
    return answers


def test_the_worked_example() -> None:
    """That of the docstring."""
    x = np.array([[1, 0, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0, 0]]).T
    assert solve(x.tolist()) == [[-1, -1]] * 3 + [[1, 0], [0, 1]] + [[-1, -1]] * 2
    assert "  1 0 . | . . .     y  - - - 1 0 -" in str(ntm_copy.__doc__)


@pytest.mark.parametrize("options", SETTINGS)
def test_the_solver_finds_every_answer(options: dict[str, int]) -> None:
    x, y = NtmCopy(train=500, **options).split("train", 3)
    assert [solve(row) for row in x.tolist()] == y.tolist()


@pytest.mark.parametrize("options", SETTINGS)
def test_lengths_and_bits_are_uniform(options: dict[str, int]) -> None:
    task = NtmCopy(train=6_000, **options)
    x, _ = task.split("train", 0)
    lengths, delimiter = x[:, :, -1].argmax(axis=1), x[:, :, -1]
    assert x.shape[1] == 2 * task.length + 1 and (delimiter.sum(axis=1) == 1).all()
    counts = np.bincount(lengths, minlength=task.length + 1)
    expected = 6_000 / (task.length - task.shortest + 1)
    assert counts[: task.shortest].sum() == 0
    assert np.abs(counts[task.shortest :] - expected).max() < 5 * np.sqrt(expected)
    real = np.arange(x.shape[1]) < lengths[:, None]
    assert abs(x[real][:, :-1].mean() - 0.5) < 0.01 and not x[~real][:, :-1].any()


def test_without_memory_every_bit_costs_one() -> None:
    task = NtmCopy(val=4_000)
    _, y = task.split("val", 0)
    cost = task.score(y, np.zeros_like(y))
    assert cost == pytest.approx((y != -1).sum() / len(y)) and abs(cost - task.floors()["no_memory"]) < 3
    known = np.where(np.arange(8) < 4, 100 * (2 * y - 1), 0)  # four bits of each vector
    assert abs(task.score(y, known) - task.floors()["half_memory"]) < 1.5


def test_a_score_by_hand() -> None:
    """Of two sequences the one has the bits 1 0 with the probabilities 3/4 and 1/2 of a 1; the other one bit 0."""
    task = NtmCopy(length=1, bits=2)
    y = np.array([[[-1, -1], [-1, -1], [1, 0]], [[-1, -1], [-1, -1], [0, -1]]], np.float32)
    logits = np.full_like(y, 9)
    logits[0, 2], logits[1, 2, 0] = [np.log(3), 0], np.log(1 / 7)
    rows = [-np.log2(3 / 4) + 1, -np.log2(7 / 8)]
    assert task.judge(y, logits).tolist() == pytest.approx(rows, abs=1e-6)
    assert task.score(y, logits) == pytest.approx(sum(rows) / 2)


def test_longer_sequences_all_have_the_whole_length() -> None:
    for factor, vectors in ((2, 40), (6, 120)):
        longer = NtmCopy(test=50).longer(factor)
        x, y = longer.split("test", 0)
        assert x.shape == (50, 2 * vectors + 1, 9) and (x[:, :, -1].argmax(axis=1) == vectors).all()
        assert ((y != -1).sum(axis=(1, 2)) == 8 * vectors).all()
        assert longer.floors()["no_memory"] == 8 * vectors


class Careless:
    """Copies, but the first bit of every sequence is wrong."""

    def predict_on_batch(self, x: np.ndarray) -> np.ndarray:
        bits = np.array([solve(row) for row in x.tolist()])
        first = (bits != -1).all(axis=2).argmax(axis=1)
        bits[np.arange(len(x)), first, 0] = 1 - bits[np.arange(len(x)), first, 0]
        return bits - 0.5


def test_wrong_bits_are_counted() -> None:
    assert NtmCopy(val=100).samples(Careless(), 0) == {"wrong_bits": 1.0}


def test_fresh_samples_are_the_default_and_a_number_keeps_them() -> None:
    drawn = {word: make("ntm_copy", {"train": word}).online for word in ("50", "online", "online:50")}
    assert drawn == {"50": False, "online": True, "online:50": True}
    assert make("ntm_copy", {}).online and make("ntm_copy", {"train": "50", "online": "true"}).online
    assert not make("adding", {}).online


def test_options_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="^shortest: expected at most length=3, got 4$"):
        NtmCopy(length=3, shortest=4)


def test_a_sample_is_shown_by_channel() -> None:
    x, y = NtmCopy(train=9, length=3, bits=2).split("train", 0)
    for sample in zip(x, y, strict=True):
        shown, answers = NtmCopy(length=3, bits=2).show(*sample).split("\ny ")
        channels, outputs = (
            [line.split() for line in part.removeprefix("x ").splitlines()] for part in (shown, answers)
        )
        assert [len(line) for line in itertools.chain(channels, outputs)] == [7] * 5
        assert np.array(channels, float).T.tolist() == sample[0].tolist()
        assert [[{"-": -1}.get(bit, bit) for bit in line] for line in outputs] == [
            [-1 if bit < 0 else str(int(bit)) for bit in output] for output in sample[1].T
        ]
