"""Train many candidates on a task, every trial logged to MLflow."""

import argparse
import dataclasses
import shlex
import sys
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from experiments.cli.commands import results
from experiments.cli.engine import add_engine, chosen
from experiments.cli.parsing import PREFER, add_seed, add_tracking_uri, search_name, task_options, whole
from experiments.config.spec import BUCKETS, EMBEDDING_SPREAD, Spec
from experiments.system.console import console
from search_spaces import cells
from tracking.errors import BadInput, RecurrentError

if TYPE_CHECKING:
    from experiments.launcher.engine import Where

EXAMPLE = "recurrent search adding -o length=50 --cells lstm,gru --depth 1:2 --trials 6 --workers 2 --name add50"
DEFAULTS = {field.name: field.default for field in dataclasses.fields(Spec)}
OPTION = "an option of the task: its knob, train=N, val=N, test=N, …; `recurrent tasks TASK` lists them"
RECIPE = "search over --init, --bias, --clip, --optimizer, --residual and --bidirectional; each can be narrowed"
RESUME = (
    "go on with the search of this --name, or begin it; --trials, --workers, --prefer, --record, --tracking-uri and"
    " limits may change"
)


def add(parser: argparse.ArgumentParser) -> None:
    text = "a task of `recurrent tasks`, or a file: DATA.npz, PAIRS.tsv or TASK.py; may be left out if --spec names it"
    parser.add_argument("task", nargs="?", metavar="TASK", help=text)
    parser.add_argument("-o", dest="options", action="append", default=[], metavar="KEY=VALUE", help=OPTION)
    _space(parser)
    _recipe(parser)
    _attention(parser)
    _training(parser)
    _choosing(parser)
    _limits(parser)
    add_engine(parser, "run trials")
    add_seed(parser, "seed of data, proposals and training (default: 0)", None)
    text = "name of the search, new in the MLflow store (default: the task and a free number)"
    parser.add_argument("--name", type=search_name, help=text)
    parser.add_argument("--resume", action="store_true", help=RESUME)
    text = "a file in TOML with these options by their names; what is typed goes before it (default: none)"
    parser.add_argument("--spec", metavar="FILE", help=text)
    text = "trials whose curves MLflow gets: all, or best:N, the N best ones; the others have only their last values"
    _add(parser, "--record", "WHAT", text)
    add_tracking_uri(parser)


def _add(parser: argparse.ArgumentParser, flag: str, metavar: str, text: str, **more: Any) -> None:
    """Adds an option whose default is that of `Spec`. Its help shows the default."""
    default = DEFAULTS[flag.removeprefix("--").replace("-", "_")]
    parser.add_argument(flag, metavar=metavar, help=f"{text} (default: {default})", **more)


def _switch(parser: argparse.ArgumentParser, flag: str, text: str) -> None:
    """Adds an option without a value. It is None if it is not given, so that --resume keeps what the search has."""
    parser.add_argument(flag, action="store_true", default=None, help=text)


def _space(parser: argparse.ArgumentParser) -> None:
    others = ", ".join(name for name in cells.names() if name not in cells.searched())
    text = f"cells to choose from (default: all: {','.join(cells.searched())}; {others} only if named)"
    parser.add_argument("--cells", metavar="A,B", help=text)
    _add(parser, "--depth", "A:B", "recurrent layers: a range like 1:3, a number, or a list like 1,2")
    _add(parser, "--width", "A:B", "units of a layer: a range in steps of 16, or a list like 32,64")
    _switch(parser, "--mixed", "each layer has its own cell and width")
    _add(parser, "--learning-rate", "A:B", "an interval, drawn on a log scale, or a list like 0.001,0.01")
    text = "constant, or cosine: the learning rate falls to zero by the end of the last epoch"
    _add(parser, "--schedule", "NAME", text)
    _add(parser, "--dropout", "A:B", "share of values that are dropped between recurrent layers, an interval or a list")


