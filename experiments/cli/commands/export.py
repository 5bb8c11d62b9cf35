"""A search's best model, or another one that it keeps, as files, reloaded and re-scored."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.cli.parsing import add_prefer, add_tracking_uri, real, task_options, whole
from experiments.system.console import console, say, waiting

if TYPE_CHECKING:
    from rich.console import Console


EXAMPLE = "recurrent export add50 --to best"


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the search, or models:/MODEL@alias")
    text = "a new folder, or an earlier export of this search, which is then replaced"
    parser.add_argument("--to", metavar="DIR", required=True, help=text)
    _choosing(parser)
    _formats(parser)
    text = "DATA.npz, PAIRS.tsv or TASK.py (default: where the search had it, or beside the search)"
    parser.add_argument("--task", metavar="TASK", help=text)
    text = "corpus=FILE is the text, source=FILE the series, by default where the search had it, or beside the search"
    parser.add_argument("-o", dest="options", action="append", default=[], metavar="KEY=VALUE", help=text)
    text = "keep the optimizer with its state in model.keras, three times the size, to train the model further"
    parser.add_argument("--with-optimizer", action="store_true", help=text)
    text = "run the code of a task, TASK.py, that comes from a server; only if you trust who wrote it"
    parser.add_argument("--trust-task", action="store_true", help=text)
    add_tracking_uri(parser)


def _formats(parser: argparse.ArgumentParser) -> None:
    text = "keras, savedmodel, onnx, litert, some of them with commas between, or all (default: keras)"
    parser.add_argument("--format", dest="formats", metavar="NAMES", default="keras", help=text)
    text = "time steps of a LiteRT file that reads whole sequences (default: only the file that reads one step)"
    parser.add_argument("--length", metavar="T", type=whole(1), help=text)
    text = "store the weights of LiteRT files as float16 or int8 (default: none)"
    parser.add_argument("--quantize", choices=("none", "float16", "int8"), default="none", help=text)
    text = "how much worse stored weights may score: a share of the way from the weakest floor (default: 0.01)"
    parser.add_argument("--tolerance", metavar="SHARE", type=real, default=0.01, help=text)


def _choosing(parser: argparse.ArgumentParser) -> None:
    text = "the model of this trial; kept are those that no other one beats in both score and size (default: any)"
    parser.add_argument("--trial", metavar="N", type=whole(0), help=text)
    parser.add_argument("--cell", metavar="NAME", help="the best model of this cell (default: any)")
    text = "the model of this run in MLflow, or of a training like 0003-20-weights (default: any)"
    parser.add_argument("--run", metavar="RUN", help=text)
    text = "the best model with at most so many parameters (default: any number)"
    parser.add_argument("--max-parameters", metavar="N", type=whole(1), help=text)
    add_prefer(parser)


def run(parsed: argparse.Namespace) -> int:
    from experiments.launcher.export import choice_of, export_search, packing_of
    from tracking.store import resolve

    packing = packing_of(parsed.formats, parsed.length, parsed.quantize, parsed.tolerance)
    to, warnings, screen = Path(parsed.to), list[str](), console()
    with waiting(screen, "loading and scoring the model ..."):
        card = export_search(
            parsed.name,
            resolve(parsed.tracking_uri),
            to,
            warnings.append,
            choice=choice_of(parsed.trial, parsed.cell, parsed.max_parameters, parsed.prefer, parsed.run),
            packing=packing,
            task=parsed.task or "",
            options=task_options(parsed.options),
            with_optimizer=parsed.with_optimizer,
            trust_task=parsed.trust_task,
        )
    for warning in warnings:
        print(f"recurrent export: {warning}", file=sys.stderr)
    _report(screen, card, to)
    left_out = [name for name in packing.names if name not in card["formats"]]
    return 1 if left_out and not packing.all else 0


def _report(screen: "Console", card: dict[str, Any], to: Path) -> None:
    """Prints what the export has verified."""
    from rich.text import Text

    from experiments.cli.conclusion import style
    from tracking.text import format_count, format_number, marks_line, metric_name

    name = metric_name(card["metric"])
    val, recorded = (format_number(card[key], 7) for key in ("rescored", "model_score"))
    size = format_count(card["parameters"])
    print(f"exported {card['architecture']} (trial {card['trial']}, {size} parameters) to {to}/")
    if "final" in card:
        final = card["final"]
        print(f"seed {final['seed']} of {final['of']} in the finals, counted from 0, is {final['reason']} (validation)")
        if final["data"] != "train":
            print(f"trained on {final['data']}: the score on validation below shows only that the file is the model")
    if "trained" in card:
        trained = card["trained"]
        how = "from the weights of the trial" if trained["start"] == "weights" else "anew"
        print(f"trained further for {trained['epochs']} epochs {how}")
        print(f"seed {trained['seed']} of {trained['of']}, counted from 0, is {trained['reason']} (validation)")
    if len(card["executions"]) > 1:
        print(f"execution {card['execution']}, counted from 0, is {card['execution_reason']}")
    print(f"validation {name} {val}, recorded {recorded}; test {name} {format_number(card['test_score'])}")
    marks = marks_line(card["floors"], card["solved"], card["direction"])
    print(f"models with less memory, on validation: {marks}")
    if card["verdict"]:
        say(screen, Text(f"on validation the model is: {card['verdict']}", style(card["verdict"])))
    for form, found in card["formats"].items():
        checked = (
            f"differs from Keras by {found['difference']:.1g} of the largest output" if form != "keras" else "checked"
        )
        print(f"{form}: {', '.join(found['files'])}, {found['bytes'] / 1024:,.0f} kB, {checked}")
        if found["quantize"] != "none":
            change = f"{format_number(found['score'], 6)}, of Keras {format_number(found['score_of_keras'], 6)}"
            print(f"{form}: {found['quantize']} weights, validation {name} {change}")
    if "vocabulary" in card["preprocessing"]:
        print(f'next: recurrent sample {to} --prompt "The " --length 200')
    if "scales" in card["preprocessing"]:
        print(f"next: recurrent forecast {to} SERIES.csv")
