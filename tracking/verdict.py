"""What a score is worth, in words: solved, learning, or no better than a model with less memory.

A floor is what a model with less memory scores, mostly a number of theory. A score is measured on a finite validation
split, and the best of many epochs and candidates is shown. So a model that has learnt nothing lands on the better side
of a floor in half of all searches or more. A floor therefore counts as beaten only by a MARGIN of the way from it to
what counts as solved. Where nothing counts as solved, the way goes to the perfect score: to 1 if more is better and no
floor is above 1, to 0 if less is better and no floor is below 0. Elsewhere there is no margin.

    adding: floors 0.1667 (no memory) and 0.0833 (half memory), solved at 0.001
    0.1600   no better than no memory     a constant answer scores that on one split of 2,000 samples in fifteen
    0.1500   learning, above no memory    0.1667 - 0.05 * (0.1667 - 0.001) = 0.1584 is passed
    0.0005   solved

With the 2,000 validation samples that most tasks have, the margin is two or more standard errors of a model without
memory. A smaller split gives less certainty.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

MARGIN = 0.05


@dataclass(frozen=True)
class Verdict:
    """What a score is worth.

    Args:
        kind: "solved", "learning" (it beats a floor) or "none" (it beats no floor).
        floor: the strongest floor that it beats; for "none" the weakest floor; "" if there is no floor.
    """

    kind: Literal["solved", "learning", "none"]
    floor: str

    def __str__(self) -> str:
        name = self.floor.replace("_", " ")
        return {"solved": "solved", "learning": f"learning, above {name}", "none": f"no better than {name}"}[self.kind]


def verdict(score: float | None, direction: str, floors: Mapping[str, float], solved: float | None) -> Verdict | None:
    """What a score is worth; None without a score, or if there is nothing to compare it with.

    A score that reaches `solved` is no success where the weakest floor reaches it too.

    Args:
        direction: "min" or "max": which scores are better.
        floors: what models with less memory score, by their names.
        solved: the score from which on the task counts as solved; None if there is none.
    """
    if score is None or not math.isfinite(score):
        return None
    sign = 1 if direction == "max" else -1
    worths = {name: sign * value for name, value in floors.items() if math.isfinite(value)}
    goal = None if solved is None else sign * solved
    weakest = min(worths, key=lambda name: worths[name], default="")
    if goal is not None and weakest and worths[weakest] >= goal:
        goal = None
    beaten = [name for name in worths if _beats(sign * score, worths[name], _top(worths, sign, goal))]
    strongest = max(beaten, key=lambda name: worths[name], default="")
    if goal is not None and sign * score >= goal:
        return Verdict("solved", strongest)
    if not worths:
        return None
    return Verdict("learning", strongest) if beaten else Verdict("none", weakest)


def _top(worths: Mapping[str, float], sign: int, goal: float | None) -> float | None:
    """The worth at the end of the way from a floor: what counts as solved, else a perfect score, if that is known."""
    if goal is not None:
        return goal
    perfect = 1.0 if sign > 0 else 0.0
    return perfect if all(worth <= perfect for worth in worths.values()) else None


def _beats(worth: float, floor: float, top: float | None) -> bool:
    """True if a worth is better than a floor's, by the margin. A floor beyond the top has none."""
    return worth > floor and (top is None or worth >= floor + MARGIN * max(0.0, top - floor))
