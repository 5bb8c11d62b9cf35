"""Send to MLflow what a search could not send while its server was away."""

import argparse
from typing import TYPE_CHECKING

from experiments.cli.parsing import add_tracking_uri, search_name
from experiments.system.console import console, say
from tracking.errors import BadInput

if TYPE_CHECKING:
    from experiments.launcher.sync import Sent

EXAMPLE = "recurrent sync add50"


def add(parser: argparse.ArgumentParser) -> None:
    text = "a search in this folder that is not running"
    parser.add_argument("name", metavar="NAME", type=search_name, help=text)
    add_tracking_uri(parser)


def run(parsed: argparse.Namespace) -> int:
    from rich.text import Text

    from experiments.config.folders import SEARCHES, SearchFolder, no_search
    from experiments.launcher.sync import sync
    from tracking.store import resolve

    uri, folder = resolve(parsed.tracking_uri), SearchFolder(SEARCHES / parsed.name)
    if not folder.spec.exists():
        raise BadInput(no_search("NAME", parsed.name))
    screen = console()
    sent = sync(folder, uri, lambda text: say(screen, Text(text, "yellow")))
    if not sent.whole:
        return 1
    print(f"{parsed.name}: {_found(sent)}{uri} has all that its journals say")
    return 0


def _found(sent: "Sent") -> str:
    """What the store lacked, in words; nothing if it lacked no run."""
    lacked = {"deleted run(s) restored": sent.restored, "missing trial(s) sent": sent.made}
    said = ", ".join(f"{count} {what}" for what, count in lacked.items() if count)
    return f"{said}; " if said else ""
