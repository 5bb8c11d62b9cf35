"""What a search found on one page: the answer, tables and figures in one HTML file that needs no network."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.cli.parsing import add_tracking_uri
from experiments.system.console import console, waiting

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

EXAMPLE = "recurrent report add50 --to report.html"


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the search")
    parser.add_argument("--to", metavar="FILE", help="the page (default: NAME-report.html)")
    text = "draw each figure for a paper, too, as PNG, SVG and PDF in this folder (default: none)"
    parser.add_argument("--figures", metavar="DIR", help=text)
    add_tracking_uri(parser)


def run(parsed: argparse.Namespace) -> int:
    from tracking.report.gather import gather
    from tracking.report.page import page
    from tracking.report.publish import check_file, check_folder, draw_figures
    from tracking.searches import existing_search
    from tracking.store import resolve, working

    uri, to = resolve(parsed.tracking_uri), Path(parsed.to or f"{parsed.name}-report.html")
    check_file(to)
    if parsed.figures:
        check_folder(Path(parsed.figures))
    client, parent = existing_search(parsed.name, uri)
    with waiting(console(), "making the report ..."):
        with working(uri):
            search = gather(client, parent)
        html = page(search)
        to.write_text(html, "utf-8")
        drawn = draw_figures(search, Path(parsed.figures)) if parsed.figures else []
    print(f"the report: {to}")
    if drawn:
        print(f"the figures: {len(drawn)} files in {parsed.figures}/")
    _log(client, parent, html)
    return 0


def _log(client: "MlflowClient", parent: "Run", html: str) -> None:
    """Replaces the report among the search's artifacts in MLflow. A store that takes no artifact costs one line."""
    from tracking.report.publish import log_report
    from tracking.store import in_a_line

    try:
        log_report(client, parent, html)
    except Exception as error:  # each kind of store for files has errors of its own
        print(f"recurrent report: MLflow did not take the report: {in_a_line(error)}", file=sys.stderr)
