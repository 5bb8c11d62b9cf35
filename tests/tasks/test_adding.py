"""The adding problem against its definition: golden example, solver, floors, invariants, where the marks lie."""

import hashlib
import math

import numpy as np
import pytest

from experiments.tasks.adding import Adding
from experiments.tasks.loading.find import make

SEED_0 = "d465f6138a280480818354ca7801737eb3945e04a9c7527ef1f4d3f21a6c558d"
LENGTHS = (2, 3, 4, 5, 10, 99, 100)

every_length = pytest.mark.parametrize("length", LENGTHS)


class Written:
    """A generator that answers with the numbers of the golden example."""

    def __init__(self, numbers: list[list[float]], *marks: list[int]) -> None:
        self.numbers, self.marks, self.asked = numbers, list(marks), []

    def random(self, shape: tuple[int, int], dtype: type) -> np.ndarray:
        assert shape == np.shape(self.numbers)
        return np.array(self.numbers, dtype)

    def integers(self, low: int, high: int, count: int) -> np.ndarray:
        self.asked.append((low, high, count))
        return np.array(self.marks.pop(0))


def sample(length: int, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    return Adding(length=length).sample(np.random.default_rng(seed), count)


def solve(x: np.ndarray) -> float:
    """Reads the sequence step by step, as a model does."""
    memory = 0.0
    for number, mark in x.tolist():
        if mark == 1.0:
            memory += number
    return memory


def chi_square(found: np.ndarray, bins: int) -> float:
    """How far counts are from uniform, in standard deviations (Wilson and Hilferty's cube root)."""
    counts = np.bincount(found, minlength=bins)
    assert len(counts) == bins
    statistic, freedom = float(((counts - counts.mean()) ** 2 / counts.mean()).sum()), bins - 1
    return ((statistic / freedom) ** (1 / 3) - (1 - 2 / (9 * freedom))) / math.sqrt(2 / (9 * freedom))


def test_the_golden_example() -> None:
    generator = Written([[0.2, 0.7, 0.5, 0.1]], [1], [3])
    x, y = Adding(length=4).sample(generator, 1)  # type: ignore[arg-type]
    assert x.tolist() == [[[np.float32(0.2), 0], [np.float32(0.7), 1], [0.5, 0], [np.float32(0.1), 1]]]
    assert y == pytest.approx(np.array([[0.8]]))
    assert generator.asked == [(0, 2, 1), (2, 4, 1)], "one mark in each half"


def test_an_odd_length_has_its_middle_in_the_second_half() -> None:
    generator = Written([[0.5] * 5] * 2, [0, 1], [2, 4])
    x, y = Adding(length=5).sample(generator, 2)  # type: ignore[arg-type]
    assert generator.asked == [(0, 2, 2), (2, 5, 2)]
    assert x[:, :, 1].tolist() == [[1, 0, 1, 0, 0], [0, 1, 0, 0, 1]]
    assert y.tolist() == [[1.0], [1.0]]


@every_length
def test_an_independent_solver(length: int) -> None:
    x, y = sample(length, 1_000)
    assert y[:, 0] == pytest.approx([solve(row) for row in x], abs=1e-6)


@every_length
def test_marks(length: int) -> None:
    x, _ = sample(length, 2_000)
    marks = x[:, :, 1]
    assert set(np.unique(marks)) <= {0.0, 1.0}
    assert (marks.sum(axis=1) == 2).all()
    assert (marks[:, : length // 2].sum(axis=1) == 1).all()
    assert (marks[:, length // 2 :].sum(axis=1) == 1).all()


@pytest.mark.parametrize("length", [10, 11, 20])
def test_marks_lie_everywhere_alike(length: int) -> None:
    x, _ = sample(length, 50_000)
    half = length // 2
    first, second = x[:, :half, 1].argmax(axis=1), x[:, half:, 1].argmax(axis=1)
    assert abs(chi_square(first, half)) < 3.5
    assert abs(chi_square(second, length - half)) < 3.5
    together = first * (length - half) + second
    assert abs(chi_square(together, half * (length - half))) < 3.5, "and independent of each other"


def test_the_chi_square_notices() -> None:
    rng = np.random.default_rng(0)
    assert abs(chi_square(rng.integers(0, 10, 50_000), 10)) < 3.5
    assert chi_square(np.minimum(rng.integers(0, 11, 50_000), 9), 10) > 10


def test_numbers_are_uniform_and_know_nothing_of_marks() -> None:
    x, y = sample(20, 50_000)
    numbers, marks = x[:, :, 0], x[:, :, 1]
    assert numbers.min() >= 0 and numbers.max() < 1
    assert abs(chi_square((numbers.ravel()[:200_000] * 50).astype(int), 50)) < 3.5
    marked = numbers[marks == 1]
    assert abs(marked.mean() - 0.5) < 3 * math.sqrt(1 / 12 / len(marked))
    assert abs(np.corrcoef(marked[::2], marked[1::2])[0, 1]) < 3 / math.sqrt(50_000)
    assert y.min() >= 0 and y.max() < 2


def test_both_floors_by_monte_carlo() -> None:
    x, y = sample(20, 100_000)
    floors = Adding().floors()
    assert list(floors) == ["no_memory", "half_memory"]
    last = (x[:, 10:, 0] * x[:, 10:, 1]).sum(axis=1, keepdims=True)
    best_constant, best_with_one = np.full_like(y, y.mean()), last + 0.5
    for floor, answer in (("no_memory", np.ones_like(y)), ("half_memory", best_with_one)):
        errors = np.float64(y - answer) ** 2
        standard_error = errors.std() / math.sqrt(len(errors))
        assert abs(errors.mean() - floors[floor]) < 3 * standard_error
        assert Adding().score(y, answer) == pytest.approx(errors.mean(), rel=1e-6)
    assert Adding().score(y, best_constant) == pytest.approx(1 / 6, abs=0.002), "no constant does better than 1"


def test_floors_are_those_of_the_definition() -> None:
    assert (
        Adding(length=30).floors("test") == Adding(length=750).floors() == {"no_memory": 1 / 6, "half_memory": 1 / 12}
    )


def test_the_score_is_the_mean_squared_error() -> None:
    y, outputs = np.array([[1.0], [0.5], [0.0]], np.float32), np.array([[1.0], [0.0], [1.0]], np.float32)
    assert Adding().score(y, outputs) == pytest.approx((0 + 0.25 + 1) / 3)
    assert (Adding.metric, Adding.direction, Adding.loss) == ("mse", "min", "mse")


def test_the_score_of_many_samples_is_summed_in_double_precision() -> None:
    y = np.full((3_000_000, 1), np.float32(0.1))
    assert Adding().score(y, np.zeros_like(y)) == pytest.approx(float(np.float32(0.1) ** 2), rel=1e-7)


def test_the_answer_does_not_depend_on_what_is_not_marked() -> None:
    x, y = sample(50, 200)
    other = x.copy()
    other[:, :, 0] = np.where(x[:, :, 1] == 1, x[:, :, 0], np.random.default_rng(9).random((200, 50)))
    assert [solve(row) for row in other] == pytest.approx(y[:, 0].tolist(), abs=1e-6)
    assert not np.array_equal(other, x)


def test_seed_0_gives_these_samples_for_ever() -> None:
    x, y = make("adding", {"train": "64"}).split("train", 0)
    assert x.shape == (64, 100, 2)
    assert hashlib.sha256(x.astype("<f4").tobytes() + y.astype("<f4").tobytes()).hexdigest() == SEED_0
    assert hashlib.sha256(b"".join(part.tobytes() for part in Adding(train=64).split("train", 1))).hexdigest() != SEED_0


def test_options() -> None:
    task = make("adding", {"length": "7", "train": "5", "val": "4", "test": "3"})
    assert [task.split(name, 0)[0].shape for name in ("train", "val", "test")] == [(5, 7, 2), (4, 7, 2), (3, 7, 2)]
    assert (task.features, task.tokens, task.outputs) == (2, None, 1)
    with pytest.raises(ValueError, match=r"^length: expected 2 or more, got 1$"):
        make("adding", {"length": "1"})
