"""The dynamic n-grams against their definition: the best estimate by a dictionary, and by a grid of probabilities."""

from collections import defaultdict

import numpy as np
import pytest

from experiments.tasks.dynamic_ngrams import DynamicNgrams


def answered(x: list[list[float]], context: int, order: int) -> list[float]:
    """p(next bit is 1) at each step that is scored, by counts behind the last `order` bits in a dictionary."""
    seen: dict[tuple[float, ...], list[float]] = defaultdict(lambda: [0.5, 0.5])
    bits = [bit for (bit,) in x]
    found = []
    for step in range(context, len(bits) + 1):
        counts = seen[tuple(bits[step - order : step])]
        found.append(counts[1] / sum(counts))
        if step < len(bits):
            counts[int(bits[step])] += 1
    return found


def score(task: DynamicNgrams, x: np.ndarray, y: np.ndarray, order: int) -> float:
    shares = np.array([answered(row, task.context, order) for row in x.tolist()])
    logits = np.zeros_like(y)
    logits[:, task.context - 1 :, 0] = np.log(shares / (1 - shares))
    return task.score(y, logits)


@pytest.mark.parametrize("context", [1, 2, 5])
def test_the_floors_and_what_is_solved_by_counting_in_a_dictionary(context: int) -> None:
    task = DynamicNgrams(context=context, length=60, val=150)
    x, y = task.split("val", 0)
    found = [score(task, x, y, order) for order in range(context + 1)]
    floors = task.floors()
    assert list(floors) == ["no_memory", *(f"order_{order}" for order in range(context))]
    assert list(floors.values())[1:] == pytest.approx(found[:-1], rel=1e-5)
    assert task.solved == pytest.approx(found[-1] + 1, rel=1e-5)
    assert floors["no_memory"] == 60 - context == pytest.approx(task.score(y, np.zeros_like(y)))


def test_no_estimate_is_better_than_the_best() -> None:
    """The mean over a posterior of Beta(1/2, 1/2), by 2,000 probabilities at the middles of equal shares of it."""
    angles = (np.arange(2_000) + 0.5) / 2_000 * np.pi / 2
    grid = np.sin(angles) ** 2  # quantiles of Beta(1/2, 1/2)
    for ones, zeros in ((0, 0), (3, 0), (1, 5), (20, 20)):
        weights = grid**ones * (1 - grid) ** zeros
        assert (grid * weights).sum() / weights.sum() == pytest.approx((ones + 0.5) / (ones + zeros + 1), abs=1e-3)
    task = DynamicNgrams(context=2, length=80, val=300)
    x, y = task.split("val", 0)
    assert score(task, x, y, 2) < score(task, x, y, 1) < score(task, x, y, 0) < 78


def test_the_default_costs_about_128_bits_at_best() -> None:
    """Of 3,000 sequences of another generator: 182.6, 177.1, 170.6, 161.1, 146.3 and 128.4 with 0 to 5 bits."""
    task = DynamicNgrams()
    assert list(task.floors().values()) == pytest.approx([195, 182.6, 177.1, 170.6, 161.1, 146.3], abs=1.6)
    assert task.solved == pytest.approx(129.4, abs=1.6)
    assert abs(task.floors("test")["order_0"] - task.floors()["order_0"]) < 2
    assert task.floors("test") != task.floors()


def test_the_bits_follow_a_table_of_their_sequence() -> None:
    """Behind a context the shares of ones are those of Beta(1/2, 1/2): mean 1/2, variance 1/8."""
    x, y = DynamicNgrams(context=1, length=2_000, train=400).split("train", 1)
    bits = np.concatenate([x[..., 0], y[:, -1:, 0]], axis=1)
    assert np.array_equal(x[:, 1:], y[:, :-1]) and set(np.unique(bits)) == {0, 1}
    before, after = bits[:, :-1], bits[:, 1:]
    often = ((before == 1).sum(axis=1) > 200) & ((before == 0).sum(axis=1) > 200)
    shares = np.array([[after[row][before[row] == bit].mean() for bit in (0, 1)] for row in np.flatnonzero(often)])
    assert len(shares) > 100 and abs(np.corrcoef(shares.T)[0, 1]) < 0.9
    assert shares.std() > 0.2, "most tables are not near a half"
    assert abs(bits[:, 0].mean() - 0.5) < 0.1
    other = DynamicNgrams(context=5, train=2_000).split("train", 0)[0]
    assert np.abs(other[:, :5, 0].mean(axis=0) - 0.5).max() < 0.05, "the first bits are fair"


def test_fair_bits_are_not_scored() -> None:
    _, y = DynamicNgrams(train=20).split("train", 0)
    assert y.shape == (20, 199, 1)
    assert ((y != -1).sum(axis=1) == 195).all() and (y[:, :4] == -1).all() and (y[:, 4:] != -1).all()


@pytest.mark.parametrize(("context", "length", "most"), [(10, 10, 9), (17, 200, 16)])
def test_a_context_that_does_not_fit(context: int, length: int, most: int) -> None:
    with pytest.raises(ValueError, match=f"^context: expected at most {most}, got {context}$"):
        DynamicNgrams(context=context, length=length)
