"""What a search says in words, below its tables: what its scores are worth, and its answer."""

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from experiments.system.console import say

MOST_NAMES = 4  # of architectures behind a verdict
UNLEARNT = "no better than"  # begins the verdict of a score that is no success


def style(said: str | None) -> str:
    """The colour of a score with this verdict."""
    return "yellow" if said and said.startswith(UNLEARNT) else "green"


def verdicts(ranked: list[dict[str, Any]]) -> Table:
    """Each verdict with the architectures whose best trial has it, best first."""
    named: dict[str, list[str]] = {}
    best: dict[str, dict[str, Any]] = {}
    for trial in ranked:
        best.setdefault(trial["architecture"], trial)
    for name, trial in best.items():
        if said := trial.get("verdict"):
            named.setdefault(said, []).append(name)
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for said, architectures in named.items():
        more = len(architectures) - MOST_NAMES
        shown = ", ".join(architectures[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
        table.add_row(Text(said, style(said)), shown)
    return table


def conclusion(console: Console, found: dict[str, Any]) -> None:
    """Prints the answer in three sentences, one paragraph each."""
    from tracking.answer import answer

    console.print()
    for sentence in answer(found):
        say(console, Text(sentence))
