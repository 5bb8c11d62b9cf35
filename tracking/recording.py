"""Which trials have their curves in MLflow: `--record all`, or `best:N`.

A curve is what a trial measures more than once: the metrics of its epochs, and its horizon over the lags. Every trial
has its summary: run, parameters, tags, status, score, costs, and the last value of each metric.

With `best:N` a trial gets its summary when it has ended, and then its curves if it is one of the best N that have
completed so far, or the best one of its cell. The tag `recurrent.curves` of a trial is `last` or `all`. Trials of
`--record all` have no such tag.
"""

import heapq
import re
from collections.abc import Iterable
from typing import Any

from tracking.errors import BadInput
from tracking.journal import Event
from tracking.ranking import Candidate, by_score, ranked
from tracking.tags import PREFIX

ALL = "all"  # of --record, and of the tag
LAST = "last"  # of the tag: the run has only the last value of each metric
CURVES = f"{PREFIX}curves"


def most_curves(text: str) -> int | None:
    """`--record`: N of best:N, None for all. Raises BadInput."""
    if text == ALL:
        return None
    found = re.fullmatch(r"best:([1-9]\d{0,8})", text, re.ASCII)
    if found is None:
        raise BadInput(f"--record: expected all or best:N, got {text[:60]!r}")
    return int(found[1])


def summary(events: Iterable[Event]) -> list[Event]:
    """The events of a trial without its curves: of each execution the last epoch, of a horizon no lag."""
    kept: list[Event] = []
    last: dict[int, int] = {}  # where the last epoch of an execution stands
    for event in events:
        if event["event"] == "epoch":
            if event["execution"] in last:
                kept[last[event["execution"]]] = event
                continue
            last[event["execution"]] = len(kept)
        kept.append(_without_lags(event) if event.get("horizon") else event)
    return kept


def _without_lags(end: Event) -> Event:
    def short(seen: Any) -> Any:
        return {**seen, "curve": {"lags": [], "log10_gain": []}} if isinstance(seen, dict) else seen

    return {**end, "horizon": {name: short(seen) for name, seen in end["horizon"].items()}}


class Best:
    """The best trials so far, while trials end one after another.

    Args:
        most: how many, beside the best one of each cell.
    """

    def __init__(self, direction: str, most: int) -> None:
        self.direction, self.most = direction, most
        self.heap: list[tuple[float, ...]] = []  # the keys of the best ones; the worst of these comes first
        self.cells: dict[str, tuple[float, ...]] = {}  # the best key of each cell

    def add(self, one: Candidate) -> None:
        """Takes a trial that has completed."""
        key = self._key(one)
        (heapq.heappush if len(self.heap) < self.most else heapq.heappushpop)(self.heap, key)
        self.cells[one.cell] = max(key, self.cells.get(one.cell, key))

    def __contains__(self, one: Candidate) -> bool:
        """Whether a trial that was taken is still one of the best."""
        key = self._key(one)
        return key >= self.heap[0] or key == self.cells[one.cell]

    def _key(self, one: Candidate) -> tuple[float, ...]:
        """The higher, the better."""
        return tuple(-part for part in by_score(one, self.direction))


def first(candidates: Iterable[Candidate], direction: str, most: int) -> list[Candidate]:
    """The first ones of all completed trials, and the first one of each cell, in the order of `recurrent results`.

    Only trials that tie with the best score within its spread may stand elsewhere than in `Best`.
    """
    order = ranked(candidates, direction)
    of_cells = {one.cell: one for one in reversed(order)}
    return list(dict.fromkeys([*order[:most], *of_cells.values()]))
