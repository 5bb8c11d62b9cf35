"""Scores in words: hand-worked examples, and what a model that has learnt nothing is called."""

import numpy as np
import pytest

from experiments.tasks.adding import Adding
from experiments.tasks.parity import Parity
from tracking.verdict import Verdict, verdict

ADDING = {"no_memory": 1 / 6, "half_memory": 1 / 12}
RECALL = {"no_memory": 1 / 8, "half_memory": 2 / 8}
NGRAMS = {"unigram": 4.671, "bigram": 3.344, "trigram": 2.598, "4-gram": 2.060, "5-gram": 1.928}


@pytest.mark.parametrize(
    ("score", "said"),
    [
        (0.0005, "solved"),
        (0.001, "solved"),
        (0.0011, "learning, above half memory"),
        (0.0790, "learning, above half memory"),  # 1/12 - 0.05 (1/12 - 0.001) = 0.07922
        (0.0793, "learning, above no memory"),
        (0.1583, "learning, above no memory"),  # 1/6 - 0.05 (1/6 - 0.001) = 0.15838
        (0.1585, "no better than no memory"),
        (0.1667, "no better than no memory"),
        (5.0, "no better than no memory"),
    ],
)
def test_less_is_better(score: float, said: str) -> None:
    assert str(verdict(score, "min", ADDING, 0.001)) == said


@pytest.mark.parametrize(
    ("score", "said"),
    [
        (1.0, "solved"),
        (0.99, "solved"),
        (0.98, "learning, above half memory"),
        (0.288, "learning, above half memory"),  # 0.25 + 0.05 * 0.74 = 0.287
        (0.286, "learning, above no memory"),
        (0.169, "learning, above no memory"),  # 0.125 + 0.05 * 0.865 = 0.16825
        (0.168, "no better than no memory"),
        (0.0, "no better than no memory"),
    ],
)
def test_more_is_better(score: float, said: str) -> None:
    assert str(verdict(score, "max", RECALL, 0.99)) == said


@pytest.mark.parametrize(
    ("score", "said"),
    [
        (1.928, "solved"),
        (2.010, "learning, above 4-gram"),
        (2.070, "learning, above trigram"),
        (4.700, "no better than unigram"),
    ],
)
def test_a_language_model_is_solved_at_its_best_floor(score: float, said: str) -> None:
    assert str(verdict(score, "min", NGRAMS, min(NGRAMS.values()))) == said


def test_without_a_bound_nothing_is_solved_and_the_way_goes_to_a_perfect_score() -> None:
    assert str(verdict(1.0, "max", RECALL, None)) == "learning, above half memory"
    assert str(verdict(0.168, "max", RECALL, None)) == "no better than no memory"  # 0.125 + 0.05 * 0.875 = 0.16875
    assert str(verdict(0.169, "max", RECALL, None)) == "learning, above no memory"
    assert str(verdict(0.0, "min", ADDING, None)) == "learning, above half memory"


def test_where_no_perfect_score_is_known_every_better_score_beats_a_floor() -> None:
    assert str(verdict(30.01, "max", {"always_left": 30.0, "last": 70.0}, None)) == "learning, above always left"
    assert str(verdict(-5.01, "min", {"mean": -5.0}, None)) == "learning, above mean"
    assert str(verdict(-5.0, "min", {"mean": -5.0}, None)) == "no better than mean", "an equal score is not better"


def test_the_floors_are_ordered_by_their_scores_and_not_by_their_places() -> None:
    floors = {"last_step": 0.9, "no_memory": 0.2, "half_memory": 0.5}
    assert verdict(0.6, "max", floors, 0.99) == Verdict("learning", "half_memory")
    assert verdict(0.1, "max", floors, 0.99) == Verdict("none", "no_memory")


def test_what_needs_no_memory_is_never_called_solved() -> None:
    floors = {"no_memory": 1.0, "half_memory": 1.0}  # brackets of one kind
    assert str(verdict(1.0, "max", floors, 0.99)) == "no better than no memory"
    assert str(verdict(0.5, "max", floors, 0.99)) == "no better than no memory"
    assert str(verdict(1.0, "max", {"no_memory": 0.5, "half_memory": 1.0}, 0.99)) == "solved"


@pytest.mark.parametrize("score", [None, float("nan"), float("inf")])
def test_no_score_has_no_verdict(score: float | None) -> None:
    assert verdict(score, "min", ADDING, 0.001) is None


def test_without_floors_only_solved_is_said() -> None:
    assert verdict(0.5, "max", {}, None) is None
    assert verdict(0.5, "max", {}, 0.99) is None
    assert str(verdict(0.995, "max", {}, 0.99)) == "solved"
    assert str(verdict(0.1, "max", {"no_memory": float("nan"), "last": 0.5}, None)) == "no better than last"


def test_a_constant_answer_seldom_passes_for_learning() -> None:
    """A model that always answers 1 beats the floor 1/6 on half of all validation splits."""
    task = Adding(length=10)
    scores = []
    for seed in range(200):
        _, y = task.split("val", seed)
        scores.append(float(np.mean((y - 1) ** 2)))
    assert 70 <= sum(score < 1 / 6 for score in scores) <= 130
    said = [str(verdict(score, "min", task.floors(), 0.001)) for score in scores]
    assert said.count("no better than no memory") >= 190


def test_a_guess_seldom_passes_for_learning() -> None:
    task = Parity()
    guesses = np.random.default_rng(0)
    scores = [float(np.mean(guesses.integers(0, 2, task.val) == task.split("val", seed)[1])) for seed in range(200)]
    floors = {"no_memory": task.floors()["no_memory"]}
    said = [str(verdict(score, "max", floors, 0.99)) for score in scores]
    assert said.count("no better than no memory") >= 190
