"""Retrain the best candidates of a search from fresh seeds, and say how sure the result is."""

import argparse
import shlex
import sys

from experiments.cli.commands import results
from experiments.cli.engine import add_engine, chosen
from experiments.cli.parsing import add_tracking_uri, search_name, whole, wholes
from experiments.system.console import console

EXAMPLE = "recurrent finals add50 --seeds 5"


def add(parser: argparse.ArgumentParser) -> None:
    text = "a search in this folder that is not running"
    parser.add_argument("name", metavar="NAME", type=search_name, help=text)
    text = "candidates of each cell, the best ones on validation (default: 1); later calls may take more"
    parser.add_argument("--top", metavar="K", type=whole(1), help=text)
    text = "trainings of each candidate, from fresh seeds and on fresh samples (default: 5); later calls may take more"
    parser.add_argument("--seeds", metavar="N", type=whole(1), help=text)
    parser.add_argument("--epochs", metavar="N", type=whole(1), help="epochs of a training (default: as in the search)")
    text = "also score at so many times the length, like 2,4, if the task has a length or a lag (default: none)"
    parser.add_argument("--lengths", metavar="A,B", type=wholes, help=text)
    text = "train+val: when all are done, train the winner's middle seed on both for the median best number of epochs"
    parser.add_argument("--data", choices=["train", "train+val"], default="train", help=f"{text} (default: train)")
    add_engine(parser, "run finals")
    text = "time after which the finals stop, like 45m; the same command goes on (default: none)"
    parser.add_argument("--time-limit", metavar="T", default="none", help=text)
    add_tracking_uri(parser)


def run(parsed: argparse.Namespace) -> int:
    from experiments.engines import WorkersDied
    from experiments.launcher.finals import Finals
    from tracking.store import resolve

    uri = resolve(parsed.tracking_uri)
    wanted = {name: getattr(parsed, name) for name in ("top", "seeds", "epochs", "lengths")}
    how = chosen(parsed), parsed.time_limit, uri, console()
    finals = Finals(parsed.name, wanted, *how, whole=parsed.data != "train")
    try:
        ended = finals.run()
    except WorkersDied as error:
        print(f"recurrent finals: {error}", file=sys.stderr)
        return 1
    if ended == "interrupted":
        print(f"stopped; nothing is lost, to go on:\n  {shlex.join(['recurrent', *parsed.words])}")
        return 130
    print(f"the finals have ended: {ended}")
    if not finals.done:
        print(f"to go on with them:\n  {shlex.join(['recurrent', *parsed.words])}")
    shown = results.show(parsed.name, uri)
    return shown if finals.sent else 1
