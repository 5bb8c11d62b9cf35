"""A search's best model as files, reloaded and re-scored."""

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from experiments.cli.parsing import add_tracking_uri, task_options
from experiments.system.console import console, waiting

if TYPE_CHECKING:
    from experiments.tasks.loading.copied import Copy
    from experiments.tasks.loading.places import Source

EXAMPLE = "recurrent export add50 --to best"


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the search")
    text = "a new folder, or an earlier export of this search, which is then replaced"
    parser.add_argument("--to", metavar="DIR", required=True, help=text)
    text = "DATA.npz or TASK.py (default: where the search had it, or beside the search)"
    parser.add_argument("--task", metavar="TASK", help=text)
    text = "corpus=FILE is the text, by default where the search had it, or beside the search"
    parser.add_argument("-o", dest="options", action="append", default=[], metavar="KEY=VALUE", help=text)
    text = "keep the optimizer with its state in model.keras, three times the size, to train the model further"
    parser.add_argument("--with-optimizer", action="store_true", help=text)
    text = "run the code of a task, TASK.py, that comes from a server; only if you trust who wrote it"
    parser.add_argument("--trust-task", action="store_true", help=text)
    add_tracking_uri(parser)


def run(parsed: argparse.Namespace) -> int:
    from experiments.launcher.trust import code_to_run
    from experiments.system.quiet import quiet
    from experiments.training.saved import drop_optimizer
    from experiments.training.scoring import scorer
    from tracking.export import export
    from tracking.searches import existing_search, spec_of
    from tracking.store import resolve, working
    from tracking.text import floors_line, format_count, format_number, metric_name

    uri = resolve(parsed.tracking_uri)
    client, search = existing_search(parsed.name, uri)
    to, spec = Path(parsed.to), spec_of(search)
    warnings: list[str] = []
    screen = console()
    with quiet(), waiting(screen, "loading and scoring the model ..."), working(uri), TemporaryDirectory() as folder:
        prepare = _as_logged if parsed.with_optimizer else drop_optimizer
        copy = code_to_run(client, search, spec, parsed.trust_task, Path(folder))
        score = scorer(spec, _folders(uri), _given(parsed, spec, copy), copy)
        card = export(client, uri, search, to, score, prepare, warnings.append)
    for warning in warnings:
        print(f"recurrent export: {warning}", file=sys.stderr)
    name = metric_name(card["metric"])
    val, recorded = (format_number(card[key], 7) for key in ("rescored", "model_score"))
    size = format_count(card["parameters"])
    print(f"exported {card['architecture']} (trial {card['trial']}, {size} parameters) to {to}/")
    if len(card["executions"]) > 1:
        print(f"execution {card['execution']}, counted from 0, is {card['execution_reason']}")
    print(f"validation {name} {val}, recorded {recorded}; test {name} {format_number(card['test_score'])}")
    print(f"models with less memory, on validation: {floors_line(card['floors'])}")
    if "vocabulary" in card["preprocessing"]:
        print(f'next: recurrent sample {to} --prompt "The " --length 200')
    return 0


def _folders(uri: str) -> list[Path]:
    """Where the search may have had its data: this folder, and that of a store that is a file."""
    from tracking.store import database

    file = database(uri)
    return [Path(), *([file.parent] if file else [])]


def _given(parsed: argparse.Namespace, spec: dict[str, Any], copy: "Copy | None") -> "list[Source]":
    """Where the user says that the data are."""
    if not parsed.task and not parsed.options:
        return []
    from experiments.tasks.loading.places import absolute

    return [absolute(parsed.task or spec["task"], {**spec["options"], **task_options(parsed.options)}, copy)]


def _as_logged(file: Path) -> None:
    """Leaves the file as it was logged, with the optimizer."""
