"""Give a search another name: its folder, its runs and its models."""

import argparse

from experiments.cli.parsing import add_tracking_uri, search_name

EXAMPLE = "recurrent rename add50 adding-short"


def add(parser: argparse.ArgumentParser) -> None:
    text = "a search in this folder that is not running"
    parser.add_argument("old", metavar="OLD", type=search_name, help=text)
    parser.add_argument(
        "new", metavar="NEW", type=search_name, help="a name that no search in this folder or store has"
    )
    add_tracking_uri(parser)


def run(parsed: argparse.Namespace) -> int:
    from experiments.launcher.rename import rename
    from tracking.store import resolve

    rename(parsed.old, parsed.new, resolve(parsed.tracking_uri))
    print(f"{parsed.old} is now {parsed.new}")
    return 0
