"""The tables of a report, as texts."""

import statistics
from collections import Counter
from dataclasses import dataclass
from typing import Any

from tracking.expected import reached
from tracking.report.gather import Search, Trial, cell_of
from tracking.text import format_amount, format_count, format_duration, format_number, format_spread, metric_name
from tracking.verdict import verdict

MOST_ROWS = 25
MOST_FAILURES = 20


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
    rows = []
    first = {cell_of(trial): trial for trial in reversed(search.ranked)}
    order = sorted(
        search.cells, key=lambda cell: search.ranked.index(first[cell]) if cell in first else len(search.ranked)
    )
    for cell in order:
        own = [trial for trial in search.trials if cell_of(trial) == cell]
        rows.append([cell, *_judged(search, first.get(cell), own), *_counts(search, own)])
    headings = ["cell", "best model", "verdict", metric_name(search.found["metric"]), "± sd", "median"]
    headings += ["parameters", "learning rate", "tried", "completed", "pruned", "failed"]
    note = (
        "± sd is the spread over the executions of the best trial; empty means one execution. The median is that of all"
        " completed and pruned trials. A score in brackets is the last one of a pruned trial."
    )
    return Table(headings, rows, words=3, note=note)


def _judged(search: Search, best: Trial | None, own: list[Trial]) -> list[str]:
    """Model, verdict, score, spread, median, size and learning rate of a cell."""
    scores = [score for trial in own if (score := reached(trial)) is not None]
    pick = min if search.minimum else max
    shown = best or pick((trial for trial in own if reached(trial) is not None), key=reached, default=None)
    median = format_number(statistics.median(scores)) if scores else "-"
    if shown is None:
        return ["-", "-", "-", "", median, "-", "-"]
    number = format_number(reached(shown))
    return [
        shown["architecture"],
        worth(search, reached(shown)),
        number if best else f"({number})",
        format_spread(shown["spread"]),
        median,
        format_count(shown["parameters"]),
        format_number(shown["values"].get("learning_rate")),
    ]


def _counts(search: Search, own: list[Trial]) -> list[str]:
    counts = Counter(trial["outcome"] for trial in own)
    return [str(len(own)), *(str(counts[outcome]) for outcome in ("completed", "pruned", "failed"))]


def worth(search: Search, score: float | None) -> str:
    """The verdict on a score in words; "-" if there is nothing to compare it with."""
    found = search.found
    judged = verdict(score, found["direction"], found["floors"], found.get("solved"))
    return "-" if judged is None else str(judged)


def floors(search: Search) -> Table:
    """What models with less memory score, the weakest first."""
    named = sorted(search.found["floors"].items(), key=lambda one: one[1], reverse=search.minimum)
    rows = [[name.replace("_", " "), format_number(value)] for name, value in named]
    solved = search.found.get("solved")
    rows += [] if solved is None else [["solved", format_number(solved)]]
    return Table(["floor: a model with less memory", metric_name(search.found["metric"])], rows)


def leaders(search: Search) -> Table:
    """The best trials, and the pruned ones by their last score at the end."""
    pruned = [trial for trial in search.reached if trial["score"] is None]
    sign = 1 if search.minimum else -1
    some = [*search.ranked, *sorted(pruned, key=lambda trial: sign * (reached(trial) or 0.0))]
    headings = ["trial", "model", metric_name(search.found["metric"]), "± sd", "parameters", "operations per step"]
    headings += ["ms/step", "learning rate", "time"]
    rows = [_row(trial) for trial in some[:MOST_ROWS]]
    left = f"The first {MOST_ROWS} of {len(some)} trials." if len(some) > MOST_ROWS else f"All {len(some)} trials."
    note = f"{left} A score in brackets is the last one of a pruned trial; these stand after the completed ones."
    return Table(headings, rows, words=2, title="Trials, best first", note=note)


def _row(trial: Trial) -> list[str]:
    number = format_number(reached(trial))
    return [
        trial["trial"],
        trial["architecture"] or "-",
        number if trial["score"] is not None else f"({number})",
        format_spread(trial["spread"]),
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
        f"{format_number(one['low'])} to {format_number(one['high'])}",
        format_number(one["worst"]),
        str(len(one["test"])),
        "-" if one["solved"] is None else f"{one['solved']:.0%}",
        format_number(one["search_score"]),
    ]


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