def _recipe(parser: argparse.ArgumentParser) -> None:
    _switch(parser, "--recipe", RECIPE)
    text = f"initialisations: {', '.join(cells.all_inits())}, each for the cells that have it; orthogonal is per gate"
    _add(parser, "--init", "A,B", text)
    gates = " and ".join(f"{name}'s {cells.facts(name).keep_gate}" for name in cells.with_keep_gate())
    _add(parser, "--bias", "A:B", f"first bias of {gates} gate, an interval or a list like 0,1,5")
    text = "largest norm of all gradients together, an interval or a list like 0.25,1,5; 0: no clipping"
    _add(parser, "--clip", "A:B", text)
    _add(parser, "--optimizer", "A,B", "optimizers to choose from: adam, rmsprop")
    _add(parser, "--momentum", "A:B", "share of the last step that rmsprop adds to the next, an interval or a list")
    _add(parser, "--memory", "RxC", "rows and columns of ntm's memory, or a list like 64x20,128x20")
    _add(parser, "--controller", "A,B", "what steers ntm's memory: feed-forward, lstm, or both")
    text = "from the second layer on, a layer adds its input to its output: no, yes, or both as no,yes"
    _add(parser, "--residual", "A,B", text)
    text = "read from both ends, only if the task is answered at the end: no, yes, or both as no,yes"
    _add(parser, "--bidirectional", "A,B", text)


def _attention(parser: argparse.ArgumentParser) -> None:
    text = "how a decoder looks at its source: none, dot, or both as none,dot (default: both for a task with a source)"
    parser.add_argument("--attention", metavar="A,B", help=text)
    text = "standard deviation of the first embeddings of tokens; the word default: Keras' own, 0.3 with a source"
    more = f"{text} (default: {EMBEDDING_SPREAD} for a task with embeddings and no source)"
    parser.add_argument("--embedding-spread", metavar="S", help=more)


def _training(parser: argparse.ArgumentParser) -> None:
    _add(parser, "--batch", "N", "sequences of a training step", type=whole(1))
    text = "lengths that batches are cut to, so that padding takes little time; 1: none is cut"
    more = f"{text} (default: {BUCKETS} for a task with a source, else 1)"
    parser.add_argument("--buckets", metavar="N", type=whole(1), help=more)
    text = "what computes the recurrent layers on a processor: auto, native, xla or loop (default: auto)"
    parser.add_argument("--kernel", metavar="NAME", help=text)
    text = "passes over the training split (default: as `recurrent tasks TASK` shows; own data: 10)"
    parser.add_argument("--epochs", metavar="N", type=whole(1), help=text)
    text = "candidates in all (default: as `recurrent tasks TASK` shows; own data: 20; --oracle grid: the whole space)"
    parser.add_argument("--trials", metavar="N", type=whole(1), help=text)
    text = (
        "seeded trainings of each candidate; the score is their mean; the model is that of the middle one, best first;"
        " of an even number it is the worse of the two in the middle"
    )
    _add(parser, "--executions", "N", text, type=whole(1))


def _choosing(parser: argparse.ArgumentParser) -> None:
    _add(parser, "--oracle", "NAME", "what proposes candidates: random, grid (all, the largest ones first) or tpe")
    text = "least number of trials of each cell: fair (3 of each, later half of an equal share), equal or best (any)"
    parser.add_argument("--allocate", metavar="NAME", help=f"{text} (default: fair; grid takes none)")
    text = "what prunes candidates, after 3 epochs or later: none, median, halving, hyperband; with grid none"
    _add(parser, "--pruner", "NAME", text)
    _add(parser, "--patience", "N", "epochs without a better score that end a training; 0: never", type=whole(0))
    _add(parser, "--prefer", "HOW", PREFER)


def _limits(parser: argparse.ArgumentParser) -> None:
    _add(parser, "--time-limit", "T", "time after which the search stops, like 45m; --resume goes on with it")
    text = "time that is filled with trials, like 30m, in place of --trials and --time-limit (default: none)"
    parser.add_argument("--budget", metavar="T", help=text)
    _add(parser, "--target", "SCORE", "the search stops when a candidate's score has reached it")
    text = "time after which one training stops, like 10m; its best epoch counts; without an epoch the trial fails"
    _add(parser, "--trial-time-limit", "T", text)
    text = "memory of a worker, like 4G; above it the worker's trial fails; auto is 80%% of RAM / workers"
    _add(parser, "--memory-limit", "SIZE", text)
    text = "then train the best K candidates of each cell again from 5 fresh seeds, as `recurrent finals` does"
    _add(parser, "--finals", "K", text, type=whole(0))
    _add(parser, "--finals-time-limit", "T", "time after which the finals stop; --time-limit ends before them")
    _switch(parser, "--no-horizon", "do not measure how far back the gradient of each candidate reaches")


