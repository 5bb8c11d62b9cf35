"""Train a trial of a search for more epochs, from the weights of its model or anew."""

import argparse
import shlex
import sys

from experiments.cli.commands import results
from experiments.cli.engine import add_engine, chosen
from experiments.cli.parsing import add_tracking_uri, search_name, whole
from experiments.system.console import console

EXAMPLE = "recurrent train add50 --epochs 20"


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", type=search_name, help="a search in this folder that is not running")
    text = "the number of the trial (default: the winner, that of the finals if they have ended)"
    parser.add_argument("--trial", metavar="N", type=whole(0), help=text)
    parser.add_argument("--epochs", metavar="M", type=whole(1), required=True, help="epochs of this training")
    text = "fresh seeds; the model of the middle one is kept (default: 1); later calls may take more"
    parser.add_argument("--seeds", metavar="K", type=whole(1), help=text)
    text = "weights: go on from the trial's model; anew: from fresh weights (default: weights)"
    parser.add_argument("--from", dest="start", choices=("weights", "anew"), default="weights", help=text)
    add_engine(parser, "train")
    text = "time after which the training stops, like 45m; the same command goes on (default: none)"
    parser.add_argument("--time-limit", metavar="T", default="none", help=text)
    add_tracking_uri(parser)


def run(parsed: argparse.Namespace) -> int:
    from experiments.engines import WorkersDied
    from experiments.launcher.train import Train
    from tracking.store import resolve

    uri = resolve(parsed.tracking_uri)
    what = parsed.name, parsed.trial, parsed.epochs, parsed.seeds, parsed.start
    training = Train(*what, chosen(parsed), parsed.time_limit, uri, console())
    try:
        ended = training.run()
    except WorkersDied as error:
        print(f"recurrent train: {error}", file=sys.stderr)
        return 1
    # Without --trial another call may take another trial, if there is a new winner.
    named = [] if parsed.trial is not None else ["--trial", str(int(training.training.partition("-")[0]))]
    again = shlex.join(["recurrent", *parsed.words, *named])
    if ended == "interrupted":
        print(f"stopped; nothing is lost, to go on:\n  {again}")
        return 130
    print(f"the training has ended: {ended}")
    if not training.done:
        print(f"to go on with it:\n  {again}")
    results.show(parsed.name, uri)
    return 1 if not training.sent or (training.done and not training.completed) else 0
