"""How many trials each cell gets. A strategy alone may leave a cell out.

After `n` trials each of `k` cells has had at least

    fair    min(n // k, max(3, n // 2k))     three trials each, later half of an equal share
    equal   n // k
    best    0                                the strategy alone decides
    all                                      a grid has all points of every cell

This holds after every trial, so that a search that is stopped early is fair, too. A candidate whose layers have several
cells counts for none of them. A cell that has fewer points than it should get trials gets all of its points.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from search_spaces.architecture import layers

FEWEST = 3  # trials of each cell, where half of an equal share is less
SEVERAL = ""  # stands for a candidate whose layers have several cells


def cell_of(values: Mapping[str, Any]) -> str:
    """The cell of a candidate; SEVERAL if its layers have several."""
    found = {values["cell"]} if "cell" in values else {cell for cell, _ in layers(dict(values))}
    return str(found.pop()) if len(found) == 1 else SEVERAL


def owed(rule: str, trials: int, cells: int) -> int:
    """The trials that each cell has had at least, after so many trials. The rule is fair or equal."""
    share = trials // cells
    return share if rule == "equal" else min(share, max(FEWEST, share // 2))


def due(rule: str, share: int, cells: int) -> int:
    """The number of trials after which each cell has had `share` of them."""
    return share * cells if rule == "equal" or share <= FEWEST else 2 * share * cells


def allowed(rule: str, sizes: Mapping[str, float], counts: Mapping[str, int]) -> set[str]:
    """The cells that the next trial may have, so that the rule holds after it and can hold after every later trial.

    Args:
        rule: fair or equal.
        sizes: the number of points of each cell.
        counts: the trials so far, by cell.
    """
    choices = {cell for cell, size in sizes.items() if counts[cell] < size} | {SEVERAL}
    return {cell for cell in choices if _holds(rule, sizes, Counter(counts) + Counter([cell]))} or choices


def _holds(rule: str, sizes: Mapping[str, float], counts: Counter[str]) -> bool:
    """True if no cell lacks a trial now, and each can still get in time what it must have next."""
    begun, cells = counts.total(), len(sizes)
    share = owed(rule, begun, cells)

    def lacking(share: int) -> float:
        return sum(max(0, min(share, size) - counts[cell]) for cell, size in sizes.items())

    # With one more of `share` the cells lack at most `cells` trials more, and there is time for at least as many. So
    # the next share is the one that could come too soon.
    return lacking(share) == 0 and lacking(share + 1) <= due(rule, share + 1, cells) - begun
