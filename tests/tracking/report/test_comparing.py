"""Who wins of two searches, and how sure: against Welch's formula by hand."""

import math
import statistics
from typing import Any

import pytest
from scipy import stats
from test_charts import FINALS
from test_page import Reader

from tracking.report.comparing import comparison, how_sure, same_task, sample, who_wins
from tracking.report.gather import Search


def with_finals(search: Search, scores: list[float]) -> Search:
    """The search with finals of its best trial."""
    best = search.ranked[0]["trial"]
    one = {**FINALS["candidates"][0], "trial": best, "test": scores}
    search.found["finals"] = {**FINALS, "winner": best, "candidates": [one]}
    return search


def welch(one: list[float], other: list[float]) -> tuple[float, float, float]:
    """The p-value and the 95 % interval of the difference of two means (Welch 1947)."""
    parts = [statistics.variance(some) / len(some) for some in (one, other)]
    error, apart = math.sqrt(sum(parts)), statistics.fmean(one) - statistics.fmean(other)
    freedom = sum(parts) ** 2 / sum(part**2 / (len(some) - 1) for part, some in zip(parts, (one, other), strict=True))
    half = stats.t.ppf(0.975, freedom) * error
    return 2 * stats.t.sf(abs(apart) / error, freedom), apart - half, apart + half


def test_the_same_task(small: Search, twin: Search, other: Search) -> None:
    assert same_task([small, twin]) and not same_task([small, other])


def test_one_seed_each_says_nothing(small: Search, twin: Search) -> None:
    first, second = sorted([small, twin], key=lambda search: search.ranked[0]["score"])
    wins, sure = who_wins([small, twin])
    assert wins.startswith(f"{first.name} has the best model: {first.ranked[0]['architecture']}")
    assert sure.startswith(f"{second.name} is") and "cannot tell them apart" in sure


def test_a_difference_that_is_more_than_chance(small: Search, twin: Search) -> None:
    mine, its = [0.010, 0.011, 0.012, 0.010, 0.011], [0.030, 0.033, 0.031, 0.029, 0.035]
    p, low, high = welch(mine, its)
    said = how_sure(with_finals(small, mine), with_finals(twin, its))
    assert "more than chance" in said and f"p = {p:.2g}" in said
    assert f"{-high:.3g} to {-low:.3g}" in said
    wins, _ = who_wins([twin, small])
    assert wins.startswith("small has the best model") and "0.0108" in wins


def test_a_difference_that_may_be_chance(small: Search, twin: Search) -> None:
    mine, its = [0.010, 0.030, 0.020], [0.011, 0.034, 0.022]
    p, low, high = welch(mine, its)
    said = how_sure(with_finals(small, mine), with_finals(twin, its))
    assert "cannot tell them apart" in said and f"p = {p:.2g}" in said
    assert f"{low:.3g} to {high:.3g}" in said


def test_finals_of_one_alone_do_not_compare(small: Search, twin: Search) -> None:
    said = how_sure(with_finals(small, [0.1, 0.2]), twin)
    assert said == "Whether small is better than twin is open: one of them has no finals."
    assert sample(small).split == "test" and sample(twin).split == "validation"


def test_executions_count_without_finals(small: Search, twin: Search) -> None:
    small.ranked[0]["executions"], twin.ranked[0]["executions"] = [0.01, 0.011], [0.2, 0.21]
    assert "chosen by these scores" in how_sure(small, twin)


def test_the_page(small: Search, twin: Search, other: Search) -> None:
    text = comparison([small, twin, other])
    reader = Reader(text)
    assert reader.sections == ["winner", "searches", "budget", "so_far", "pareto", "learning"]
    assert "cannot be compared" in reader.words and reader.loads == ["data:,"]
    rows: dict[str, Any] = {row[0]: row for row in reader.cells if row and row[0] in ("small", "twin", "other")}
    assert rows["small"][1] == "adding length=50" and rows["other"][1] == "adding length=200"
    same = Reader(comparison([small, twin]))
    assert same.sections[2] == "together" and "has the best model" in same.words


def test_a_search_without_a_score(small: Search, twin: Search) -> None:
    twin.found["trials"] = []
    assert who_wins([small, twin])[-1] == "No trial has completed in twin."
    assert comparison([small, twin])


def test_ends_of_an_interval() -> None:
    assert welch([1.0, 2.0], [1.0, 2.0])[0] == pytest.approx(1)
