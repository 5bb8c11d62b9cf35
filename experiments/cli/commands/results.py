"""What a search found, read from MLflow."""

import argparse
import json
import shlex
import sys
from typing import Any

from experiments.cli.parsing import add_tracking_uri, console

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
    if not parsed.name:
        with working(uri):
            searches = all_searches(connect(uri))
        found = [*filter(None, map(_line_or_warning, searches))]
        print(json.dumps(found, indent=1) if parsed.json else "\n".join(_text(one) for one in found))
        return 0
    if not parsed.json:
        return show(parsed.name, uri)
    with working(uri):
        shown = results(*existing_search(parsed.name, uri))
    print(json.dumps(shown, indent=1))
    return 0


def line(search: Any) -> dict[str, Any]:
    """One search in the list of all searches, from its parent run."""
    from tracking.searches import search_name, spec_of

    spec = spec_of(search)
    return {
        "search": search_name(search),
        "task": spec["task"],
        "metric": spec["metric"],
        "best": search.data.metrics.get(f"best/{spec['metric']}"),
        "status": search.info.status,
    }


def _line_or_warning(search: Any) -> dict[str, Any] | None:
    """`line`; None for a search whose settings cannot be read, which is said."""
    from tracking.errors import SearchStateError

    try:
        return line(search)
    except SearchStateError as error:
        print(f"recurrent results: {error}", file=sys.stderr)
        return None


def _text(one: dict[str, Any]) -> str:
    from tracking.text import format_number

    return f"{one['search']:<24} {one['task']:<16} {one['metric']} {format_number(one['best'])}  {one['status']}"


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
    from tracking.store import words

    ui, export = (shlex.join(["recurrent", *part, *words(uri)]) for part in (["ui"], ["export", name, "--to", "DIR"]))
    if not best:
        return f"\nnext:\n  {ui}   what failed, and why, in the browser"
    return (
        f"\nnext:\n  {ui:<{len(export)}}   every trial and its curves in the browser\n"
        f"  {export}   the best model, verified, as files"
    )
