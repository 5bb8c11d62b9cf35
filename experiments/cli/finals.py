"""The table of finals, and what it means in sentences."""

from statistics import fmean
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from experiments.cli.tables import WIDE, in_lines, show
from experiments.system.console import say
from tracking.text import format_number, format_spread, metric_name

COLUMNS = 60  # characters that all columns but the first take


def finals_report(console: Console, found: dict[str, Any]) -> None:
    """Prints the finals of a search.

    Args:
        found: what `tracking.results.results` returns, with finals.
    """
    from tracking.statistics import warning

    finals = found["finals"]
    seeds = max(len(one["test"]) for one in finals["candidates"])
    state = "" if finals["complete"] else "; not complete, `recurrent finals` goes on"
    how = f"{finals['seeds']} fresh seeds, {finals['epochs']} epochs; chosen on validation"
    about = f": {how}, {metric_name(found['metric'])} on test{state}"
    say(console, Text.assemble("\n", ("Finals", "bold"), about))
    show(console, _table(console, found))
    for comparison in finals["comparisons"]:
        say(console, comparison["sentence"])
    if (curse := finals["curse"]) is not None:
        say(console, _curse(finals, found, curse))
    for one in finals["candidates"]:
        if one["failed"]:
            say(console, Text(f"{one['failed']} seed(s) of {one['architecture']} (trial {one['trial']}) failed", "red"))
    for trial in finals["lost"]:
        say(console, Text(f"no seed of trial {trial} has completed", "red"))
    for trial in _newer(found):
        say(console, Text(f"trial {trial} is better in the search and has no finals; `recurrent finals` takes it in"))
    if seeds > 1:
        say(console, Text(warning(seeds), "dim"))


def _newer(found: dict[str, Any]) -> list[str]:
    """The best trial of the search, if it has come after the finals."""
    from tracking.results import ranked

    known = {one["trial"] for one in found["finals"]["candidates"]} | {*found["finals"]["lost"]}
    return [trial["trial"] for trial in ranked(found)[:1] if trial["trial"] not in known]


def _curse(finals: dict[str, Any], found: dict[str, Any], curse: float) -> str:
    winner = finals["candidates"][0]
    better = curse < 0 if found["direction"] == "min" else curse > 0
    scores = (format_number(score) for score in (winner["search_score"], fmean(winner["validation"])))
    told = "{1} as the mean of the finals, {0} in the search".format(*scores)
    what = "better" if better else "worse" if curse else "the same"
    size = f", {format_number(abs(curse), 3)} {what}" if curse else ""
    return f"validation {metric_name(found['metric'])} of {winner['architecture']}: {told}{size}"


def _table(console: Console, found: dict[str, Any]) -> Table:
    finals, wide = found["finals"], console.width >= WIDE
    table = Table(header_style="dim", box=None, padding=(0, 2, 0, 0))
    table.add_column("architecture", overflow="fold")
    table.add_column("test", justify="right", style="green", no_wrap=True)
    uneven = len({len(one["test"]) for one in finals["candidates"]}) > 1
    rows = [_row(one, wide, uneven) for one in finals["candidates"]]
    shown = [heading for heading in rows[0] if any(row.get(heading) for row in rows)]
    for heading in shown:
        table.add_column(heading, justify="right", no_wrap=True)
    for one, row in zip(finals["candidates"], rows, strict=True):
        architecture = in_lines(one["architecture"], console.width - COLUMNS)
        table.add_row(architecture, format_number(one["mean"]), *(row.get(heading, "") for heading in shown))
    return table


def _row(one: dict[str, Any], wide: bool, uneven: bool) -> dict[str, str]:
    """The texts of a row by their headings, without architecture and mean.

    Args:
        wide: there is room for the mean on validation.
        uneven: candidates differ in how many seeds have completed.
    """
    reach = None if one["high"] is None else one["high"] - one["mean"]
    return {
        "± 95 %": format_spread(reach),
        "sd": format_spread(one["sd"]),
        "worst": format_number(one["worst"], 3),
        "solved": "" if one["solved"] is None else f"{one['solved']:.0%}",
        **{f"x{factor}": format_number(fmean(scores), 3) for factor, scores in one["longer"].items()},
        "validation": format_number(fmean(one["validation"])) if wide else "",
        "seeds": str(len(one["test"])) if uneven else "",
        "trial": one["trial"],
    }
