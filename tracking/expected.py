"""The best score that one may expect of a budget of n trials (Dodge et al. 2019, arXiv:1909.03004, section 3).

The budget says how good a cell looks: with three trials another cell may be the better choice than with thirty. The
scores of the trials are taken as draws from a distribution, and their empirical distribution function F as that
distribution. The best of n draws, with replacement, is at most v with the probability F(v)^n.

Worked example. Large is better, the scores are 1, 2 and 4. The best of two draws is 1 in 1 case of 9, 2 in 3 cases and
4 in 5 cases. So one may expect (1 + 2 * 3 + 4 * 5) / 9 = 3 of two trials, with the variance
(1 + 4 * 3 + 16 * 5) / 9 - 3 ** 2 = 4/3.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

SAME = 1e-9  # a smaller difference, as a share of the scores, is none


@dataclass(frozen=True)
class Expected:
    """What one may expect of `trials` trials: the mean of their best score, and its standard deviation."""

    trials: int
    mean: float
    sd: float


def expected_best(scores: Sequence[float], direction: str, trials: int) -> Expected:
    """The expected best of so many draws from the scores, with replacement.

    Args:
        scores: one per trial, in any order, at least one. All are finite.
        direction: min or max, whichever is better.
        trials: the number of draws, from 1 on.
    """
    return _expected(_in_order(scores, direction), trials)


def _in_order(scores: Sequence[float], direction: str) -> np.ndarray:
    """The scores, the best one last."""
    return np.array(sorted(scores, reverse=direction == "min"), dtype=np.float64)


def _expected(ordered: np.ndarray, trials: int) -> Expected:
    shares = (np.arange(len(ordered) + 1) / len(ordered)) ** trials  # F to the power of n, before and at each score
    weights, distances = np.diff(shares), ordered - ordered[0]
    mean = float(weights @ distances)
    # The distances to the mean are squared, since the difference of two large squares would lose all digits.
    variance = float(weights @ (distances - mean) ** 2)
    return Expected(trials, float(ordered[0]) + mean, math.sqrt(variance))


def curve(scores: Sequence[float], direction: str) -> list[Expected]:
    """The expected best of 1, 2, … trials, up to the number of the scores."""
    ordered = _in_order(scores, direction)
    return [_expected(ordered, trials) for trials in range(1, len(scores) + 1)]


def draws(trials: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """The scores of a search by cell, as draws.

    A pruned trial counts with its last score, under `reached`. A trial that continues a pruned one is the same draw,
    so only its own score counts. Trials without a score that is finite are left out.

    Args:
        trials: as `results` returns them.
    """
    continued = _continued(trials)
    found: dict[str, list[float]] = {}
    for trial in trials:
        score = reached(trial)
        if score is not None and trial["trial"] not in continued:
            found.setdefault(str(trial["values"].get("cell")), []).append(score)
    return found


def reached(trial: Mapping[str, Any]) -> float | None:
    """The score of a completed trial, the last one of a pruned trial, and None for every other trial."""
    score = trial["score"] if trial["score"] is not None else trial.get("reached")
    ended = trial["score"] is not None or trial["outcome"] == "pruned"
    return float(score) if ended and score is not None and math.isfinite(score) else None


def crossings(curves: Mapping[str, Sequence[Expected]], direction: str) -> list[str]:
    """A sentence for each pair of cells of which one is the better choice with few trials, the other with many.

    Only numbers of trials that both cells have had are compared.
    """
    found = []
    for one, other in combinations(curves, 2):
        before = ""
        for mine, its in zip(curves[one], curves[other], strict=False):
            better = _better(one, other, mine.mean, its.mean, direction)
            if before and better and better != before:
                found.append(
                    f"below {mine.trials} trials {before} is the better choice, from {mine.trials} on {better}"
                )
            before = better or before
    return found


def _better(one: str, other: str, mine: float, its: float, direction: str) -> str:
    """The cell with the better mean; "" if they are the same."""
    if abs(mine - its) <= SAME * max(abs(mine), abs(its)):
        return ""
    return one if (mine < its) == (direction == "min") else other


def _continued(trials: Sequence[Mapping[str, Any]]) -> set[str | None]:
    """The pruned trials that another trial has continued to a score."""
    return {trial.get("continues") for trial in trials if reached(trial) is not None}


def label(oracle: str, trials: Sequence[Mapping[str, Any]]) -> str:
    """What the curves are: exact for trials that were drawn at random, otherwise only as if they had been."""
    again = _continued(trials)
    pruned = sum(trial["outcome"] == "pruned" and trial["trial"] not in again for trial in trials)
    drawn = "trials drawn at random: exact" if oracle == "random" else "as if drawn at random"
    return f"{drawn}; {pruned} pruned counted with their last score" if pruned else drawn
