"""The table of the trials of a search that were trained further."""

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from experiments.cli.tables import in_lines, show
from experiments.system.console import say
from tracking.text import format_number, metric_name

COLUMNS = 64  # characters that all columns but the first take


def trained_report(console: Console, found: dict[str, Any]) -> None:
    """Prints the further trainings of a search.

    Args:
        found: what `tracking.results.results` returns, with trainings.
    """
    name = metric_name(found["metric"])
    say(console, Text.assemble("\n", ("Trained further", "bold"), f": {name} of the middle seed"))
    table = Table(header_style="dim", box=None, padding=(0, 2, 0, 0))
    table.add_column("architecture", overflow="fold")
    table.add_column("validation", justify="right", style="green", no_wrap=True)
    for heading in ("in the search", "test", "trial", "epochs", "from", "seeds"):
        table.add_column(heading, justify="right", no_wrap=True)
    scores = {trial["trial"]: trial["score"] for trial in found["trials"]}
    for one in found["trained"]:
        architecture = in_lines(one["architecture"], console.width - COLUMNS)
        table.add_row(architecture, *_row(one, scores.get(one["trial"])))
    show(console, table)
    for one in found["trained"]:
        if one["run"]:
            say(console, f"its model: recurrent export {found['search']} --run {one['training']} --to DIR")
        if one["failed"]:
            say(console, Text(f"{one['failed']} seed(s) of the training {one['training']} failed", "red"))


def _row(one: dict[str, Any], before: float | None) -> list[str]:
    kept = one["run_ids"].index(one["run"]) if one["run"] else None
    return [
        format_number(one["score"]),
        format_number(before),
        format_number(None if kept is None else one["test"][kept]),
        one["trial"],
        str(one["epochs"]),
        one["start"],
        f"{len(one['seeds'])}/{one['planned']}",
    ]
