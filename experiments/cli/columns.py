"""The columns of a search's trials, and the trials as CSV, Markdown and LaTeX."""

import csv
import io
from collections.abc import Callable, Sequence
from typing import Any

from tracking.errors import BadInput
from tracking.text import (
    did_you_mean,
    format_amount,
    format_count,
    format_duration,
    format_number,
    format_spread,
    metric_name,
)

Trial = dict[str, Any]
FIRST = ("trial", "outcome", "architecture", "score", "spread", "reached", "epochs", "parameters")
COSTS = ("flops_per_token", "flops_per_step", "ms_per_step", "seconds")
LAST = ("test_score", "kernel", "reason")
SCORES = ("score", "reached", "test_score")  # the best one comes first; of other columns the smallest one
HEADINGS = (  # of a table for people
    *("architecture", "score", "± sd", "parameters", "flops/token", "ms/step"),
    *("learning rate", "epochs", "time", "trial"),
)
LATEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"} | {
    letter: f"\\{letter}" for letter in "&%$#_{}"
}


def columns(found: dict[str, Any]) -> list[str]:
    """The names of all columns: facts of a trial, and its values."""
    values = dict.fromkeys(name for trial in found["trials"] for name in trial["values"])
    return [*FIRST, *values, *COSTS, *LAST]


def value(trial: Trial, column: str) -> Any:
    """What a trial has in a column; None for nothing."""
    return trial[column] if column in (*FIRST, *COSTS, *LAST) else trial["values"].get(column)


def sorted_by(found: dict[str, Any], trials: Sequence[Trial], column: str) -> list[Trial]:
    """The trials in the order of a column; those that have nothing in it come last. Raises BadInput."""
    known = columns(found)
    if column not in known:
        raise BadInput(f"--sort: expected one of {', '.join(known)}, got {column!r}{did_you_mean(column, known)}")
    sign = -1 if column in SCORES and found["direction"] == "max" else 1

    def key(trial: Trial) -> tuple[int, float, str]:
        here = value(trial, column)
        if isinstance(here, int | float):
            return 0, sign * here, ""
        return (2, 0.0, "") if here is None else (1, 0.0, str(here))

    return sorted(trials, key=key)


def row(trial: Trial) -> dict[str, str]:
    """A trial as texts for people, by their headings; the score's heading is "score"."""
    return {
        "architecture": trial["architecture"] or "-",
        "score": format_number(trial["reached"]),
        "± sd": format_spread(trial["spread"]),
        "parameters": format_count(trial["parameters"]),
        "flops/token": format_amount(trial["flops_per_token"]),
        "ms/step": format_amount(trial["ms_per_step"]),
        "learning rate": format_number(trial["values"].get("learning_rate")),
        "epochs": _epochs(trial),
        "time": "-" if trial["seconds"] is None else format_duration(trial["seconds"]),
        "trial": trial["trial"],
    }


def _epochs(trial: Trial) -> str:
    """How many epochs a trial had; with a word for one that has not completed."""
    count = "-" if trial["epochs"] is None else str(trial["epochs"])
    return count if trial["outcome"] == "completed" else f"{count} {trial['outcome'] or 'running'}"


def as_csv(found: dict[str, Any], trials: Sequence[Trial]) -> str:
    """Every column, with all digits. A missing value is empty."""
    names, text = columns(found), io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([value(trial, name) for name in names] for trial in trials)
    return text.getvalue().rstrip("\n")


def as_markdown(found: dict[str, Any], trials: Sequence[Trial]) -> str:
    """The columns of the screen as a table of Markdown."""
    headings, rows = _texts(found, trials, lambda text: text.replace("|", r"\|"))
    rule = ["---", *["---:"] * (len(headings) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (headings, rule, *rows))


def as_latex(found: dict[str, Any], trials: Sequence[Trial]) -> str:
    """The columns of the screen as a `tabular` of LaTeX, which needs no package."""
    headings, rows = _texts(found, trials, lambda text: "".join(LATEX.get(letter, letter) for letter in text))
    kinds = "l" + "r" * (len(headings) - 1)
    lines = [f"{' & '.join(line)} \\\\" for line in (headings, *rows)]
    text = "\n".join([rf"\begin{{tabular}}{{{kinds}}}", r"\hline", lines[0], r"\hline", *lines[1:], r"\hline"])
    return text.replace("±", r"$\pm$") + "\n" + r"\end{tabular}"


def _texts(
    found: dict[str, Any], trials: Sequence[Trial], escaped: Callable[[str], str]
) -> tuple[list[str], list[list[str]]]:
    """(headings, rows) of the columns of the screen, without a spread where no trial has one."""
    rows = [row(trial) for trial in trials]
    names = [name for name in HEADINGS if name != "± sd" or any(one[name] for one in rows)]
    headings = [metric_name(found["metric"]) if name == "score" else name for name in names]
    return [escaped(heading) for heading in headings], [[escaped(one[name]) for name in names] for one in rows]
