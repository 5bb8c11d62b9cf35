"""What a search found on one page: the answer, tables and figures in one HTML file that needs no network."""

import argparse
import sys
from pathlib import Path

from experiments.cli.parsing import add_tracking_uri
from experiments.system.console import console, waiting

EXAMPLE = "recurrent report add50 --to report.html"


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the search")
    parser.add_argument("--to", metavar="FILE", help="the page (default: NAME-report.html)")
    text = "draw each figure for a paper, too, as PNG, SVG and PDF in this folder (default: none)"
    parser.add_argument("--figures", metavar="DIR", help=text)
    add_tracking_uri(parser)


def run(parsed: argparse.Namespace) -> int:
    from experiments.launcher.reporting import write_report
    from tracking.store import resolve

    uri, to = resolve(parsed.tracking_uri), Path(parsed.to or f"{parsed.name}-report.html")
    figures, told = Path(parsed.figures) if parsed.figures else None, list[str]()
    with waiting(console(), "making the report ..."):
        _, drawn = write_report(parsed.name, uri, to, figures, told.append)
    print(f"the report: {to}")
    if drawn:
        print(f"the figures: {len(drawn)} files in {parsed.figures}/")
    for line in told:
        print(f"recurrent report: {line}", file=sys.stderr)
    return 0
