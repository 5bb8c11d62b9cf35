"""Tables for people: what a search found, how far back its models see, how fast kernels are."""

from typing import Any

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from experiments.system.console import say
from tracking.text import (
    floors_line,
    format_amount,
    format_count,
    format_duration,
    format_number,
    format_spread,
    metric_name,
)

LIMIT = 12  # the most rows of the leaderboard
NARROWEST = 75  # a terminal with fewer columns has no room for all that a row needs
WIDE = 100  # a terminal with this many columns has room for the costs of a candidate
NARROW_COLUMNS, COLUMNS = 60, 81  # characters that all columns but the first take, without and with the costs


def leaderboard(console: Console, found: dict[str, Any], ranked: list[dict[str, Any]]) -> None:
    """Prints the best trial of each cell, then the best of all trials, then which trials were pruned or failed."""
    about = f": {found['task']}, {found['metric']} ({found['direction']} is better)"
    say(console, Text.assemble("\n", (found["search"], "bold"), about))
    say(console, f"floors: {floors_line(found['floors'])}")
    if found["status"] == "FAILED":
        why = f": {found['stopped']}" if found["stopped"] else ""
        say(console, Text(f"the search has failed{why}", "red"))
    if not ranked:
        console.print("no trial has completed")
        return
    by_cell: dict[str, dict[str, Any]] = {}
    for trial in ranked:
        by_cell.setdefault(trial["values"]["cell"], trial)
    show(console, _table(console, "Best by cell", list(by_cell.values()), found["metric"]))
    title = "All trials" if len(ranked) <= LIMIT else f"Best {LIMIT} of {len(ranked)} trials"
    show(console, _table(console, title, ranked[:LIMIT], found["metric"]))
    pruned = sum(trial["outcome"] == "pruned" for trial in found["trials"])
    if pruned:
        say(console, f"{pruned} of {len(found['trials'])} trials were pruned: not worth further epochs")
    failed = [trial for trial in found["trials"] if trial["outcome"] == "failed"]
    for trial in failed:
        text = f"trial {trial['trial']} {trial['architecture']} failed: {trial['reason']}"
        say(console, Text(text, "red"))


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
    console.out("\n".join(line.rstrip() for line in drawn.get().splitlines()), highlight=False)


def _table(console: Console, title: str, trials: list[dict[str, Any]], metric: str) -> Table:
    wide = console.width >= WIDE
    table = Table(
        title=title, title_justify="left", title_style="bold", header_style="dim", box=None, padding=(0, 2, 0, 0)
    )
    table.add_column("architecture", overflow="fold")  # in a narrow terminal only this column is wrapped
    table.add_column(metric_name(metric), justify="right", style="green", no_wrap=True)
    rows = [_row(trial, wide) for trial in trials]
    shown = [name for name in rows[0] if name != "± sd" or any(row[name] for row in rows)]
    for heading in shown:
        table.add_column(heading, justify="right", no_wrap=True)
    for trial, row in zip(trials, rows, strict=True):
        name = in_lines(trial["architecture"], console.width - (COLUMNS if wide else NARROW_COLUMNS))
        table.add_row(name, format_number(trial["score"]), *(row[heading] for heading in shown))
    return table


def in_lines(architecture: str, columns: int) -> str:
    """A long name in several lines, each of whole layers, for example "lstm-32+" and "gru-16"."""
    lines = [""]
    for layer in architecture.replace("+", "+\n").split("\n"):
        if lines[-1] and len(lines[-1] + layer) > columns:
            lines.append("")
        lines[-1] += layer
    return "\n".join(lines)


def _row(trial: dict[str, Any], wide: bool) -> dict[str, str]:
    """The texts of a row of the leaderboard by their headings, without architecture and score."""
    costs = {"flops/token": format_amount(trial["flops_per_token"]), "ms/step": format_amount(trial["ms_per_step"])}
    return {
        "± sd": format_spread(trial["spread"]),
        "parameters": format_count(trial["parameters"]),
        **(costs if wide else {}),
        "learning rate": format_number(trial["values"].get("learning_rate")),
        "time": format_duration(trial["seconds"] or 0),
        "trial": trial["trial"],
    }


def horizon_table(trials: list[dict[str, Any]]) -> Table:
    """How far back the model of each trial sees, before and after training."""
    from tracking.horizon import half_life  # it imports MLflow, which takes a second; the other tables do without

    table = Table(header_style="dim", box=None, padding=(0, 2, 0, 0))
    table.add_column("architecture", overflow="fold")
    for heading in ("trial", "", "half-life", "over all", "left after 50", "1% at lag"):
        table.add_column(heading, justify="right", no_wrap=True)
    for trial in trials:
        for moment, moment_name in (("init_", "init"), ("", "trained")):
            shown = [half_life(trial["horizon"], moment, over) for over in ("_50", "")]
            shown += [f"{trial['horizon'][f'{moment}{key}']:.3g}" for key in ("g50_g0", "tau_1pct")]
            name = (trial["architecture"], trial["trial"]) if moment else ("", "")
            table.add_row(*name, moment_name, *shown)
    return table


def kernel_table(found: list[dict[str, Any]]) -> Table:
    """How fast each kernel is, 80 columns wide."""
    made = Table(box=None, header_style="dim", padding=(0, 1, 0, 0))
    other = found[0]["kernel"] if found else "xla"
    for heading in ("cell", "length", "width", "ms/step\nloop", f"ms/step\n{other}", "faster"):
        made.add_column(heading, justify="left" if heading == "cell" else "right", no_wrap=True)
    for heading in ("compile\ns: loop", f"compile\ns: {other}", "pays\nat step", "taken\nat step"):
        made.add_column(heading, justify="right", no_wrap=True)
    for line in found:
        made.add_row(
            line["cell"],
            str(line["length"]),
            str(line["width"]),
            f"{line['loop_ms']:.2f}",
            f"{line['kernel_ms']:.2f}",
            f"{line['loop_ms'] / line['kernel_ms']:.2f}x",
            f"{line['loop_compile_s']:.1f}",
            f"{line['kernel_compile_s']:.1f}",
            "never" if line["pays"] is None else str(line["pays"]),
            str(line["chosen"]),
        )
    return made
