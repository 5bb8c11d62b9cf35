"""Which candidate is the best, which come after it, and which ones nothing else is better than.

A score alone does not order candidates. Those that tie with the best one are ordered by what they cost:

- A candidate ties with the best score if the difference is at most the spread of the best one over its executions.
  Without a spread it is at most 1e-9 * max(1, |best|), which is what rounding does.
- A tie goes to fewer parameters, then to the lower number. Candidates that do not tie are ordered by score, then by
  parameters and number.

Worked example. Small scores are better. Trial 0 has 0.30 with a spread of 0.02 and 9,000 parameters, trial 1 has 0.31
and 500 parameters, trial 2 has 0.33 and 100. Trial 1 ties with trial 0 and is smaller, so the order is 1, 0, 2.

The front (Pareto's) has the candidates of which no other one has a score as good for as few parameters.
"""

import math
import re
from bisect import bisect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tracking.errors import BadInput

ROUNDING = 1e-9  # relative; scores of the same model differ by so much when sums are taken in another order
NONE = "none"
COSTS = {"small": "parameters", "fast": "ms_per_step"}  # the words of --prefer, and what each makes small


@dataclass(frozen=True, slots=True)
class Candidate:
    """A trial that has a score.

    Args:
        number: of the trial.
        spread: the standard deviation over its executions; None for one execution.
        parameters, ms_per_step: what it costs; None for a cost that is not known.
    """

    number: int
    score: float
    spread: float | None = None
    parameters: int | None = None
    ms_per_step: float | None = None
    cell: str = ""

    def cost(self, name: str) -> float:
        """Its `parameters` or `ms_per_step`. A cost that is not known is the highest one."""
        value = getattr(self, name)
        return math.inf if value is None else float(value)


@dataclass(frozen=True)
class Preference:
    """The cheapest candidate whose score is good enough.

    Args:
        word: small (by parameters) or fast (by ms per step).
        share: of the distance between the best score and the weakest floor. A score may be so much worse.
    """

    word: str
    share: float

    @property
    def cost(self) -> str:
        return COSTS[self.word]


def preference(text: str) -> Preference | None:
    """`--prefer`: small:2%, fast:0.5%, or none. Raises BadInput."""
    if text == NONE:
        return None
    found = re.fullmatch(r"(\w+):(\d{1,3}(?:\.\d{1,6})?)%", text, re.ASCII)
    if found is None or found[1] not in COSTS or float(found[2]) > 100:
        raise BadInput(f"--prefer: expected small:2% or fast:2%, with a share up to 100%, or none, got {text[:60]!r}")
    return Preference(found[1], float(found[2]) / 100)


def ranked(candidates: Iterable[Candidate], direction: str) -> list[Candidate]:
    """The candidates, best first. `direction` is min or max."""
    ordered = sorted(candidates, key=lambda one: by_score(one, direction))
    equal = tied(ordered, direction)
    return equal + ordered[len(equal) :]


def tied(candidates: Sequence[Candidate], direction: str) -> list[Candidate]:
    """The candidate with the best score and those that tie with it, in their order."""
    best = min(candidates, key=lambda one: by_score(one, direction), default=None)
    found = [one for one in candidates if best is not None and ties(one, best)]
    return sorted(found, key=lambda one: (one.cost("parameters"), one.number))


def ties(one: Candidate, best: Candidate) -> bool:
    """True if a candidate is as good as the one with the best score."""
    return abs(one.score - best.score) <= max(best.spread or 0.0, ROUNDING * max(1.0, abs(best.score)))


def front(candidates: Iterable[Candidate], direction: str, cost: str = "parameters") -> list[Candidate]:
    """The candidates of which no other one has as good a score and as low a cost, best score first.

    Of candidates that are equal in both it has the one that is ranked first.

    Args:
        cost: parameters or ms_per_step.
    """
    found: list[Candidate] = []
    for one in sorted(candidates, key=lambda one: (_loss(one, direction), one.cost(cost), by_score(one, direction))):
        if not found or one.cost(cost) < found[-1].cost(cost):
            found.append(one)
    return found