def run(parsed: argparse.Namespace) -> int:
    from experiments.engines import WorkersDied
    from experiments.launcher.launch import Launch
    from experiments.launcher.settings import search_spec
    from tracking.store import resolve

    parsed, blamed = _with_file(parsed)
    uri = resolve(parsed.tracking_uri)
    if not parsed.task:
        raise BadInput("TASK: expected a task of `recurrent tasks`, or a file DATA.npz, PAIRS.tsv or TASK.py, got none")
    with blamed:
        options, given = task_options(parsed.options), _given(parsed)
        spec, task = search_spec(parsed.task, options, parsed.name, parsed.resume, uri, **given)
    place = chosen(parsed)
    launch = Launch(spec, task, parsed.resume, place, uri, console(), unnamed=not parsed.name, early=True)
    try:
        ended = launch.run()
    except WorkersDied as error:
        print(f"recurrent search: {error}", file=sys.stderr)
        return 1
    if ended == "interrupted":
        print(f"stopped; finished trials stay, the others come again with:\n  {_again(parsed, launch.spec.name)}")
        return 130
    print(f"the search has ended: {ended}")
    if launch.spec.finals:
        code = _finals(parsed, launch.spec, place, uri)
        if code:
            return code
    return _show(launch.spec.name, uri, launch.sent)


def _finals(parsed: argparse.Namespace, spec: Spec, place: "Where", uri: str) -> int:
    """Runs the finals of the search; returns 0, or the exit code with which the command ends at once."""
    from experiments.engines import WorkersDied
    from experiments.launcher.finals import Finals, at_least
    from tracking.store import uri_arguments

    try:
        wanted = {"top": at_least(spec.name, spec.finals)}
        finals = Finals(spec.name, wanted, place, spec.finals_time_limit, uri, console())
        ended = finals.run()
    except (WorkersDied, RecurrentError) as error:  # the search itself is done
        print(f"recurrent search: finals: {error}", file=sys.stderr)
        _show(spec.name, uri, sent=False)
        return 1
    if ended == "interrupted":
        print(f"stopped; the search is done, its finals go on with:\n  {_again(parsed, spec.name)}")
        return 130
    print(f"the finals have ended: {ended}")
    if not finals.done:
        print(f"to go on with them:\n  {shlex.join(['recurrent', 'finals', spec.name, *uri_arguments(uri)])}")
    return 0


def _with_file(typed: argparse.Namespace) -> tuple[argparse.Namespace, AbstractContextManager[None]]:
    """The command line together with the file of --spec, and a block whose errors name the keys of the file."""
    if not typed.spec:
        return typed, nullcontext()
    from experiments.cli.main import parser
    from experiments.cli.spec_file import SpecFile

    ours = parser()[1]["search"]
    file = SpecFile(typed.spec, ours)
    parsed = ours.parse_args([*file.words(typed), *typed.words[1:]])  # of two equal options the later one counts
    parsed.words = typed.words
    return parsed, file.blamed(typed)


def _given(parsed: argparse.Namespace) -> dict[str, Any]:
    """The fields of a spec that the command line gives."""
    given = {name: getattr(parsed, name, None) for name in DEFAULTS if name not in ("name", "task", "options")}
    return given | {"cells": None if parsed.cells is None else parsed.cells.split(","), "budget": parsed.budget}


def _again(parsed: argparse.Namespace, name: str) -> str:
    """The command line that goes on with the search."""
    more = [] if parsed.name else ["--name", name]
    more += [] if parsed.resume else ["--resume"]
    return shlex.join(["recurrent", *parsed.words, *more])


def _show(name: str, uri: str, sent: bool) -> int:
    from tracking.store import uri_arguments

    try:
        shown = results.show(name, uri)
    except RecurrentError as error:  # the server has gone meanwhile
        sync = shlex.join(["recurrent", "sync", name, *uri_arguments(uri)])
        print(f"recurrent search: the search is done, but {error}; to send it:\n  {sync}", file=sys.stderr)
        return 1
    return shown if sent else 1
