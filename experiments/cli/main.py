"""Runs `recurrent COMMAND`: parses the command line, runs the command and reports an error in one line."""

import argparse
import importlib
import inspect
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from experiments.cli import commands, streams
from experiments.cli.parsing import Parser, ShowVersion
from experiments.launcher.signals import signals
from experiments.system.environment import set_environment
from tracking.text import did_you_mean


def names() -> list[str]:
    """The names of all commands."""
    return sorted(path.stem for path in Path(commands.__file__).parent.glob("[a-z]*.py"))


def load(name: str) -> ModuleType:
    """The module of a command."""
    return importlib.import_module(f"experiments.cli.commands.{name}")


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The command line as `parser` reads it. An unknown command or option ends the process with one line."""
    top, commands = parser()
    if words and not words[0].startswith("-") and words[0] not in commands:
        known = ", ".join(commands)
        top.error(f"COMMAND: expected one of {known}, got {words[0]!r}{did_you_mean(words[0], commands)}")
    parsed, unknown = top.parse_known_args(words)
    commands[parsed.command].refuse_unknown(unknown)
    return parsed


def parser() -> tuple[Parser, dict[str, Parser]]:
    """The parser of `recurrent`, and that of each command. After parsing, `command` is the name of the command."""
    top = Parser(
        prog="recurrent",
        description="Which recurrent cell, how deep and how wide, remembers what my sequences need?",
        epilog="recurrent COMMAND --help tells more about a command.",
    )
    top.add_argument("--version", action=ShowVersion, help="show the version and exit")
    found = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in names():
        module = load(name)
        text = inspect.cleandoc(module.__doc__ or "")
        epilog = f"example:\n  {module.EXAMPLE}"
        module.add(found.add_parser(name, help=text.splitlines()[0], description=text, epilog=epilog))
    return top, found.choices


def main(words: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code: 0, 1 for a failure, 2 for bad input, 130 after Ctrl-C."""
    words = sys.argv[1:] if words is None else words
    streams.prepare()
    command = words[0] if words else ""
    try:
        with signals(_interrupt):  # by default SIGTERM, and SIGHUP of a closing terminal, leave temporary files
            code = _run(words)
    except SystemExit as end:  # of the parser, which has printed a help text, the version, or what is wrong
        if command != "search" and isinstance(end.__context__, BrokenPipeError):  # Rich raises this for it
            return 0
        if isinstance(end.code, int):
            end.code = streams.write_out(end.code, command)
        raise
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        streams.drop()
        code = 0
    except Exception as error:
        code = _failed(command, error)
    return streams.write_out(code, command)


def _interrupt() -> None:
    raise KeyboardInterrupt


def _run(words: Sequence[str]) -> int:
    """Runs one command; returns its exit code."""
    parsed = parse(words)
    parsed.words = words
    set_environment()
    return int(load(parsed.command).run(parsed))


def _failed(command: str, error: Exception) -> int:
    """Says what went wrong; returns 2 for what a user can mend, 1 for a defect of ours."""
    line = _line(error)
    if os.environ.get("RECURRENT_DEBUG") or not line:
        if not line:
            print("this is a defect of recurrent-search; please report what follows:", file=sys.stderr)
        traceback.print_exception(error)
    if line:
        print(f"recurrent {command}: {line}", file=sys.stderr)
    return 2 if line else 1


def _line(error: Exception) -> str:
    """The message of an error that a user can mend, in one line; "" for a defect of ours."""
    from experiments.config.folders import FULL_DISK
    from experiments.tasks.loading.checks import fault
    from tracking.errors import RecurrentError

    if isinstance(error, RecurrentError):
        return str(error).splitlines()[0]
    if line := fault(error):
        return line.splitlines()[0]
    if isinstance(error, FileNotFoundError) and not error.filename and not _is_somewhere():
        return "the current folder: expected one that is there, got one that was deleted; change to another one"
    if isinstance(error, OSError) and (error.filename or error.errno in FULL_DISK):
        reason = error.strerror or " ".join(map(str, error.args)) or type(error).__name__
        return f"{error.filename}: {reason}" if error.filename else reason
    if isinstance(error, MemoryError):
        return f"expected what fits into memory, got: {error}"
    return ""


def _is_somewhere() -> bool:
    """False if the current folder was deleted."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return False
    return True
