"""What a search found, read from MLflow."""

import argparse
import shlex
import sys
from datetime import datetime
from typing import Any

from experiments.cli.parsing import add_tracking_uri
from experiments.system.console import console
from tracking.as_json import as_json
from tracking.errors import BadInput

STATES = {"FINISHED": "done", "RUNNING": "running", "KILLED": "stopped", "FAILED": "failed"}  # MLflow's words
EXAMPLE = "recurrent results add50 --json"


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="the search; without it all searches are listed")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    add_tracking_uri(parser)


def run(parsed: argparse.Namespace) -> int:
    from tracking.results import results
    from tracking.searches import all_searches, existing_search
    from tracking.store import connect, resolve, working

    uri = resolve(parsed.tracking_uri)
    if parsed.name is None:
        with working(uri):
            searches = all_searches(connect(uri))
        found = [*filter(None, map(_line_or_warning, searches))]
        print(as_json(found) if parsed.json else _listed(found) if searches else _none(uri))
        return 0
    if not parsed.json:
        return show(parsed.name, uri)
    with working(uri):
        shown = results(*existing_search(parsed.name, uri))
    print(as_json(shown))
    return 0


def line(search: Any) -> dict[str, Any]:
    """One search in the list of all searches, from its parent run."""
    from tracking.searches import search_name, spec_of

    spec, metrics = spec_of(search), search.data.metrics
    done = int(metrics["trials/done"]) if "trials/done" in metrics else None
    return {
        "search": search_name(search),
        "task": spec["task"],
        "metric": spec["metric"],
        "best": metrics.get(f"best/{spec['metric']}"),
        "status": search.info.status,
        "begun": datetime.fromtimestamp(search.info.start_time / 1000).astimezone().isoformat(timespec="seconds"),
        "done": done,
        "planned": done if done is not None and search.info.status == "FINISHED" else spec.get("trials", done),
        **_here(search),
    }


def _here(search: Any) -> dict[str, Any]:
    """What the folder of a search says: its size, and whether `--resume` in this folder goes on with the search."""
    from experiments.config.folders import SEARCHES, SearchFolder
    from experiments.config.spec import Spec
    from tracking.searches import is_of, search_name

    folder = SearchFolder(SEARCHES / search_name(search))
    try:
        own = folder.spec.exists() and is_of(search, Spec.read(folder).to_json())
    except BadInput:  # the list has searches with damaged folders, too
        own = False
    if not own:
        return {"bytes": None, "resumable": False}
    return {"bytes": folder.size(), "resumable": search.info.status != "FINISHED" and not folder.is_held()}


def _none(uri: str) -> str:
    """What is said of a store without a search."""
    from tracking.searches import deleted_searches
    from tracking.store import connect, working

    with working(uri):
        deleted = sorted(deleted_searches(connect(uri)))
    if not deleted:
        return f"no search in {uri} yet"
    ways = "`recurrent sync NAME` restores one whose folder is here"
    return f"no search in {uri}; deleted in MLflow: {', '.join(deleted)}; {ways}"


def _line_or_warning(search: Any) -> dict[str, Any] | None:
    """What `line` returns. For a search whose settings cannot be read it prints a warning and returns None."""
    from tracking.errors import SearchStateError

    try:
        return line(search)
    except SearchStateError as error:
        print(f"recurrent results: {error}", file=sys.stderr)
        return None


def _listed(found: list[dict[str, Any]]) -> str:
    """The list of all searches as text, one line each, in columns."""
    rows = [_texts(one) for one in found]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (zip(row, widths, strict=True) for row in rows)
    return "\n".join("  ".join(text.ljust(width) for text, width in line).rstrip() for line in lines)


def _texts(one: dict[str, Any]) -> list[str]:
    from experiments.tasks.loading.find import title
    from tracking.text import format_amount, format_number, metric_name

    done = "-" if one["done"] is None else one["done"]
    size = "-" if one["bytes"] is None else f"{format_amount(one['bytes'])}B"
    state = STATES.get(one["status"], one["status"])
    if one["resumable"]:
        state = f"{'failed' if one['status'] == 'FAILED' else 'stopped'}, --resume goes on"
    score = f"{metric_name(one['metric'])} {format_number(one['best'])}"
    begun = one["begun"][:16].replace("T", " ")
    return [one["search"], title(one["task"]), score, f"{done}/{one['planned']} trials", begun, size, state]


def show(name: str, uri: str, hints: bool = False) -> int:
    """Prints the tables of a search; returns the exit code.

    Args:
        hints: also print what to do next. The exit code is then 1 if no trial has a score, otherwise always 0.
    """
    from experiments.cli.tables import leaderboard
    from tracking.results import ranked, results
    from tracking.searches import existing_search
    from tracking.store import working

    screen = console()
    with working(uri):
        found = results(*existing_search(name, uri))
    leaderboard(screen, found, ranked(found))
    if not hints:
        return 0
    screen.print(_next(name, uri, bool(ranked(found))), soft_wrap=True)
    return 0 if ranked(found) else 1


def _next(name: str, uri: str, best: bool) -> str:
    from tracking.store import uri_arguments

    calls = (["ui"], ["export", name, "--to", "DIR"])
    ui, export = (shlex.join(["recurrent", *call, *uri_arguments(uri)]) for call in calls)
    if not best:
        return f"\nnext:\n  {ui}   what failed, and why, in the browser"
    return (
        f"\nnext:\n  {ui:<{len(export)}}   every trial and its curves in the browser\n"
        f"  {export}   the best model, verified, as files"
    )
