"""Tables for people: what a search found, how far back its models see, how fast kernels are."""

import re
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from experiments.cli.columns import HEADINGS, row
from experiments.cli.conclusion import style, verdicts
from experiments.system.console import say
from tracking.ranking import NONE
from tracking.standing import OUTCOMES, ranked, standing
from tracking.text import format_amount, format_count, format_half_life, format_number, marks_line, metric_name

LIMIT = 12  # the most rows of the leaderboard, and the most failed trials that are named
NARROW = ("architecture", "score", "± sd", "parameters", "learning rate", "epochs", "time", "trial")
NARROWEST = 75  # a terminal with fewer columns has no room for all that a row needs
WIDE = 100  # a terminal with this many columns has room for more columns
LAST = "*"  # marks the last score of a trial that has not completed
STYLES = {"failed": "red"}  # of scores, by outcome; that of a completed trial follows its verdict, any other is dim


def leaderboard(
    console: Console, found: dict[str, Any], trials: Sequence[dict[str, Any]] | None = None, every: bool = False
) -> None:
    """Prints what each cell has come to, then the trials, then what is to be said of them.

    Args:
        found: as `results` returns it.
        trials: in the order in which they are shown; None for the best first.
        every: show all of them.
    """
    about = f": {found['task']}, {found['metric']} ({found['direction']} is better)"
    say(console, Text.assemble("\n", (found["search"], "bold"), about))
    say(console, f"floors: {marks_line(found['floors'], found.get('solved'), found['direction'])}")
    if found["status"] == "FAILED":
        why = f": {found['stopped']}" if found["stopped"] else ""
        say(console, Text(f"the search has failed{why}", "red"))
    if not found["tied"]:
        console.print("no trial has completed")
    order = standing(found) if trials is None else list(trials)
    if not order:
        return
    show(console, _cell_table(console, found))
    count = len(order)
    some = f"{'Best' if trials is None else 'First'} {LIMIT} of {count} trials"
    title = "All trials" if every or count <= LIMIT else some
    show(console, _trial_table(console, title, order if every else _some(order, found), found["metric"]))
    show(console, verdicts(ranked(found)))
    for line in _notes(found):
        say(console, line)


def _some(order: list[dict[str, Any]], found: dict[str, Any]) -> list[dict[str, Any]]:
    """The first trials, and the best one of each cell."""
    best = {cell["best"] for cell in found["cells"]}
    return [trial for place, trial in enumerate(order) if place < LIMIT or trial["trial"] in best]


def _notes(found: dict[str, Any]) -> list[str | Text]:
    """Lines about ties, the preferred trial, and those that were pruned or have failed."""
    lines: list[str | Text] = []
    if len(found["tied"]) > 1:
        lines.append(f"{len(found['tied'])} trials tie with the best score; the smallest one comes first")
    if found["prefer"] != NONE and found["preferred"]:
        first = next(trial for trial in found["trials"] if trial["trial"] == found["preferred"])
        costs = f"{format_count(first['parameters'])} parameters, {format_amount(first['ms_per_step'])} ms/step"
        score = f"{metric_name(found['metric'])} {format_number(first['score'])}"
        name = f"trial {first['trial']} {first['architecture']}"
        lines.append(f"--prefer {found['prefer']} takes {name}: {score}, {costs}")
    trials = {trial["trial"]: trial for trial in found["trials"]}
    best = [trials[cell["best"]] for cell in found["cells"] if cell["best"]]
    starred = f" ({LAST} in the upper table)" if any(trial["score"] is None for trial in best) else ""
    pruned = sum(trial["outcome"] == "pruned" for trial in found["trials"])
    if pruned:
        text = f"{pruned} of {len(found['trials'])} trials were pruned: not worth further epochs"
        lines.append(f"{text}; the score is the last one{starred}")
    failed = [trial for trial in found["trials"] if trial["outcome"] == "failed"]
    for trial in failed[:LIMIT]:
        lines.append(Text(f"trial {trial['trial']} {trial['architecture']} failed: {trial['reason']}", "red"))
    if len(failed) > LIMIT:
        call = f"`recurrent results {found['search']} --all --sort outcome`"
        lines.append(Text(f"{len(failed) - LIMIT} more failed; {call} lists them", "red"))
    return lines


def show(console: Console, table: Table) -> None:
    """Prints a table without blanks at the ends of its lines.

    In a narrow terminal the table keeps the columns that it needs, and the terminal wraps its lines. Rich would cut the
    numbers, and leave the architecture out.
    """
    width = console.width
    if width < NARROWEST:
        needed = Measurement.get(console, console.options.update(max_width=WIDE), table).maximum
        console.width = max(width, needed)
    with console.capture() as drawn:
        console.print(table)
    console.width = width
    if lines := drawn.get().splitlines():
        console.out("\n".join(line.rstrip() for line in lines), highlight=False)


