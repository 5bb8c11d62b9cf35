"""What the commands share: the parser and the types of arguments."""

import argparse
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from experiments.config.units import MOST, MOST_SEED, parse_name, parse_whole
from tracking.errors import BadInput
from tracking.text import did_you_mean

PREFER = (
    "of the candidates whose score is worse than the best by at most 2%% of its distance to the weakest floor, take the"
    " one with the fewest parameters (small:2%%) or milliseconds of a step (fast:2%%); none: take the best"
)


class Parser(argparse.ArgumentParser):
    """Answers bad input with one line and exit code 2."""

    def __init__(self, **more: Any) -> None:
        more.update(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)
        super().__init__(**more)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")

    def refuse_unknown(self, words: Sequence[str]) -> None:
        """Refuses the words that the parser did not know, if there are any."""
        if not words:
            return
        flag = words[0].partition("=")[0]
        hint = did_you_mean(flag, self._option_string_actions) if flag.startswith("-") else ""
        self.error(f"unrecognized arguments: {' '.join(words)}{hint}")


class ShowVersion(argparse.Action):
    """Prints the version of this project, and ends. It is looked up only then."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        from experiments.system.versions import own_version

        print(f"recurrent-search {own_version() or 'of an unknown version'}")
        parser.exit()


def whole(least: int, below: int = MOST) -> Callable[[str], int]:
    """The type of an argument that is a whole number, at least `least` and below `below`."""
    return _typed(lambda text: parse_whole(text, least, below))


def wholes(text: str) -> list[int]:
    """The type of an argument that is a list of whole numbers from 1 on, separated by commas."""
    return [whole(1)(part) for part in text.split(",")]


def real(text: str) -> float:
    """The type of an argument that is any number."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number, got {text[:60]!r}") from None


def search_name(text: str) -> str:
    """The type of an argument that is the name of a search."""
    return str(_typed(parse_name)(text))


def _typed(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    def convert(text: str) -> Any:
        try:
            return parse(text)
        except BadInput as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert


def task_options(words: list[str]) -> dict[str, str]:
    """The values of -o: {"length": "50"} of ["length=50"]. Raises BadInput."""
    for word in words:
        if "=" not in word.removeprefix("="):
            raise BadInput(f"-o: expected KEY=VALUE, got {word!r}")
    return dict(word.split("=", 1) for word in words)


def add_seed(parser: argparse.ArgumentParser, text: str, default: Any) -> None:
    """Adds --seed."""
    parser.add_argument("--seed", metavar="N", type=whole(0, MOST_SEED), default=default, help=text)


def add_prefer(parser: argparse.ArgumentParser) -> None:
    """Adds --prefer to a command that reads a search."""
    parser.add_argument("--prefer", metavar="HOW", help=f"{PREFER} (default: as the search was run)")


def add_tracking_uri(parser: argparse.ArgumentParser) -> None:
    """Adds --tracking-uri."""
    text = "MLflow store (default: $MLFLOW_TRACKING_URI, else mlflow.db in this folder)"
    parser.add_argument("--tracking-uri", metavar="URI", help=text)
