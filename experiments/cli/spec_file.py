"""A search as a file in TOML: what `search --spec` reads, and what `results NAME --spec` prints.

    task = "adding"
    cells = ["lstm", "gru"]
    trials = 30             # a comment

    [options]
    length = 200

The keys are the options of `recurrent search`, with _ for -. They are read from its parser, so a new option is a new
key. `[options]` has the options of the task. A path in a file begins in the current folder, as a typed one does.
"""

import argparse
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from experiments.cli.parsing import Parser, task_options
from experiments.config.given import as_switch, as_text, option_text
from experiments.config.spec import Spec
from tracking.errors import BadInput, RecurrentError
from tracking.text import did_you_mean

OPTIONS = "options"  # the table of the task's options
NO_KEYS = ("help", "spec")  # options of the command line that a file cannot have
BARE = re.compile(r"[A-Za-z0-9_-]+")  # a key of TOML that needs no quotes
NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?(e[+-]?\d+)?")  # a text that is a number of TOML


def keys(parser: Parser) -> dict[str, argparse.Action]:
    """The keys that a file may have, with their options."""
    return {action.dest: action for action in parser._actions if action.dest not in NO_KEYS}


class SpecFile:
    """The file of `--spec`.

    Args:
        file: its path.
        parser: of `recurrent search`.

    Raises BadInput for a file that is no TOML, an unknown key and a value of another type than its option has.
    """

    def __init__(self, file: str, parser: Parser) -> None:
        self.file, self.keys = file, keys(parser)
        self.content = _read(file)
        for key in self.content:
            if key not in self.keys:
                expected = "expected an option of `recurrent search`, got an unknown key"
                raise BadInput(f"{file}: {key}: {expected}{did_you_mean(key, self.keys)}")

    def words(self, typed: argparse.Namespace) -> list[str]:
        """The words of a command line that say the same, for all keys but a task that is typed.

        Args:
            typed: the command line without the file.
        """
        found: list[str] = []
        for key, value in self.content.items():
            action = self.keys[key]
            if action.option_strings:
                found += self._option(action, value)
            elif getattr(typed, key) is None:
                found.append(self._text(action, value))
        return found

    def _option(self, action: argparse.Action, value: Any) -> list[str]:
        flag = action.option_strings[-1]
        if action.dest == OPTIONS:
            return [f"{flag}{key}={text}" for key, text in self._options(value).items()]
        if action.nargs == 0:
            return [flag] if as_switch(f"{self.file}: {action.dest}", value) else []
        return [f"{flag}={self._text(action, value)}"]

    def _text(self, action: argparse.Action, value: Any) -> str:
        """The value as it would be typed, checked as the command line checks it."""
        key = f"{self.file}: {action.dest}"
        text = as_text(key, value)
        try:
            if callable(action.type):
                action.type(text)
        except argparse.ArgumentTypeError as error:
            raise BadInput(f"{key}: {error}") from None
        return text

    def _options(self, table: Any) -> dict[str, str]:
        if not isinstance(table, dict):
            raise BadInput(f"{self.file}: {OPTIONS}: expected a table, [{OPTIONS}], got {str(table)[:60]!r}")
        for key in table:
            if not key or "=" in key:
                raise BadInput(f"{self.file}: [{OPTIONS}]: expected the name of an option of the task, got {key!r}")
        return {key: option_text(f"{self.file}: [{OPTIONS}] {key}", value) for key, value in table.items()}

    @contextmanager
    def blamed(self, typed: argparse.Namespace) -> Iterator[None]:
        """Lets an error about a value of the file name the file and the key, in place of the option.

        Args:
            typed: the command line without the file.
        """
        try:
            yield
        except RecurrentError as error:
            argument, _, rest = str(error).partition(": ")
            if not (key := self._key(argument, rest, typed)):
                raise
            misplaced = key.startswith("[") and key.split()[1] in self.keys
            hint = f"; it belongs above [{OPTIONS}]" if misplaced else ""
            raise type(error)(f"{self.file}: {key}: {rest}{hint}") from error

    def _key(self, argument: str, rest: str, typed: argparse.Namespace) -> str:
        """The key of the file that an argument of a message stands for; "" if the file does not have it."""
        options = self.content.get(OPTIONS, {}).keys() - task_options(typed.options)
        unknown = re.search(r"got '(.+?)'", rest) if argument == "-o" else None
        option = unknown[1] if unknown else argument.removeprefix("-o ")
        if option in options:
            return f"[{OPTIONS}] {option}"
        key = argument.removeprefix("--").replace("-", "_")
        if key not in self.content or key == OPTIONS:
            return ""
        return key if getattr(typed, key) == self.keys[key].default else ""


def _read(file: str) -> dict[str, Any]:
    try:
        return tomllib.loads(Path(file).read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{file}: expected a file in TOML, got a mistake: {_with_line(error, file)}") from None
    except UnicodeDecodeError as error:
        raise BadInput(f"{file}: expected a file in TOML, which is UTF-8, got byte {error.start} that is not") from None
    except (OSError, ValueError) as error:  # a ValueError is a path with a zero byte
        reason = getattr(error, "strerror", None) or error
        raise BadInput(f"--spec: expected a file in TOML, got {file!r}: {reason}") from None


def _with_line(error: tomllib.TOMLDecodeError, file: str) -> str:
    """The message of a mistake in the syntax. At the end of a file Python names no line."""
    last = len(Path(file).read_text("utf-8").splitlines())
    return str(error).replace("(at end of document)", f"(at the end, line {last})")


def text(record: Mapping[str, Any], parser: Parser) -> str:
    """The file with which `recurrent search --spec` repeats a search.

    Args:
        record: the settings of the search, as its run in MLflow has them.
        parser: of `recurrent search`.
    """
    from experiments.tasks.base import READING  # it imports NumPy, which help texts do without

    spec = Spec.of(record)
    version = record.get("versions", {}).get("recurrent-search", "")
    lines = [f"# The search {spec.name}. `recurrent search --spec FILE` repeats it, under a new name."]
    lines.append(f"# It was made by version {version or 'unknown'}, commit {record.get('commit') or 'unknown'}.")
    if spec.reading != READING:
        lines.append("# An earlier version made it, which read users' files and lines of text in another way.")
    lines += [f"{key} = {_value(value)}" for key, value in _settings(spec, parser).items()]
    lines += ["", f"[{OPTIONS}]"]
    lines += [f"{_name(key)} = {_number_or_text(value)}" for key, value in spec.options.items()]
    return "\n".join(lines)


def _settings(spec: Spec, parser: Parser) -> dict[str, Any]:
    """The keys of a file with the values of a search, in the order of the help."""
    left_out = {"name", OPTIONS}
    more: dict[str, Any] = {}
    if spec.budget:
        left_out |= {"trials", "time_limit"}
        more = {"budget": spec.budget}
    if spec.oracle == "grid":
        left_out |= {"allocate"}  # a grid takes none
    values = spec.to_json() | more
    return {key: values[key] for key in keys(parser) if key in values and key not in left_out}


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return _quoted(value) if isinstance(value, str) else str(value)


def _number_or_text(value: str) -> str:
    """An option of a task, which the record has as a text."""
    return value if NUMBER.fullmatch(value) and str(_parsed(value)) == value else _quoted(value)


def _parsed(number: str) -> Any:
    return tomllib.loads(f"x = {number}")["x"]


def _name(key: str) -> str:
    return key if BARE.fullmatch(key) else _quoted(key)


def _quoted(value: str) -> str:
    """A text of TOML. JSON writes the same, but for one character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
