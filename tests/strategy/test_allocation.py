"""No cell is left out: after every trial each cell has had what it is owed, whatever the strategy likes."""

import math
import random
from collections import Counter

import pytest

from experiments.strategy.allocation import SEVERAL, allowed, cell_of, due, owed


def least(rule: str, trials: int, cells: int) -> int:
    """The definition."""
    if rule == "equal":
        return trials // cells
    return min(trials // cells, max(3, trials // (2 * cells)))


@pytest.mark.parametrize(("trials", "fair", "equal"), [(2, 0, 0), (3, 1, 1), (9, 3, 3), (23, 3, 7), (24, 4, 8)])
def test_what_three_cells_are_owed(trials: int, fair: int, equal: int) -> None:
    assert (owed("fair", trials, 3), owed("equal", trials, 3)) == (fair, equal)


@pytest.mark.parametrize("rule", ["fair", "equal"])
@pytest.mark.parametrize("cells", [1, 2, 3, 5])
def test_a_share_is_due_as_soon_as_it_is_owed(rule: str, cells: int) -> None:
    for share in range(1, 12):
        assert owed(rule, due(rule, share, cells), cells) == share
        assert owed(rule, due(rule, share, cells) - 1, cells) == share - 1


@pytest.mark.parametrize("rule", ["fair", "equal"])
@pytest.mark.parametrize("cells", [1, 2, 3, 5])
@pytest.mark.parametrize("seed", range(12))
def test_the_rule_holds_after_every_trial(rule: str, cells: int, seed: int) -> None:
    """A strategy may prefer one cell or candidates of several cells, and cells may have few points."""
    rng = random.Random(seed)
    names = [f"cell{number}" for number in range(cells)]
    sizes = {name: rng.randint(1, 12) if rng.random() < 0.4 else math.inf for name in names}
    counts: Counter[str] = Counter()
    for trials in range(1, 120):
        choices = sorted(allowed(rule, sizes, counts))
        counts[choices[0] if seed % 2 else rng.choice(choices)] += 1
        assert all(counts[name] >= min(least(rule, trials, cells), sizes[name]) for name in names), (trials, counts)
        assert all(counts[name] <= sizes[name] for name in names)


def test_the_strategy_may_choose_where_nothing_is_owed() -> None:
    sizes = dict.fromkeys(["gru", "lstm"], math.inf)
    assert allowed("fair", sizes, Counter(gru=1)) == {"lstm"}
    assert allowed("fair", sizes, Counter(gru=3, lstm=3)) == {"gru", "lstm", SEVERAL}
    assert allowed("equal", sizes, Counter(gru=3, lstm=3)) == {"gru", "lstm"}


def test_the_cell_of_a_candidate() -> None:
    assert cell_of({"depth": 2, "cell": "gru", "width": 8}) == "gru"
    layers = {"depth": 2, "cell_1": "gru", "width_1": 8, "cell_2": "lstm", "width_2": 16}
    assert cell_of(layers) == SEVERAL
    assert cell_of({**layers, "cell_2": "gru"}) == "gru"
    assert cell_of({**layers, "depth": 1}) == "gru", "a layer that the model does not have"
