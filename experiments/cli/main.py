"""`recurrent COMMAND`: parses the words, runs the command, and says in one line what is wrong with them."""

import argparse
import importlib
import inspect
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from experiments.cli import commands
from experiments.cli.parsing import Parser

QUIET = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "PYTHONWARNINGS": "ignore",
    "GRPC_VERBOSITY": "NONE",
    "PYTHONSAFEPATH": "1",  # a user's signal.py in the current folder is not imported by a worker
}


def names() -> list[str]:
    """Every command there is."""
    return sorted(path.stem for path in Path(commands.__file__).parent.glob("[a-z]*.py"))


def load(name: str) -> ModuleType:
    """The module of a command."""
    return importlib.import_module(f"experiments.cli.commands.{name}")


def parser() -> Parser:
    """`recurrent` with its commands; a parsed command's name is in `command`."""
    top = Parser(
        prog="recurrent",
        description="Which recurrent cell, how deep and how wide, remembers what my sequences need?",
        epilog="recurrent COMMAND --help tells more about a command.",
    )
    found = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in names():
        module = load(name)
        text = inspect.cleandoc(module.__doc__ or "")
        epilog = f"example:\n  {module.EXAMPLE}"
        module.add(found.add_parser(name, help=text.splitlines()[0], description=text, epilog=epilog))
    return top


def main(words: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code: 2 for bad input, 1 for what failed, 130 after Ctrl-C."""
    words = sys.argv[1:] if words is None else words
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that cannot show a character shows "?", not an error
            stream.reconfigure(errors="replace")
    parsed = parser().parse_args(words)
    parsed.words = words
    for name, value in QUIET.items():  # before anything imports TensorFlow
        os.environ.setdefault(name, value)
    try:
        return int(load(parsed.command).run(parsed))
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
