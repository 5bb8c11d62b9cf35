"""Delete a search: its runs and models in MLflow, and its folder."""

import argparse
import shlex
import sys

from experiments.cli.parsing import add_tracking_uri, search_name
from tracking.errors import BadInput

EXAMPLE = "recurrent delete add50"


def add(parser: argparse.ArgumentParser) -> None:
    text = "a search that is not running, of this folder or of the store"
    parser.add_argument("name", metavar="NAME", type=search_name, help=text)
    parser.add_argument("--yes", action="store_true", help="do not ask")
    text = "for ever: what MLflow's trash has of the search goes too, and nothing can be restored"
    parser.add_argument("--purge", action="store_true", help=text)
    text = "also if it runs in another folder as the store says, is recorded in another store, or has registered models"
    parser.add_argument("--force", action="store_true", help=text)
    add_tracking_uri(parser)


def run(parsed: argparse.Namespace) -> int:
    from experiments.config.folders import SEARCHES, SearchFolder
    from experiments.launcher.claim import held
    from experiments.launcher.delete import find
    from tracking.store import resolve, uri_arguments

    uri, folder = resolve(parsed.tracking_uri), SearchFolder(SEARCHES / parsed.name)
    with held(folder):
        found = find(folder, uri, parsed.purge, parsed.force)
        if not parsed.yes and not _agreed(f"{parsed.name}: delete {found.text()}?"):
            print("nothing was deleted")
            return 1
        found.run()
    left = found.left(shlex.join(["recurrent", "delete", parsed.name, "--purge", *uri_arguments(uri)]))
    print(f"{parsed.name}: deleted" + (f"; {left}" if left else ""))
    return 0


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise BadInput("--yes: expected with it where nobody can answer a question, got none")
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:  # Ctrl-D
        print()
        return False
