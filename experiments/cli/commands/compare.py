"""Two or more searches on one page: who wins and how sure, or, of different tasks, side by side."""

import argparse
from pathlib import Path

from experiments.cli.parsing import add_tracking_uri
from experiments.system.console import console, waiting

EXAMPLE = "recurrent compare recipes add50 --to compare.html"


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="+", metavar="NAME", help="the searches, two or more")
    parser.add_argument("--to", metavar="FILE", default="compare.html", help="the page (default: compare.html)")
    add_tracking_uri(parser)


def run(parsed: argparse.Namespace) -> int:
    from tracking.errors import BadInput
    from tracking.report.comparing import comparison, same_task, who_wins
    from tracking.report.gather import gather
    from tracking.report.publish import check_file
    from tracking.searches import existing_search
    from tracking.store import resolve, working

    names, to, uri = list(dict.fromkeys(parsed.names)), Path(parsed.to), resolve(parsed.tracking_uri)
    if len(names) < 2:
        raise BadInput(f"NAME: expected two or more searches, got {' '.join(parsed.names)!r}")
    check_file(to)
    parents = [existing_search(name, uri) for name in names]
    with waiting(console(), "making the comparison ..."):
        with working(uri):
            searches = [gather(client, parent) for client, parent in parents]
        to.write_text(comparison(searches), "utf-8")
    for sentence in who_wins(searches) if same_task(searches) else ():
        print(sentence)
    print(f"the comparison: {to}")
    return 0
