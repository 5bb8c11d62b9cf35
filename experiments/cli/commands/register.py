"""The best model of a search in MLflow's registry, under a name with an alias."""

import argparse
import sys

from experiments.cli.parsing import add_tracking_uri, search_name

EXAMPLE = "recurrent register add50 --as adding"


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", type=search_name, help="the search, whose best model is registered")
    text = "name of the registered model (default: the name of the search)"
    parser.add_argument("--as", dest="model", metavar="MODEL", help=text)
    text = (
        "goes to the new version if its score on validation is better, for the same task and data (default: champion)"
    )
    parser.add_argument("--alias", metavar="ALIAS", default="champion", help=text)
    parser.add_argument("--force", action="store_true", help="give the alias to the new version in any case")
    add_tracking_uri(parser)


def run(parsed: argparse.Namespace) -> int:
    from experiments.launcher.register import register_search
    from tracking.store import resolve

    def warn(text: str) -> None:
        print(f"recurrent register: {text}", file=sys.stderr)

    uri = resolve(parsed.tracking_uri)
    found = register_search(parsed.name, uri, parsed.model or parsed.name, parsed.alias, parsed.force, warn)
    print(f"{found.name} version {found.version}: {parsed.name}")
    if found.why:
        print(f"{found.name}@{found.alias} stays version {found.holder}: {found.why}")
    else:
        print(f"{found.name}@{found.alias} is version {found.version}")
    print(f"next: recurrent serve models:/{found.name}@{found.alias}")
    return 0
