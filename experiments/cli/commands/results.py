"""What a search found, read from MLflow."""

import argparse
import shlex
import sys
from contextlib import suppress
from datetime import datetime
from typing import Any

from experiments.cli.parsing import add_prefer, add_tracking_uri
from experiments.system.console import console
from tracking.as_json import as_json
from tracking.errors import BadInput, RecurrentError

STATES = {"FINISHED": "done", "RUNNING": "running", "KILLED": "stopped", "FAILED": "failed"}  # MLflow's words
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
    text = "order the trials by this column, for example parameters; an unknown one answers with all of them"
    parser.add_argument("--sort", metavar="COLUMN", help=text)
    forms = parser.add_mutually_exclusive_group()
    for name, text in FORMS.items():
        forms.add_argument(f"--{name}", action="store_true", help=text)
    add_prefer(parser)
    add_tracking_uri(parser)


def run(parsed: argparse.Namespace) -> int:
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
    found = [*filter(None, map(_line_or_warning, searches))]
    print(as_json(found) if parsed.json else _listed(found) if searches else _none(uri))
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
    """The tables of a search, its finals if there are any, and its answer. The arguments are those of `leaderboard`."""
    from experiments.cli.conclusion import conclusion
    from experiments.cli.finals import finals_report
    from experiments.cli.tables import leaderboard

    leaderboard(screen, found, trials, whole)
    if found["finals"]:
        finals_report(screen, found)
    conclusion(screen, found)


def line(search: Any) -> dict[str, Any]:
    """One search in the list of all searches, from its parent run."""
    from tracking.marks import marks_in
    from tracking.searches import search_name, spec_of
    from tracking.verdict import verdict

    spec, metrics = spec_of(search), search.data.metrics
    best = metrics.get(f"best/{spec['metric']}")
    judged = verdict(best, spec["direction"], **marks_in(search, spec["metric"]))
    done = int(metrics["trials/done"]) if "trials/done" in metrics else None
    return {
        "search": search_name(search),
        "task": spec["task"],
        "metric": spec["metric"],
        "best": best,
        "verdict": None if judged is None else str(judged),
        "status": search.info.status,
        "begun": datetime.fromtimestamp(search.info.start_time / 1000).astimezone().isoformat(timespec="seconds"),
        "done": done,
        "planned": done if done is not None and search.info.status == "FINISHED" else _planned(spec, done),
        **_here(search),
    }


def _planned(spec: dict[str, Any], done: int | None) -> int | None:
    """How many trials a search will have; None if they fill its time."""
    from experiments.config.spec import UNLIMITED

    planned: int | None = spec.get("trials", done)
    return None if planned == UNLIMITED else planned


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
    worth = f", {one['verdict']}" if one["verdict"] else ""
    score = f"{metric_name(one['metric'])} {format_number(one['best'])}{worth}"
    begun = one["begun"][:16].replace("T", " ")
    planned = "" if one["planned"] is None else f"/{one['planned']}"
    return [one["search"], title(one["task"]), score, f"{done}{planned} trials", begun, size, state]


def show(name: str, uri: str, ended: bool = False) -> int:
    """Prints the tables of a search, its answer, and what to do next.

    Args:
        ended: the search has just ended; MLflow gets its answer, too.

    Returns the exit code, 1 if no trial has a score.
    """
    from tracking.description import describe
    from tracking.results import results
    from tracking.searches import existing_search
    from tracking.store import working

    screen = console()
    with working(uri):
        client, parent = existing_search(name, uri)
        found = results(client, parent)
    if ended:
        # What the user sees next does not need it, and a store that is away now was told of before.
        with suppress(RecurrentError), working(uri):
            describe(client, parent, found)
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
        return f"\nnext:\n  {ui}   what failed, and why, in the browser"
    said = taken["verdict"] or ""
    worth = f"though {said}, " if said.startswith(UNLEARNT) else ""
    return (
        f"\nnext:\n  {ui:<{len(export)}}   every trial and its curves in the browser\n"
        f"  {report:<{len(export)}}   the answer on one page, with figures\n"
        f"  {export}   the best model, {worth}verified, as files"
    )
