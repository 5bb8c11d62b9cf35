"""The command line: arguments and messages, nothing else."""

import argparse
import io
import json
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments import arguments

QUIET = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "PYTHONWARNINGS": "ignore",
    "GRPC_VERBOSITY": "NONE",
    "PYTHONSAFEPATH": "1",  # a user's signal.py in the current folder is not imported by a worker
}
SHOWN = 5  # links that `ui` prints, newest search first


def main(words: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code: 2 for bad input, 1 for what failed, 130 after Ctrl-C."""
    words = sys.argv[1:] if words is None else words
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that cannot show a character shows "?", not an error
            stream.reconfigure(errors="replace")
    parsed = arguments.parser().parse_args(words)
    parsed.words = words
    for name, value in QUIET.items():  # before anything imports TensorFlow
        os.environ.setdefault(name, value)
    try:
        return COMMANDS[parsed.command](parsed)
    except ValueError as error:
        print(f"recurrent {parsed.command}: {str(error).splitlines()[0]}", file=sys.stderr)
        return 2
    except OSError as error:
        if isinstance(error, BrokenPipeError):  # `recurrent results | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            return 0
        what = f"{error.filename}: " if error.filename else ""
        print(f"recurrent {parsed.command}: {what}{error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except MemoryError as error:
        print(f"recurrent {parsed.command}: expected what fits into memory, got: {error}", file=sys.stderr)
        return 2
    except Exception as error:
        if line := _fault(parsed, error):
            print(f"recurrent {parsed.command}: {line}", file=sys.stderr)
            return 2
        raise


def _fault(parsed: argparse.Namespace, error: Exception) -> str:
    """What is wrong in the user's own file of a task, if that has raised the error."""
    from experiments.tasks.loading.checks import fault

    file = getattr(parsed, "task", None) or getattr(parsed, "name", None) or ""
    return fault(error, file) if file.endswith(".py") else ""


def _tasks(parsed: argparse.Namespace) -> int:
    from experiments import catalogue

    if parsed.show and not parsed.name:
        raise ValueError("--show: expected NAME with it, got none")
    found = catalogue.entries([parsed.name] if parsed.name else None)
    if parsed.json:
        print(json.dumps(found[0] if parsed.name else found, indent=1))
    else:
        print(catalogue.page(found[0]) if parsed.name else catalogue.table(found))
        if parsed.show:
            print(f"\n{catalogue.samples(parsed.name, parsed.show)}")
    return 0


def _search(parsed: argparse.Namespace) -> int:
    from experiments.launch import Launch
    from experiments.search import WorkersDied
    from experiments.settings import settle, workers
    from tracking.store import resolve, words

    uri, console = resolve(parsed.tracking_uri), _console()
    spec = settle(parsed)
    launch = Launch(spec, parsed.resume, workers(parsed.workers), uri, console)
    try:
        ended = launch.run()
    except WorkersDied as error:
        print(f"recurrent search: {error}", file=sys.stderr)
        return 1
    again = shlex.join(
        [
            "recurrent",
            *parsed.words,
            *([] if parsed.name else ["--name", spec.name]),
            *([] if parsed.resume else ["--resume"]),
        ]
    )
    if ended == "interrupted":
        print(f"stopped; finished trials stay, the others come again with:\n  {again}")
        return 130
    print(f"the search has ended: {ended}")
    try:
        shown = _show_results(spec.name, uri, hints=True)
        return shown if launch.sent else 1
    except ValueError as error:  # the server has gone meanwhile
        sync = shlex.join(["recurrent", "sync", spec.name, *words(uri)])
        print(f"recurrent search: the search is done, but {error}; to send it:\n  {sync}", file=sys.stderr)
        return 1


def _sync(parsed: argparse.Namespace) -> int:
    from experiments.config.folders import SEARCHES, SearchFolder
    from experiments.config.spec import Spec
    from experiments.launch import Launch
    from tracking.store import resolve

    uri, folder = resolve(parsed.tracking_uri), SearchFolder(SEARCHES / parsed.name)
    if not folder.spec.exists():
        raise ValueError(f"NAME: expected a search in {SEARCHES}/, got {parsed.name!r}")
    spec = Spec.read(folder)
    parsed.task = spec.task  # a user's file may raise whatever it likes
    if not Launch(spec, True, 0, uri, _console()).sync():
        return 1
    print(f"{parsed.name}: {uri} has all that its journals say")
    return 0


def _show_results(name: str, uri: str, hints: bool = False) -> int:
    from experiments.display import leaderboard
    from tracking.results import ranked, results
    from tracking.store import words, working

    console = _console()
    with working(uri):
        found = results(*_open(name, uri))
    leaderboard(console, found, ranked(found))
    if not hints:
        return 0
    ui, export = (shlex.join(["recurrent", *part, *words(uri)]) for part in (["ui"], ["export", name, "--to", "DIR"]))
    if not ranked(found):
        console.print(f"\nnext:\n  {ui}   what failed, and why, in the browser", soft_wrap=True, markup=False)
        return 1
    console.print(
        f"\nnext:\n  {ui:<{len(export)}}   every trial and its curves in the browser\n"
        f"  {export}   the best model, verified, as files",
        soft_wrap=True,
        markup=False,
    )
    return 0


def _results(parsed: argparse.Namespace) -> int:
    from tracking.results import results
    from tracking.searches import all_searches
    from tracking.store import connect, resolve, working

    uri = resolve(parsed.tracking_uri)
    if not parsed.name:
        with working(uri):
            found = [results_line(run) for run in all_searches(connect(uri))]
        print(json.dumps(found, indent=1) if parsed.json else "\n".join(_search_line(line) for line in found))
        return 0
    if not parsed.json:
        return _show_results(parsed.name, uri)
    with working(uri):
        shown = results(*_open(parsed.name, uri))
    print(json.dumps(shown, indent=1))
    return 0


def _horizon(parsed: argparse.Namespace) -> int:
    from experiments.display import horizon_table
    from tracking.horizon import draw, horizons
    from tracking.store import resolve, working

    uri, to = resolve(parsed.tracking_uri), Path(parsed.to or f"{parsed.name}-horizon.png")
    with working(uri):
        found = horizons(*_open(parsed.name, uri))
    draw(found, f"{parsed.name}: how far back the gradient of the last state reaches", to)
    _console().print(horizon_table(found))
    print(f"the figure: {to}")
    return 0


def results_line(run: Any) -> dict[str, Any]:
    """A search in the list of all searches."""
    spec = json.loads(run.data.tags["spec"])
    best = run.data.metrics.get(f"best/{spec['metric']}")
    return {
        "search": spec["name"],
        "task": spec["task"],
        "metric": spec["metric"],
        "best": best,
        "status": run.info.status,
    }


def _search_line(line: dict[str, Any]) -> str:
    from tracking.text import format_number

    return f"{line['search']:<24} {line['task']:<16} {line['metric']} {format_number(line['best'])}  {line['status']}"


def _open(name: str, uri: str) -> tuple[Any, Any]:
    """(client, the search's run)."""
    from tracking.searches import all_searches, find_search
    from tracking.store import connect, working

    client = connect(uri)
    with working(uri):
        parent = find_search(client, name)
        known = [] if parent else [run.data.tags["search_id"] for run in all_searches(client)[:10]]
    if parent is None:
        raise ValueError(f"NAME: expected a search in {uri} ({', '.join(known) or 'none yet'}), got {name!r}")
    return client, parent


def _ui(parsed: argparse.Namespace) -> int:
    from tracking.searches import all_searches
    from tracking.store import connect, resolve, working
    from tracking.ui import server
    from tracking.views import dashboard_link

    uri, console = resolve(parsed.tracking_uri), _console()
    with working(uri):
        searches = all_searches(connect(uri))
    with console.status("MLflow's server starts ...") as status:

        def progress(seconds: float) -> None:
            status.update(f"MLflow's server starts ... {seconds:.0f} s (12 to 60 are usual)")

        with server(uri, parsed.port, progress) as running:
            status.stop()
            for run in searches[:SHOWN]:
                link = dashboard_link(running.url, run.info.experiment_id, search=run.data.tags["search_id"])
                console.print(f"{run.data.tags['search_id']}: {link}", soft_wrap=True)
            if not searches:
                console.print(f"no search yet: {running.url}")
            if running.process:
                console.print("Ctrl-C ends the server")
            running.wait()
    return 0


def _export(parsed: argparse.Namespace) -> int:
    from experiments.system.quiet import quiet
    from experiments.training.scoring import scorer
    from tracking.export import export
    from tracking.store import resolve, working
    from tracking.text import floors_line, format_number, metric_name

    uri = resolve(parsed.tracking_uri)
    client, parent = _open(parsed.name, uri)
    to = Path(parsed.to)
    with quiet(), working(uri):
        card = export(client, uri, parent, to, scorer(json.loads(parent.data.tags["spec"])))
    name = metric_name(card["metric"])
    print(f"exported {card['architecture']} (trial {card['trial']}, {card['parameters']:,} parameters) to {to}/")
    val, test = format_number(card["rescored"]), format_number(card["test_score"])
    print(f"validation {name} {val}, as recorded; test {name} {test}")
    print(f"models with less memory, on validation: {floors_line(card['floors'])}")
    if "vocabulary" in card["preprocessing"]:
        print(f'next: recurrent sample {to} --prompt "The " --length 200')
    return 0


def _sample(parsed: argparse.Namespace) -> int:
    from experiments.system.quiet import quiet
    from experiments.training.sampling import check, generate, load

    chosen = (parsed.temperature, parsed.top_k, parsed.top_p)
    check(*chosen)
    with quiet():
        model, card = load(Path(parsed.folder))
        about = card["preprocessing"]
        more = (*chosen, parsed.seed, bool(about.get("lines")))
        text = generate(model, about["vocabulary"], parsed.prompt, parsed.length, *more)
    between = " " if isinstance(about["vocabulary"], list) and parsed.prompt else ""
    print(parsed.prompt + between + text)
    return 0


def _kernels(parsed: argparse.Namespace) -> int:
    from experiments.system.quiet import quiet
    from experiments.training import kernel_speed
    from experiments.worker.process import alone
    from search_spaces import cells

    chosen = parsed.cells.split(",") if parsed.cells else list(kernel_speed.CELLS)
    for name in chosen:
        if name not in cells.names():
            raise ValueError(f"--cells: expected some of {', '.join(cells.names())}, got {name!r}")
    console, found = _console(), []
    cases = len(chosen) * len(parsed.lengths) * len(parsed.widths)
    with quiet(), console.status(f"measuring {cases} cases ...") as status:
        for row in kernel_speed.rows(chosen, parsed.lengths, parsed.widths, alone()):
            found.append(row)
            status.update(f"measured {len(found)} of {cases} cases ...")
    if parsed.json:
        print(json.dumps(found, indent=1))
    else:
        console.print(kernel_speed.table(found), soft_wrap=True)
    return 0


def _doctor(parsed: argparse.Namespace) -> int:
    import dataclasses

    from experiments.doctor import findings, text
    from experiments.system.quiet import quiet
    from tracking.store import resolve

    uri = resolve(parsed.tracking_uri)
    with quiet():
        found = findings(uri)
    print(json.dumps([dataclasses.asdict(one) for one in found], indent=1) if parsed.json else text(found))
    return 0 if all(one.fit for one in found) else 1


def _console() -> Any:
    from rich.console import Console

    return Console(highlight=False)


COMMANDS = {
    "tasks": _tasks,
    "search": _search,
    "results": _results,
    "horizon": _horizon,
    "sync": _sync,
    "kernels": _kernels,
    "doctor": _doctor,
    "ui": _ui,
    "export": _export,
    "sample": _sample,
}
