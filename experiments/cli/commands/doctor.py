"""Check that this machine has what a search needs, and say what to install if something is missing."""

import argparse
import dataclasses
import json

from experiments.cli.parsing import add_tracking_uri

EXAMPLE = "recurrent doctor"


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="JSON instead of text")
    add_tracking_uri(parser)


def run(parsed: argparse.Namespace) -> int:
    from experiments.launcher.doctor import findings, text
    from experiments.system.quiet import quiet
    from tracking.store import resolve

    uri = resolve(parsed.tracking_uri)
    with quiet():
        found = findings(uri)
    print(json.dumps([dataclasses.asdict(one) for one in found], indent=1) if parsed.json else text(found))
    return 0 if all(one.fit for one in found) else 1
