"""The command line's arguments: names, defaults, help texts."""

import argparse
import dataclasses
import re
from typing import Any, NoReturn

from experiments.config.spec import Spec

DEFAULTS = {field.name: field.default for field in dataclasses.fields(Spec)}
RESUME = "go on with the search of this --name, or begin it; --trials, --workers, --tracking-uri and limits may change"
RECIPE = "search over --init, --bias, --clip, --optimizer, --residual and --bidirectional; each can be narrowed"
OPTION = "an option of the task: its knob, train=N, val=N, test=N, …; `recurrent tasks TASK` lists them"
MOST = 2**31
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Parser(argparse.ArgumentParser):
    """Answers bad input with one line and exit code 2."""

    def __init__(self, **more: Any) -> None:
        more.update(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)
        super().__init__(**more)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def parser() -> Parser:
    """`recurrent` with its commands; a parsed command's name is in `command`."""
    top = Parser(
        prog="recurrent",
        description="Which recurrent cell, how deep and how wide, remembers what my sequences need?",
        epilog="recurrent COMMAND --help tells more about a command.",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _search(commands)
    _results(commands)
    _horizon(commands)
    _tasks(commands)
    _sync(commands)
    _kernels(commands)
    _doctor(commands)
    _ui(commands)
    _export(commands)
    _sample(commands)
    return top


def _command(commands: Any, name: str, text: str, example: str) -> Parser:
    made: Parser = commands.add_parser(name, help=text, description=text, epilog=f"example:\n  {example}")
    return made


def _search(commands: Any) -> None:
    made = _command(
        commands,
        "search",
        "train many candidates on a task, every trial logged to MLflow",
        "recurrent search adding -o length=50 --cells lstm,gru --depth 1:2 --trials 6 --workers 2 --name add50",
    )
    made.add_argument("task", metavar="TASK", help="what `recurrent tasks` lists, or a file: DATA.npz, TASK.py")
    made.add_argument("-o", dest="options", action="append", default=[], metavar="KEY=VALUE", help=OPTION)

    def add(flag: str, metavar: str, text: str, **more: Any) -> None:
        default = DEFAULTS[flag.removeprefix("--").replace("-", "_")]
        made.add_argument(flag, metavar=metavar, help=f"{text} (default: {default})", **more)

    made.add_argument("--cells", metavar="A,B", help="cells to choose from (default: all: simple_rnn,gru,lstm)")
    add("--depth", "A:B", "recurrent layers: a range like 1:3, a number, or a list like 1,2")
    add("--width", "A:B", "units of a layer: a range in steps of 16, or a list like 32,64")
    made.add_argument("--mixed", action="store_true", default=None, help="each layer has a cell and a width of its own")
    add("--learning-rate", "A:B", "an interval, drawn on a log scale, or a list like 0.001,0.01")
    add("--schedule", "NAME", "of the learning rate: constant, or cosine, which falls to zero at the last epoch")
    add("--dropout", "A:B", "between recurrent layers, an interval or a list")
    _recipe(made, add)
    for flag, least, text in (
        ("--batch", 1, "sequences of a training step"),
        ("--epochs", 1, "passes over the training split"),
        ("--trials", 1, "candidates in all; with --oracle grid the whole space"),
        ("--executions", 1, "seeded trainings of each candidate; its score is their mean"),
    ):
        add(flag, "N", text, type=_whole(flag, least))
    add("--oracle", "NAME", "what proposes candidates: random, grid (all, the largest first) or tpe")
    add("--pruner", "NAME", "what gives up candidates after 3 epochs: none, median, halving, hyperband; with grid none")
    add("--patience", "N", "epochs without a better score that end a training; 0: never", type=_whole("--patience", 0))
    add("--time-limit", "T", "of the search, like 45m: then it stops, and --resume goes on")
    add("--target", "SCORE", "the search stops when a candidate's score has reached it")
    add("--trial-time-limit", "T", "of one training, like 10m: then its best epoch counts, and without one it fails")
    add("--memory-limit", "SIZE", "of a worker, like 4G: beyond it its trial fails; auto is 80%% of RAM / workers")
    text = "do not measure how far back the gradient of each candidate reaches"
    made.add_argument("--no-horizon", action="store_true", default=None, help=text)
    made.add_argument(
        "--workers",
        metavar="N",
        default="auto",
        help="processes; auto: one per GPU or core, as memory allows (default: auto)",
    )
    add("--seed", "N", "of data, proposals and training", type=_whole("--seed", 0, 2**63))
    made.add_argument("--name", type=_name, help="of the search, new in its store (default: the task and a number)")
    made.add_argument("--resume", action="store_true", help=RESUME)
    _tracking(made)


def _recipe(made: Parser, add: Any) -> None:
    made.add_argument("--recipe", action="store_true", default=None, help=RECIPE)
    add(
        "--init", "A,B", "initialisations: default, orthogonal (per gate), identity, chrono, for the cells that have it"
    )
    add("--bias", "A:B", "of LSTM's forget and GRU's keep gate, an interval or a list like 0,1,5")
    add("--clip", "A:B", "norm of all gradients that is clipped to, an interval or a list like 0.25,1,5; 0: none")
    add("--optimizer", "A,B", "adam, rmsprop")
    add("--residual", "A,B", "from the second layer on add its input to its output: no, yes or both as no,yes")
    add("--bidirectional", "A,B", "read from both ends, where a task is answered at the end: no, yes or no,yes")


def _results(commands: Any) -> None:
    made = _command(commands, "results", "what a search found, read from MLflow", "recurrent results add50 --json")
    made.add_argument("name", nargs="?", metavar="NAME", help="the search; without it all searches are listed")
    made.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    _tracking(made)


def _horizon(commands: Any) -> None:
    text = "how far back the gradient of each cell's best candidate reaches, as a figure and a table"
    made = _command(commands, "horizon", text, "recurrent horizon add50 --to horizon.png")
    made.add_argument("name", metavar="NAME", help="the search")
    made.add_argument("--to", metavar="FILE", help="the figure: .png, .svg or .pdf (default: NAME-horizon.png)")
    _tracking(made)


def _tasks(commands: Any) -> None:
    made = _command(commands, "tasks", "the tasks, their knobs and floors", "recurrent tasks adding --show 3")
    made.add_argument("name", nargs="?", metavar="NAME", help="one task with its definition and options")
    made.add_argument("--show", metavar="N", type=_whole("--show", 1), help="N samples, readably (default: none)")
    made.add_argument("--json", action="store_true", help="JSON instead of text")


def _kernels(commands: Any) -> None:
    text = "measure how fast each kernel is on this machine; two to three minutes"
    made = _command(commands, "kernels", text, "recurrent kernels --cells gru --lengths 100")
    made.add_argument("--cells", metavar="A,B", help="(default: all: simple_rnn,gru,lstm)")
    for flag, default, what in (
        ("--lengths", "30,100,200", "of sequences"),
        ("--widths", "32,128", "units of the layer"),
    ):
        text = f"{what} (default: {default})"
        made.add_argument(flag, metavar="A,B", type=_wholes(flag), default=default, help=text)
    made.add_argument("--json", action="store_true", help="JSON instead of a table")


def _doctor(commands: Any) -> None:
    text = "what this machine has of what a search needs, and what to install for what is missing"
    made = _command(commands, "doctor", text, "recurrent doctor")
    made.add_argument("--json", action="store_true", help="JSON instead of text")
    _tracking(made)


def _sync(commands: Any) -> None:
    text = "send to MLflow what a search could not send while its server was away"
    made = _command(commands, "sync", text, "recurrent sync add50")
    made.add_argument("name", metavar="NAME", type=_name, help="a search in this folder that is not running")
    _tracking(made)


def _ui(commands: Any) -> None:
    made = _command(commands, "ui", "MLflow's UI on the searches of this folder", "recurrent ui --port 5000")
    made.add_argument("--port", metavar="N", type=_whole("--port", 1), help="default: 5000, or a free one")
    _tracking(made)


def _export(commands: Any) -> None:
    made = _command(
        commands, "export", "a search's best model as files, reloaded and re-scored", "recurrent export add50 --to best"
    )
    made.add_argument("name", metavar="NAME", help="the search")
    made.add_argument(
        "--to", metavar="DIR", required=True, help="a new folder; an earlier export of this search there is replaced"
    )
    _tracking(made)


def _sample(commands: Any) -> None:
    made = _command(
        commands, "sample", "text from an exported language model", 'recurrent sample best --prompt "The " --length 200'
    )
    made.add_argument("folder", metavar="DIR", help="what export has written")
    made.add_argument(
        "--prompt", default="", help="the text to go on from, --prompt=-x for one that begins with - (default: none)"
    )
    made.add_argument(
        "--length", metavar="N", type=_whole("--length", 1), default=200, help="characters (default: 200)"
    )
    made.add_argument("--temperature", metavar="T", type=_real, default=1.0, help="0 is greedy (default: 1.0)")
    made.add_argument(
        "--top-k",
        metavar="K",
        type=_whole("--top-k", 0),
        default=0,
        help="the K likeliest alone; 0 is all (default: 0)",
    )
    made.add_argument("--top-p", metavar="P", type=_real, default=1.0, help="the likeliest of mass P (default: 1.0)")
    made.add_argument("--seed", metavar="N", type=_whole("--seed", 0, 2**63), default=0, help="(default: 0)")


def _tracking(made: Parser) -> None:
    text = "MLflow store (default: $MLFLOW_TRACKING_URI, else mlflow.db in this folder)"
    made.add_argument("--tracking-uri", metavar="URI", help=text)


def _whole(flag: str, least: int, below: int = MOST) -> Any:
    def convert(text: str) -> int:
        if not re.fullmatch(r"-?\d{1,20}", text, re.ASCII) or not least <= int(text) < below:
            bound = "" if below == 2**63 else f" below {below:,}"
            raise argparse.ArgumentTypeError(f"expected a whole number from {least}{bound}, got {text[:60]!r}")
        return int(text)

    return convert


def _wholes(flag: str) -> Any:
    return lambda text: [_whole(flag, 1)(part) for part in text.split(",")]


def _real(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number, got {text[:60]!r}") from None


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"expected letters, digits, '.', '_' and '-', got {text!r}")
    return text


def options(words: list[str]) -> dict[str, str]:
    """{"length": "50"} of ["length=50"]."""
    for word in words:
        if "=" not in word.removeprefix("="):
            raise ValueError(f"-o: expected KEY=VALUE, got {word!r}")
    return dict(word.split("=", 1) for word in words)
