"""What a search found, read from MLflow."""

import argparse
import shlex
import sys
from typing import Any

from experiments.cli.parsing import add_prefer, add_tracking_uri
from experiments.system.console import console
from tracking.as_json import as_json
from tracking.errors import BadInput

EXAMPLE = "recurrent results add50 --all --sort parameters"
FORMS = {
    "json": "one JSON object instead of tables",
    "csv": "the trials as CSV, with every column",
    "markdown": "the trials as a table of Markdown",
    "latex": "the trials as a table of LaTeX",
    "spec": "the file of `recurrent search --spec` that repeats it",
}


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="the search; without it all searches are listed")
    parser.add_argument("--all", action="store_true", help="all trials, not the first 12 and the best of each cell")
    text = "order by this column, for example parameters; an unknown one answers with all of them (default: best first)"
    parser.add_argument("--sort", metavar="COLUMN", help=text)
    forms = parser.add_mutually_exclusive_group()
    for name, text in FORMS.items():
        forms.add_argument(f"--{name}", action="store_true", help=text)
    add_prefer(parser)
    add_tracking_uri(parser)


def run(parsed: argparse.Namespace) -> int:
    from experiments.cli.listing import line_or_warning, listed, none
    from tracking.searches import all_searches
    from tracking.store import connect, resolve, working

    uri = resolve(parsed.tracking_uri)
    if parsed.name is not None:
        return _one(parsed, uri)
    for flag, given in _of_one_search(parsed).items():
        if given:
            raise BadInput(f"{flag}: expected NAME with it, got none")
    with working(uri):
        searches = all_searches(connect(uri))
    found = [*filter(None, map(line_or_warning, searches))]
    print(as_json(found) if parsed.json else listed(found) if searches else none(uri))
    return 0


def _of_one_search(parsed: argparse.Namespace) -> dict[str, Any]:
    """The options that need the name of a search, by their flags."""
    names = ("all", "sort", "csv", "markdown", "latex", "spec", "prefer")
    return {f"--{name}": getattr(parsed, name) for name in names}


def _one(parsed: argparse.Namespace, uri: str) -> int:
    """Prints one search in the form that is asked for."""
    from experiments.cli.columns import as_csv, as_latex, as_markdown, sorted_by
    from experiments.cli.tables import LIMIT
    from tracking.results import results
    from tracking.searches import existing_search
    from tracking.standing import standing
    from tracking.store import working

    if parsed.spec:
        print(_spec(parsed.name, uri))
        return 0
    with working(uri):
        found = results(*existing_search(parsed.name, uri), parsed.prefer)
    trials = sorted_by(found, standing(found), parsed.sort) if parsed.sort else standing(found)
    made = {"csv": as_csv, "markdown": as_markdown, "latex": as_latex}
    form = next((make for name, make in made.items() if getattr(parsed, name)), None)
    if parsed.json:
        print(as_json({**found, "trials": trials} if parsed.sort else found))
    elif form is None:
        _print(console(), found, trials if parsed.sort else None, parsed.all)
    else:
        print(form(found, trials if parsed.all else trials[:LIMIT]))
        if len(trials) > LIMIT and not parsed.all:
            print(f"recurrent results: the first {LIMIT} of {len(trials)} trials; --all has all", file=sys.stderr)
    return 0


def _spec(name: str, uri: str) -> str:
    """The file that repeats a search."""
    from experiments.cli.main import parser
    from experiments.cli.spec_file import text
    from tracking.searches import existing_search, search_name, spec_of
    from tracking.store import working

    with working(uri):
        _, search = existing_search(name, uri)
    return text({**spec_of(search), "name": search_name(search)}, parser()[1]["search"])


def _print(screen: Any, found: dict[str, Any], trials: list[dict[str, Any]] | None = None, whole: bool = False) -> None:
    """The tables of a search, its finals and further trainings, and its answer.

    The arguments are those of `leaderboard`.
    """
    from experiments.cli.conclusion import conclusion
    from experiments.cli.finals import finals_report
    from experiments.cli.tables import leaderboard
    from experiments.cli.trained import trained_report

    leaderboard(screen, found, trials, whole)
    if found["finals"]:
        finals_report(screen, found)
    if found["trained"]:
        trained_report(screen, found)
    conclusion(screen, found)


def show(name: str, uri: str) -> int:
    """Prints the tables of a search, its answer, and what to do next. Returns the exit code, 1 without any score."""
    from tracking.results import results
    from tracking.searches import existing_search
    from tracking.store import working

    screen = console()
    with working(uri):
        found = results(*existing_search(name, uri))
    _print(screen, found)
    taken = next((trial for trial in found["trials"] if trial["trial"] == found["preferred"]), None)
    screen.print(_next(name, uri, taken), soft_wrap=True)
    return 0 if taken else 1


def _next(name: str, uri: str, taken: dict[str, Any] | None) -> str:
    """What to do next.

    Args:
        taken: the trial whose model would be exported.
    """
    from experiments.cli.conclusion import UNLEARNT
    from tracking.store import uri_arguments

    calls = (["ui"], ["report", name], ["export", name, "--to", "DIR"])
    ui, report, export = (shlex.join(["recurrent", *call, *uri_arguments(uri)]) for call in calls)
    if taken is None:
        return f"\nnext:\n  {ui}   every trial, and why it has no score, in the browser"
    said = taken["verdict"] or ""
    worth = f"though {said}, " if said.startswith(UNLEARNT) else ""
    return (
        f"\nnext:\n  {ui:<{len(export)}}   every trial and its curves in the browser\n"
        f"  {report:<{len(export)}}   the answer on one page, with figures\n"
        f"  {export}   the best model, {worth}verified, as files"
    )
