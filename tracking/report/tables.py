"""The tables of a report, as texts."""

import statistics
from dataclasses import dataclass
from typing import Any

from tracking.expected import reached
from tracking.report.gather import Search, Trial
from tracking.standing import standing
from tracking.text import format_amount, format_count, format_duration, format_number, format_spread, metric_name
from tracking.verdict import verdict

MOST_ROWS = 25
MOST_FAILURES = 20
BRACKETS = "The score of a trial is that of its best epoch; a score in brackets is the last one of a pruned trial."


@dataclass(frozen=True)
class Table:
    """Rows of texts under headings. The first `words` columns are words, the others numbers."""

    headings: list[str]
    rows: list[list[str]]
    words: int = 1
    title: str = ""
    note: str = ""


def by_cell(search: Search) -> Table:
    """What became of the trials of each cell, and its best one."""
    trials = {trial["trial"]: trial for trial in search.trials}
    rows = []
    for one in search.found["cells"]:
        counts = [str(one[name]) for name in ("tried", "completed", "pruned", "failed")]
        rows.append([one["cell"], *_best(search, trials.get(one["best"])), format_number(one["median"]), *counts])
    headings = ["cell", "best model", "verdict", metric_name(search.found["metric"]), "± sd", "parameters"]
    headings += ["learning rate", "median", "tried", "completed", "pruned", "failed"]
    note = (
        "± sd is the spread over the executions of the best trial; empty means one execution. The median is that of the"
        f" completed trials. {BRACKETS}"
    )
    return Table(headings, rows, words=3, note=note)


def _best(search: Search, best: Trial | None) -> list[str]:
    """Model, verdict, score, spread, size and learning rate of the best trial of a cell."""
    if best is None:
        return ["-", "-", "-", "", "-", "-"]
    return [
        best["architecture"] or "-",
        worth(search, reached(best)),
        _score(best),
        format_spread(best["spread"]),
        format_count(best["parameters"]),
        format_number(best["values"].get("learning_rate")),
    ]


def _score(trial: Trial) -> str:
    number = format_number(reached(trial))
    return number if trial["score"] is not None else f"({number})"


def worth(search: Search, score: float | None) -> str:
    """The verdict on a score in words; "-" if there is nothing to compare it with."""
    found = search.found
    judged = verdict(score, found["direction"], found["floors"], found.get("solved"))
    return "-" if judged is None else str(judged)


def leaders(search: Search) -> Table:
    """The trials, best first. A pruned one stands where its last score puts it."""
    some = [trial for trial in standing(search.found) if reached(trial) is not None]
    headings = ["trial", "model", metric_name(search.found["metric"]), "± sd", "epochs", "parameters"]
    headings += ["operations per time step", "ms per training step", "learning rate", "time"]
    left = f"The first {MOST_ROWS} of {len(some)} trials." if len(some) > MOST_ROWS else f"All {len(some)} trials."
    rows = [_row(trial) for trial in some[:MOST_ROWS]]
    return Table(headings, rows, words=2, title="Trials, best first", note=f"{left} {BRACKETS}")


def _row(trial: Trial) -> list[str]:
    return [
        trial["trial"],
        trial["architecture"] or "-",
        _score(trial),
        format_spread(trial["spread"]),
        format_count(trial["epochs"]),
        format_count(trial["parameters"]),
        format_amount(trial["flops_per_token"]),
        format_amount(trial["ms_per_step"]),
        format_number(trial["values"].get("learning_rate")),
        "-" if trial["seconds"] is None else format_duration(trial["seconds"]),
    ]


def finals(search: Search) -> Table | None:
    """The candidates that were trained again; None without finals."""
    found = search.found.get("finals")
    if not found:
        return None
    lengths = list(dict.fromkeys(length for one in found["candidates"] for length in one["longer"]))
    headings = ["trial", "model", "test mean", "sd", "95 % interval", "worst seed", "seeds", "solved", "in the search"]
    headings += [f"{length} × as long" for length in lengths]
    rows = [[*_finalist(one), *(_mean(one["longer"].get(length)) for length in lengths)] for one in found["candidates"]]
    return Table(headings, rows, words=2)


def _finalist(one: dict[str, Any]) -> list[str]:
    return [
        one["trial"],
        one["architecture"],
        format_number(one["mean"]),
        format_spread(one["sd"]),
        "-" if one["low"] is None else f"{format_number(one['low'])} to {format_number(one['high'])}",
        format_number(one["worst"]),
        f"{len(one['test'])}{', ' + str(one['failed']) + ' failed' if one['failed'] else ''}",
        "-" if one["solved"] is None else f"{one['solved']:.0%}",
        format_number(one["search_score"]),
    ]


def trained(search: Search) -> Table | None:
    """The trials that were trained further; None if there are none."""
    found, scores = search.found.get("trained"), {trial["trial"]: trial["score"] for trial in search.trials}
    if not found:
        return None
    rows = [
        [one["training"], one["architecture"], one["trial"], str(one["epochs"]), one["start"]]
        + [f"{len(one['seeds'])} of {one['planned']}", _middle(one, "validation"), _middle(one, "test")]
        + [format_number(scores.get(one["trial"]))]
        for one in found
    ]
    headings = ["training", "model", "trial", "epochs", "from", "seeds", "validation", "test", "in the search"]
    return Table(headings, rows, words=2, title="Trained further", note="The scores are those of the middle seed.")


def _middle(one: dict[str, Any], split: str) -> str:
    return format_number(one[split][one["run_ids"].index(one["run"])] if one["run"] else None)


def _mean(scores: list[float] | None) -> str:
    return format_number(statistics.fmean(scores)) if scores else "-"


def failures(search: Search) -> Table | None:
    """The failed trials with the reason; None if there are none."""
    failed = [trial for trial in search.trials if trial["outcome"] == "failed"]
    if not failed:
        return None
    rows = [[trial["trial"], trial["architecture"] or "-", trial["reason"] or "-"] for trial in failed[:MOST_FAILURES]]
    left = len(failed) - len(rows)
    note = f"{left} more are left out; `recurrent results {search.name} --json` has them all." if left else ""
    return Table(["trial", "model", "reason"], rows, words=3, note=note)
