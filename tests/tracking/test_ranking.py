"""The order of candidates, the front and what a search keeps, against definitions that are written out."""

import itertools
import random

import pytest

from tracking.errors import BadInput
from tracking.ranking import (
    Candidate,
    Preference,
    front,
    kept,
    lasting,
    lasting_with,
    may_last,
    preference,
    preferred,
    ranked,
)

WISHES = (None, Preference("small", 0.02), Preference("fast", 0.3))


def numbers(candidates: list[Candidate]) -> list[int]:
    return [one.number for one in candidates]


def drawn(seed: int, count: int, spreads: bool) -> list[Candidate]:
    """Candidates with many equal scores, sizes and times."""
    draw = random.Random(seed)

    def spread() -> float | None:
        return draw.choice((0.0, 0.5, 1.0, 2.5)) if spreads else None

    return [
        Candidate(number, draw.randrange(8), spread(), draw.randrange(6), draw.randrange(5), draw.choice("ab"))
        for number in draw.sample(range(2 * count), count)
    ]


def losses(candidates: list[Candidate], direction: str) -> dict[Candidate, float]:
    return {one: one.score if direction == "min" else -one.score for one in candidates}


def test_the_example_of_the_docstring() -> None:
    candidates = [Candidate(0, 0.30, 0.02, 9000), Candidate(1, 0.31, 0.1, 500), Candidate(2, 0.33, 0.0, 100)]
    assert numbers(ranked(candidates, "min")) == [1, 0, 2]
    assert numbers(front(candidates, "min")) == [0, 1, 2]


def test_a_tie_is_with_the_best_one_only() -> None:
    """Trial 2 ties with trial 1, but not with the best one, so its few parameters do not count."""
    candidates = [Candidate(0, 0.30, 0.02, 900), Candidate(1, 0.315, 0.5, 800), Candidate(2, 0.33, 0.5, 1)]
    assert numbers(ranked(candidates, "min")) == [1, 0, 2]


def test_without_spread_only_rounding_ties() -> None:
    """67 models scored 1.0; the smallest of them is the best one."""
    same = [Candidate(number, 1.0 - number * 1e-12, None, 1000 - number) for number in range(67)]
    found = ranked([*same, Candidate(67, 1.0 - 2e-9, None, 1)], "max")
    assert numbers(found) == [*range(66, -1, -1), 67]
    assert numbers(ranked([Candidate(0, 5e6, None, 2), Candidate(1, 5e6 + 1e-3, None, 1)], "min")) == [1, 0]


def test_equal_candidates_are_in_the_order_of_their_numbers() -> None:
    candidates = [Candidate(number, 0.5, None, 7) for number in (3, 1, 2)]
    assert numbers(ranked(candidates, "max")) == [1, 2, 3]
    assert numbers(ranked([Candidate(0, 0.5), Candidate(1, 0.5, None, 10**9)], "min")) == [1, 0]  # no size is known


def test_nothing_is_ranked_of_nothing() -> None:
    assert ranked([], "min") == front([], "min") == kept([], "min") == lasting([], "max") == []
    assert preferred([], "min", WISHES[1], {}) is None


@pytest.mark.parametrize("spreads", [False, True])
@pytest.mark.parametrize("direction", ["min", "max"])
def test_the_first_ones_are_those_that_tie(direction: str, spreads: bool) -> None:
    for seed in range(200):
        candidates = drawn(seed, 9, spreads)
        loss, found = losses(candidates, direction), ranked(candidates, direction)
        best = min(candidates, key=lambda one: (loss[one], one.parameters, one.number))
        tied = {one for one in candidates if loss[one] - loss[best] <= (best.spread or 1e-9 * max(1, abs(best.score)))}
        first, rest = found[: len(tied)], found[len(tied) :]
        assert set(first) == tied
        assert first == sorted(tied, key=lambda one: (one.parameters, one.number))
        assert rest == sorted(set(candidates) - tied, key=lambda one: (loss[one], one.parameters, one.number))


@pytest.mark.parametrize("direction", ["min", "max"])
def test_the_front_has_what_no_other_one_dominates(direction: str) -> None:
    for seed in range(200):
        candidates = drawn(seed, 12, False)
        loss, found = losses(candidates, direction), front(candidates, direction)
        for one in candidates:
            point = loss[one], one.parameters
            others = {(loss[other], other.parameters) for other in candidates} - {point}
            dominated = any(all(a <= b for a, b in zip(other, point, strict=True)) for other in others)
            first = one.number == min(two.number for two in candidates if (loss[two], two.parameters) == point)
            assert (one in found) == (first and not dominated)


