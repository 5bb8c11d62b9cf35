"""How far back the gradient of each cell's best candidate reaches, as a figure and a table."""

import argparse
from pathlib import Path

from experiments.cli.parsing import add_tracking_uri
from experiments.system.console import console

EXAMPLE = "recurrent horizon add50 --to horizon.png"


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the search")
    parser.add_argument("--to", metavar="FILE", help="the figure: .png, .svg or .pdf (default: NAME-horizon.png)")
    add_tracking_uri(parser)


def run(parsed: argparse.Namespace) -> int:
    from experiments.cli.tables import horizon_table, show
    from tracking.horizon import draw, horizons
    from tracking.searches import existing_search
    from tracking.store import resolve, working

    uri, to = resolve(parsed.tracking_uri), Path(parsed.to or f"{parsed.name}-horizon.png")
    with working(uri):
        found = horizons(*existing_search(parsed.name, uri))
    draw(found, f"{parsed.name}: how far back the gradient of the last state reaches", to)
    show(console(), horizon_table(found))
    print(f"the figure: {to}")
    return 0
