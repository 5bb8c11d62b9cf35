"""The answer of a search in three sentences: which model is best, what a smaller one costs, what is left open.

Best is gru-64x2 (gru, depth 2, width 64): MSE 0.0001331, solved, at learning rate 0.003635; best of the other
cells: lstm-64 (0.02375 at learning rate 0.0003704).
gru-32x2 has 26 % of the parameters (9,825 instead of 38,081) and costs 9.4e-05 MSE (0.0002271).
This leaves open: no spread of seeds is known (one seed for each candidate), so the difference between cells may be
chance.
"""

import math
from collections import Counter
from typing import Any

from tracking.caveats import Trial, best_by_cell, cell_of, clauses, listed, winner
from tracking.ranking import NONE
from tracking.standing import ranked
from tracking.text import format_count, format_number, format_spread, metric_name
from tracking.verdict import Verdict, verdict

ENDS = {"RUNNING": "the search is still running", "KILLED": "the search was stopped before its end"}
MOST = 3  # other cells that are named; a mixed search may have dozens of combinations
SHOWN = ("dropout", "clip", "optimizer")  # values that no name of an architecture has, besides the learning rate


def answer(found: dict[str, Any]) -> list[str]:
    """The sentences. A search without a completed trial has one, one whose models have learnt nothing has two.

    Args:
        found: what `results` returns. Finals are used if they have ended.
    """
    best = winner(found)
    if best is None:
        return [_nothing(found)]
    judged = _verdict(found, best)
    if judged and judged.kind == "none":
        return [_not_learnt(found, best, judged.floor), _open(found)]
    return [_best(found, best, judged), _cheaper(found, best), _open(found)]


def _verdict(found: dict[str, Any], best: Trial) -> Verdict | None:
    finalist = _finalist(found, best)
    score = finalist["mean"] if finalist else best["score"]
    return verdict(score, found["direction"], found["floors"], found.get("solved"))


def _finalist(found: dict[str, Any], trial: Trial) -> dict[str, Any] | None:
    """What the finals say of a trial; None if they have not ended, or do not have it or no test score of it."""
    finals = found.get("finals")
    if not finals or not finals["complete"]:
        return None
    own = [one for one in finals["candidates"] if one["trial"] == trial["trial"] and one["mean"] is not None]
    return own[0] if own else None


def _nothing(found: dict[str, Any]) -> str:
    """The sentence for a search in which no trial has completed."""
    counts = Counter(trial["outcome"] or "running" for trial in found["trials"])
    if not counts:
        return "There is no answer yet: no candidate has begun."
    words = {"pruned": "pruned", "failed": "failed", "interrupted": "interrupted", "running": "still running"}
    shown = [f"{counts[outcome]} {word}" for outcome, word in words.items() if counts[outcome]]
    total = sum(counts.values())
    return f"There is no answer yet: no candidate has completed ({listed(shown)} of {total})."


def _best(found: dict[str, Any], best: Trial, judged: Verdict | None) -> str:
    text = f"{_lead(found, best)}: {_measured(found, best)}{_worth(found, best, judged)}{_at(found, best)}"
    cells = [trial for cell, trial in best_by_cell(found).items() if cell != cell_of(best)]
    others = [f"{trial['architecture']} ({_score(found, trial)}{_at(found, trial, ' ')})" for trial in cells[:MOST]]
    return f"{text}; best of the other cells: {listed(others)}." if others else f"{text}."


def _not_learnt(found: dict[str, Any], best: Trial, floor: str) -> str:
    named = f"{floor.replace('_', ' ')} ({format_number(found['floors'][floor])})"
    measured = f"{best['architecture']}, has {_measured(found, best)}{_at(found, best)}"
    return f"No candidate is clearly better than {named}: the best, {measured}."


def _lead(found: dict[str, Any], best: Trial) -> str:
    """Says that a trial is the best, or how it was chosen among those that are as good."""
    name = f"{best['architecture']}{_sizes(best)}"
    if _finalist(found, best):
        return f"Best in the finals is {name}"
    first, tied = ranked(found)[0], found["tied"]
    if found["prefer"] != NONE and best is not first:
        score = f"{first['architecture']} has the best score, {format_number(first['score'])}"
        return f"{score}; --prefer {found['prefer']} takes {name}"
    if len(tied) > 1:
        return f"Best is {name}, the smallest of {len(tied)} that are equally good"
    return f"Best is {name}"


def _sizes(trial: Trial) -> str:
    """Cell, depth and width in words, if all layers are the same."""
    values = trial["values"]
    depth, start = values.get("depth", 0), f"{values.get('cell')}-{values.get('width')}"
    same = trial["architecture"].split(" ")[0] == (start if depth == 1 else f"{start}x{depth}")
    return f" ({values['cell']}, depth {depth}, width {values['width']})" if same else ""