@pytest.mark.parametrize("wish", WISHES)
@pytest.mark.parametrize("spreads", [False, True])
@pytest.mark.parametrize("direction", ["min", "max"])
def test_what_is_kept_is_never_dropped_before(direction: str, spreads: bool, wish: Preference | None) -> None:
    """The candidates come one by one. A model that the search hands over in the end was on disk all the time."""
    for seed in range(150):
        candidates, disk = drawn(seed, 14, spreads), []
        for one in candidates:
            if may_last(one, disk, direction, wish):  # else its worker saves no model
                disk = lasting([*disk, one], direction, wish)
        assert set(disk) == set(lasting(candidates, direction, wish))
        assert set(kept(candidates, direction, wish)) <= set(disk)
        assert ranked(disk, direction)[0] == ranked(candidates, direction)[0]


@pytest.mark.parametrize("spreads", [False, True])
@pytest.mark.parametrize("direction", ["min", "max"])
def test_one_after_another_are_the_same_as_all_together(direction: str, spreads: bool) -> None:
    for seed in range(150):
        candidates, found = drawn(seed, 14, spreads), []
        for one in candidates:
            found = lasting_with(found, one, direction)
        assert found == lasting(candidates, direction)


def test_on_disk_are_few() -> None:
    """Of 1,000 random candidates of one cell without spread the disk has the front alone."""
    draw = random.Random(0)
    candidates = [Candidate(number, draw.random(), None, draw.randrange(10**5)) for number in range(1000)]
    found = lasting(candidates, "min")
    assert found == front(candidates, "min") == sorted(kept(candidates, "min"), key=lambda one: one.score)
    assert len(found) < 20


@pytest.mark.parametrize("wish", WISHES)
@pytest.mark.parametrize("direction", ["min", "max"])
def test_the_preferred_one_is_kept_and_good_enough(direction: str, wish: Preference | None) -> None:
    for seed in range(150):
        candidates, floors = drawn(seed, 10, seed % 2 == 0), {"a": 9.5, "b": -1.5, "c": 4.0}
        found = preferred(candidates, direction, wish, floors)
        assert found in kept(candidates, direction, wish)
        if wish is None:
            assert found == ranked(candidates, direction)[0]
            continue
        loss = losses(candidates, direction)
        best = min(candidates, key=lambda one: (loss[one], one.parameters, one.number))
        weakest = 9.5 if direction == "min" else 1.5
        room = max(wish.share * (weakest - loss[best]), best.spread or 0)
        enough = [one for one in candidates if loss[one] <= loss[best] + room + 1e-9]
        assert found in enough
        assert getattr(found, wish.cost) == min(getattr(one, wish.cost) for one in enough)


def test_two_per_cent_of_the_distance_to_the_weakest_floor() -> None:
    """Best 0.90, weakest floor 0.10: two per cent of the distance are 0.016, so 0.884 is good enough."""
    floors, wish = {"chance": 0.10, "majority": 0.5}, preference("small:2%")
    candidates = [Candidate(0, 0.90, None, 500), Candidate(1, 0.885, None, 50), Candidate(2, 0.883, None, 5)]
    assert preferred(candidates, "max", wish, floors) == candidates[1]
    assert preferred(candidates, "max", wish, {}) == candidates[0]  # without a floor only ties are good enough
    worse = {"a": 0.95}
    assert preferred(candidates, "max", wish, worse) == candidates[0]  # nothing is better than the floor


def test_the_fast_one_may_be_large() -> None:
    candidates = [
        Candidate(0, 0.1, None, 10, 9.0),
        Candidate(1, 0.101, None, 900, 1.5),
        Candidate(2, 0.2, None, 1, 0.1),
    ]
    assert preferred(candidates, "min", preference("fast:2%"), {"mean": 0.2}) == candidates[1]
    assert candidates[1] in kept(candidates, "min", preference("fast:2%"))
    assert candidates[1] not in kept(candidates, "min")


def test_the_best_of_a_cell_is_kept() -> None:
    candidates = [Candidate(0, 0.1, None, 10, cell="gru"), Candidate(1, 0.5, None, 99, cell="lstm")]
    assert numbers(kept(candidates, "min")) == [0, 1]


@pytest.mark.parametrize("text", ["", "small", "small:2", "small:-1%", "small:101%", "big:2%", "fast:x%", "small:2%%"])
def test_a_wish_that_is_none(text: str) -> None:
    with pytest.raises(BadInput, match="^--prefer: expected small:2% or fast:2%.*got "):
        preference(text)


def test_wishes() -> None:
    assert preference("none") is None
    assert preference("fast:0.5%") == Preference("fast", 0.005)
    assert preference("small:100%") == Preference("small", 1.0)


def test_every_order_of_arrival_keeps_the_same() -> None:
    candidates = drawn(3, 5, True)
    wanted = set(lasting(candidates, "min"))
    for order in itertools.permutations(candidates):
        disk: list[Candidate] = []
        for one in order:
            disk = lasting([*disk, one], "min")
        assert set(disk) == wanted
