"""Give a search another name: its folder, its runs and its models.

A copy of a search's folder would write to the same runs of a server as the original. So --resume of the copy is
refused. With --new-id the copy becomes a new search, and --resume sends all of its trials again.
"""

import argparse
import shlex

from experiments.cli.parsing import add_tracking_uri, search_name
from tracking.errors import BadInput

EXAMPLE = "recurrent rename add50 adding-short"


def add(parser: argparse.ArgumentParser) -> None:
    text = "a search in this folder that is not running"
    parser.add_argument("old", metavar="OLD", type=search_name, help=text)
    text = "a name that no search in this folder or store has; --new-id needs none: it takes OLD, or OLD and a number"
    parser.add_argument("new", metavar="NEW", type=search_name, nargs="?", help=text)
    text = "make a copy of a search a new search; the original keeps its runs"
    parser.add_argument("--new-id", action="store_true", help=text)
    add_tracking_uri(parser)


def run(parsed: argparse.Namespace) -> int:
    from tracking.store import resolve

    uri = resolve(parsed.tracking_uri)
    if parsed.new_id:
        return _copy(parsed.old, parsed.new, uri)
    if parsed.new is None:
        raise BadInput("NEW: expected a name, or --new-id, got none")
    from experiments.launcher.rename import rename

    rename(parsed.old, parsed.new, uri)
    print(f"{parsed.old} is now {parsed.new}")
    return 0


def _copy(old: str, new: str | None, uri: str) -> int:
    """Makes a copy of a search a search of its own."""
    from experiments.config.folders import SEARCHES, SearchFolder, no_search
    from experiments.config.spec import Spec
    from experiments.launcher.copies import new_id
    from tracking.store import uri_arguments

    folder = SearchFolder(SEARCHES / old)
    if not folder.spec.exists():
        raise BadInput(no_search("OLD", old))
    task, name = Spec.read(folder).task, new_id(folder, uri, new)
    again = shlex.join(["recurrent", "search", task, "--name", name, "--resume", *uri_arguments(uri)])
    print(f"{old} is now {name}, a search of its own; to go on with it:\n  {again}")
    return 0