def _measured(found: dict[str, Any], trial: Trial) -> str:
    name, finalist = metric_name(found["metric"]), _finalist(found, trial)
    if finalist is None:
        over = f" over {len(trial['executions'])} seeds"
        spread = "" if trial["spread"] is None else f" ± {format_spread(trial['spread'])}{over}"
        return f"{name} {format_number(trial['score'])}{spread}"
    count, failed = len(finalist["test"]), finalist["failed"]
    over = f"over {count} fresh seed{'s' * (count > 1)}{f' ({failed} more failed)' if failed else ''}"
    mean = f"test {name} {format_number(finalist['mean'])}"
    if finalist["low"] is None:  # one seed has no interval
        return f"{mean} {over}"
    return f"{mean}, 95 % interval {' to '.join(format_number(finalist[end]) for end in ('low', 'high'))} {over}"


def _score(found: dict[str, Any], trial: Trial) -> str:
    """The number of one of the other cells: in the finals their mean."""
    finalist = _finalist(found, trial)
    if finalist:
        return f"test {format_number(finalist['mean'])}"
    return format_number(trial["score"])


def _worth(found: dict[str, Any], trial: Trial, judged: Verdict | None) -> str:
    """The verdict with the score that it compares with, and how many seeds of the finals have solved the task."""
    if judged is None:
        return ""
    solved, finalist = judged.kind == "solved", _finalist(found, trial)
    mark = f"{format_number(found['solved'])} or better" if solved else format_number(found["floors"][judged.floor])
    if finalist is None or finalist["solved"] is None:
        return f", {judged} ({mark})"
    count = len(finalist["test"]) + finalist["failed"]
    return f", {judged} ({mark}){'' if solved else ', solved'} by {round(finalist['solved'] * count)} of {count}"


def _at(found: dict[str, Any], trial: Trial, before: str = ", ") -> str:
    """The values at which a trial has its score: the learning rate, and what else was varied."""
    values = trial["values"]
    varied = [name for name in SHOWN if len({str(one["values"].get(name)) for one in found["trials"]}) > 1]
    names = [name for name in ("learning_rate", *varied) if values.get(name) is not None]
    texts = [f"{name.replace('_', ' ')} {_plain(values[name])}" for name in names]
    return f"{before}at {', '.join(texts)}" if texts else ""


def _plain(value: Any) -> str:
    return format_number(value) if isinstance(value, int | float) else str(value)


def _cheaper(found: dict[str, Any], best: Trial) -> str:
    """What the best candidate of at most half as many parameters costs; if there is none, the best of the smaller.

    A pruned one counts with its last score: it may be far better than all that were trained to the end.
    """
    size, sign = best["parameters"] or 0, 1 if found["direction"] == "min" else -1
    continued = {trial.get("continues") for trial in found["trials"] if _has_score(trial)}
    scored = [trial for trial in found["trials"] if _has_score(trial) and trial["trial"] not in continued]
    smaller = [trial for trial in scored if trial["parameters"] and trial["parameters"] < size]
    smaller.sort(key=lambda trial: (sign * trial["reached"], trial["parameters"]))
    if not smaller:
        return "No smaller candidate has completed."
    other = next((trial for trial in smaller if trial["parameters"] <= size / 2), smaller[0])
    share = max(1, round(100 * other["parameters"] / size))
    counts = f"{format_count(other['parameters'])} instead of {format_count(size)}"
    worse, name = sign * (other["reached"] - best["score"]), metric_name(found["metric"])
    gone = other["outcome"] == "pruned"
    price = f"costs {format_number(worse, 2)} {name}" if worse > 0 else "is better so far" if gone else "costs nothing"
    where = " of the search" if _finalist(found, best) else ""
    text = f"{other['architecture']} has {share} % of the parameters ({counts}) and {price}{where}"
    epochs = other["epochs"] if gone else None  # a record of an early version may lack them
    after = f" after {epochs} epoch{'s' * (epochs != 1)}" if epochs else ""
    pruned = f", pruned{after}" if gone else ""
    return f"{text} ({format_number(other['reached'])}{_at(found, other, ' ')}{pruned})."


def _has_score(trial: Trial) -> bool:
    """True if the trial has ended with a finite score; that of a pruned trial is its last one."""
    scored = trial["outcome"] in ("completed", "pruned")
    return scored and trial["reached"] is not None and math.isfinite(trial["reached"])


def _open(found: dict[str, Any]) -> str:
    """What the search cannot say."""
    clauses_ = [ENDS[found["status"]]] if found["status"] in ENDS else []
    clauses_ += ["no other candidate has completed"] if len(ranked(found)) == 1 else []
    clauses_ += clauses(found)
    finals = found.get("finals")
    if not finals or not finals["complete"]:
        clauses_.append("all scores are of the validation split, by which the best was chosen")
    if not clauses_:
        return "This holds for these ranges and this budget of training."
    return f"This leaves open: {'; '.join(clauses_)}."