def preferred(
    candidates: Sequence[Candidate], direction: str, wish: Preference | None, floors: Mapping[str, float]
) -> Candidate | None:
    """The candidate to take: without a wish the best one. None if there is no candidate.

    A score is good enough if it is worse than the best score by at most the wished share of the distance between the
    best score and the weakest floor, or if it ties with the best one.
    """
    if wish is None or not candidates:
        return next(iter(ranked(candidates, direction)), None)
    best = min(candidates, key=lambda one: by_score(one, direction))
    sign = 1 if direction == "min" else -1
    weakest = max((sign * floor for floor in floors.values()), default=sign * best.score)
    most = _loss(best, direction) + wish.share * max(0.0, weakest - _loss(best, direction))
    enough = [one for one in candidates if _loss(one, direction) <= most or ties(one, best)]
    return min(enough, key=lambda one: (one.cost(wish.cost), *by_score(one, direction)))


def kept(candidates: Sequence[Candidate], direction: str, wish: Preference | None = None) -> list[Candidate]:
    """The candidates whose models a search hands over: the front, the best one, and the best one of each cell.

    A wish for fast models adds the front of score and milliseconds. What `preferred` chooses is then always among them.
    """
    cells = {one.cell for one in candidates}
    groups = [[one for one in candidates if one.cell == cell] for cell in sorted(cells)]
    found = {*front(candidates, direction), *(front(candidates, direction, wish.cost) if wish else ())}
    found |= {ranked(group, direction)[0] for group in (candidates, *groups) if group}
    return ranked(found, direction)


def lasting(candidates: Iterable[Candidate], direction: str, wish: Preference | None = None) -> list[Candidate]:
    """The candidates that `kept` has now, or may have when more candidates have come.

    A search keeps their models on disk. What it has dropped once never comes back, so the candidates may come one after
    another, in any order: `lasting([*lasting(some), *more])` is `lasting([*some, *more])`.
    """
    found: dict[str, list[Candidate]] = {}  # by cell
    for one in sorted(candidates, key=lambda one: by_score(one, direction)):
        own = found.setdefault(one.cell, [])
        if may_last(one, reversed(own), direction, wish):  # the smallest ones first: mostly one of them is smaller
            own.append(one)
            # It replaces none that has a better score.
            found[one.cell] = [two for two in own if two.score != one.score or may_last(two, own, direction, wish)]
    return sorted(sum(found.values(), []), key=lambda one: by_score(one, direction))


def lasting_with(found: list[Candidate], one: Candidate, direction: str) -> list[Candidate]:
    """The same as `lasting([*found, one])`, in less time: `found` is what an earlier call has returned."""
    own = [two for two in found if two.cell == one.cell]
    if not may_last(one, own, direction):
        return found
    out = {two.number for two in own if not may_last(two, [one], direction)}
    place = bisect([by_score(two, direction) for two in found], by_score(one, direction))
    return [two for two in (*found[:place], one, *found[place:]) if two.number not in out]


def may_last(one: Candidate, others: Iterable[Candidate], direction: str, wish: Preference | None = None) -> bool:
    """False if one of the others will always be taken in place of a candidate, whatever candidates still come."""
    costs = dict.fromkeys(["parameters", wish.cost if wish else "parameters"])
    rivals = [other for other in others if other.cell == one.cell and other.number != one.number]
    return any(not any(_replaces(other, one, direction, cost) for other in rivals) for cost in costs)


def _replaces(other: Candidate, one: Candidate, direction: str, cost: str) -> bool:
    """True if `other` has as good a score as `one`, and is before it in every tie."""
    if _loss(other, direction) > _loss(one, direction):
        return False
    mine, its = ((two.cost(cost), two.cost("parameters"), two.number) for two in (one, other))
    # A worse score with a lower number wins a tie among candidates of one size. With spreads any two may tie one day.
    apart = one.spread is None and not ties(one, other)
    return its < mine or (its[0] == mine[0] and apart)


def _loss(one: Candidate, direction: str) -> float:
    return one.score if direction == "min" else -one.score


def by_score(one: Candidate, direction: str) -> tuple[float, float, int]:
    """A key: the lower, the better."""
    return _loss(one, direction), one.cost("parameters"), one.number