def _cell_table(console: Console, found: dict[str, Any]) -> Table:
    """For each cell its best candidate, and what became of its trials. LAST marks a score that is only a last one."""
    table, wide = _new_table("Best by cell", found["metric"], "best of cell"), console.width >= WIDE
    trials = {trial["trial"]: trial for trial in found["trials"]}
    best = [trials.get(cell["best"]) for cell in found["cells"]]
    spread = wide and any(trial and trial["spread"] is not None for trial in best)
    more = ["parameters", "learning rate"] * wide + ["trial"]
    for heading in ["± sd"] * spread + ["median", "tried", *OUTCOMES, *more]:
        table.add_column(heading, justify="right", no_wrap=True)
    room = console.width - 61 - 9 * spread - 27 * wide
    for cell, trial in zip(found["cells"], best, strict=True):
        texts, score = row(trial) if trial else {}, _score(trial)
        score.append(f" {LAST}" if trial and trial["score"] is None else "")
        shown = [texts.get("± sd", "")] * spread + [format_number(cell["median"])]
        shown += [str(cell[key]) for key in ("tried", *OUTCOMES)] + [texts.get(heading, "-") for heading in more]
        table.add_row(in_lines(texts.get("architecture", cell["cell"]), room), score, *shown)
    return table


def _trial_table(console: Console, title: str, trials: list[dict[str, Any]], metric: str) -> Table:
    """The trials, one in a line. A narrow terminal has the time only if no name is cut for it."""
    table, rows, wide = _new_table(title, metric), [row(trial) for trial in trials], console.width >= WIDE
    spread = any(one["± sd"] for one in rows)
    names = [name for name in (HEADINGS if wide else NARROW)[2:] if name != "± sd" or spread]
    parts = ["architecture", *(part for one in rows for part in re.split("[+ ]", one["architecture"]))]
    if not wide and _room(console, names, rows, metric) < max(map(len, parts)):
        names.remove("time")
    for heading in names:
        table.add_column(heading, justify="right", no_wrap=True)
    room = _room(console, names, rows, metric)
    for trial, texts in zip(trials, rows, strict=True):
        table.add_row(in_lines(texts["architecture"], room), _score(trial), *(texts[heading] for heading in names))
    return table


def _room(console: Console, names: list[str], rows: list[dict[str, str]], metric: str) -> int:
    """Characters that are left for the name of an architecture."""
    widths = [max(len(heading), *(len(one[heading]) for one in rows)) for heading in names]
    scores = max(len(metric_name(metric)), *(len(one["score"]) for one in rows))
    return console.width - sum(widths) - 2 * len(widths) - scores - 4


def _new_table(title: str, metric: str, first: str = "architecture") -> Table:
    table = Table(
        title=title, title_justify="left", title_style="bold", header_style="dim", box=None, padding=(0, 2, 0, 0)
    )
    table.add_column(first, overflow="fold")  # in a narrow terminal only this column is wrapped
    table.add_column(metric_name(metric), justify="right", no_wrap=True)
    return table


def _score(trial: dict[str, Any] | None) -> Text:
    """The score of a trial; dim if it is only its last one."""
    if trial is None:
        return Text("-", "dim")
    colour = style(trial.get("verdict")) if trial["outcome"] == "completed" else STYLES.get(trial["outcome"], "dim")
    return Text(format_number(trial["reached"]), colour)


def in_lines(architecture: str, columns: int) -> str:
    """A long name in several lines, each of whole layers, for example "lstm-32+" and "gru-16"."""
    lines = [""]
    for layer in architecture.replace("+", "+\n").split("\n"):
        if lines[-1] and len(lines[-1] + layer) > columns:
            lines.append("")
        lines[-1] += layer
    return "\n".join(lines)


def horizon_table(trials: list[dict[str, Any]]) -> Table:
    """How far back the model of each trial sees, before and after training."""

    table = Table(header_style="dim", box=None, padding=(0, 2, 0, 0))
    table.add_column("architecture", overflow="fold")
    for heading in ("trial", "", "half-life", "over all", "left after 50", "1% at lag"):
        table.add_column(heading, justify="right", no_wrap=True)
    for trial in trials:
        for moment, moment_name in (("init_", "init"), ("", "trained")):
            shown = [format_half_life(trial["horizon"], moment, over) for over in ("_50", "")]
            shown += [f"{trial['horizon'][f'{moment}{key}']:.3g}" for key in ("g50_g0", "tau_1pct")]
            name = (trial["architecture"], trial["trial"]) if moment else ("", "")
            table.add_row(*name, moment_name, *shown)
    return table


def kernel_table(found: list[dict[str, Any]]) -> Table:
    """How fast each kernel is, 80 columns wide."""
    made = Table(box=None, header_style="dim", padding=(0, 1, 0, 0))
    for heading in ("cell", "length", "width", "kernel", "ms per\nstep", "of\nloop", "gain"):
        made.add_column(heading, justify="left" if heading in ("cell", "kernel") else "right", no_wrap=True)
    for heading in ("compile\ns", "of\nloop", "pays\nat step", "taken\nat step"):
        made.add_column(heading, justify="right", no_wrap=True)
    for line in found:
        made.add_row(
            line["cell"],
            str(line["length"]),
            str(line["width"]),
            line["kernel"],
            f"{line['kernel_ms']:.2f}",
            f"{line['loop_ms']:.2f}",
            f"{line['loop_ms'] / line['kernel_ms']:.2f}x",
            f"{line['kernel_compile_s']:.1f}",
            f"{line['loop_compile_s']:.1f}",
            "never" if line["pays"] is None else str(line["pays"]),
            str(line["chosen"]),
        )
    return made
