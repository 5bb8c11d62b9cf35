"""The order of a search's trials, and what has become of each cell, from what `results` says of the trials."""

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from tracking import ranking
from tracking.ranking import Candidate, preference, preferred

OUTCOMES = ("completed", "pruned", "failed")


def candidates(trials: Iterable[dict[str, Any]]) -> list[Candidate]:
    """What the trials with a score are ordered by."""
    return [
        Candidate(
            int(trial["trial"]),
            trial["score"],
            trial["spread"],
            trial["parameters"],
            trial["ms_per_step"],
            str(trial["values"].get("cell", "")),
        )
        for trial in trials
        if trial["score"] is not None
    ]


def conclusions(found: dict[str, Any], cells: Sequence[str]) -> dict[str, Any]:
    """What follows from the trials: their order, which of them tie, which one is to be taken, what each cell came to.

    Args:
        found: what `results` has of the search so far.
        cells: that the search was asked for. Those that were tried are found in the trials.

    Raises BadInput for a preference that is none.
    """
    known, direction = candidates(found["trials"]), found["direction"]
    first = preferred(known, direction, preference(found["prefer"]), found["floors"])
    return {
        "ranking": [trial["trial"] for trial in ranked(found)],
        "tied": [f"{one.number:04d}" for one in ranking.tied(known, direction)],
        "preferred": None if first is None else f"{first.number:04d}",
        "cells": by_cell(found, cells),
    }


def ranked(found: dict[str, Any]) -> list[dict[str, Any]]:
    """The trials with a score, best first."""
    numbered = {int(trial["trial"]): trial for trial in found["trials"]}
    return [numbered[one.number] for one in ranking.ranked(candidates(found["trials"]), found["direction"])]


def standing(found: dict[str, Any]) -> list[dict[str, Any]]:
    """All trials, best first. One without a score stands where its last score puts it; those without any come last.

    Trials that tie with the best score stand together, in the order of `ranked`.
    """
    sign = 1 if found["direction"] == "min" else -1
    places = {trial["trial"]: place for place, trial in enumerate(ranked(found))}
    tied = ranking.tied(candidates(found["trials"]), found["direction"])
    least = min((sign * one.score for one in tied), default=0.0)
    losses = {one.number: least for one in tied}

    def key(trial: dict[str, Any]) -> tuple[bool, float, float, int]:
        number, place = int(trial["trial"]), places.get(trial["trial"], math.inf)
        loss = math.inf if trial["reached"] is None else losses.get(number, sign * trial["reached"])
        return trial["reached"] is None, loss, place, number

    return sorted(found["trials"], key=key)


def by_cell(found: dict[str, Any], cells: Sequence[str]) -> list[dict[str, Any]]:
    """For each cell how many trials it had, its best trial, and the median of its scores. The best cell comes first.

    The best trial of a cell without a completed one is that with the best last score.

    Args:
        cells: as in `conclusions`.
    """
    order = standing(found)
    names = [trial["values"].get("cell") for trial in (*ranked(found), *order)]
    return [_cell(name, found, order) for name in dict.fromkeys([*filter(None, names), *cells])]


def _cell(name: str, found: dict[str, Any], order: list[dict[str, Any]]) -> dict[str, Any]:
    own = [trial for trial in order if trial["values"].get("cell") == name]
    scores = [trial["score"] for trial in own if trial["score"] is not None]
    scored = ranked({**found, "trials": own}) or [trial for trial in own if trial["reached"] is not None]
    return {
        "cell": name,
        "tried": len(own),
        **{outcome: sum(trial["outcome"] == outcome for trial in own) for outcome in OUTCOMES},
        "best": scored[0]["trial"] if scored else None,
        "median": statistics.median(scores) if scores else None,
    }
