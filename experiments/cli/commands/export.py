"""A search's best model as files, reloaded and re-scored."""

import argparse
import sys
from pathlib import Path

from experiments.cli.parsing import add_tracking_uri, task_options

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
    from experiments.launcher.export import export_search
    from tracking.store import resolve
    from tracking.text import floors_line, format_count, format_number, metric_name

    to, warnings = Path(parsed.to), list[str]()
    card = export_search(
        parsed.name,
        resolve(parsed.tracking_uri),
        to,
        warnings.append,
        task=parsed.task or "",
        options=task_options(parsed.options),
        with_optimizer=parsed.with_optimizer,
        trust_task=parsed.trust_task,
    )
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
