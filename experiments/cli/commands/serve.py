"""MLflow's scoring server on a model, for programs that ask over HTTP."""

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from experiments.cli.parsing import add_tracking_uri, whole
from experiments.system.console import console, waiting

EXAMPLE = "recurrent serve add50 --port 8080"


def add(parser: argparse.ArgumentParser) -> None:
    text = "a search, whose best model answers, the folder of an export, or models:/MODEL@champion"
    parser.add_argument("which", metavar="MODEL", help=text)
    parser.add_argument("--port", metavar="N", type=whole(1), help="port of the server (default: 5000, or a free one)")
    text = "processes that answer, each with its own copy of the model (default: 1)"
    parser.add_argument("--workers", metavar="N", type=whole(1), default=1, help=text)
    add_tracking_uri(parser)


def run(parsed: argparse.Namespace) -> int:
    from experiments.launcher.serve import model_folder
    from tracking.server import free_port
    from tracking.serving import curl, example, scoring_server
    from tracking.store import resolve

    def warn(text: str) -> None:
        print(f"recurrent serve: {text}", file=sys.stderr)

    port, screen = free_port(parsed.port), console()
    with ExitStack() as stack:
        made = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        with waiting(screen, "the model is fetched ...") as update:
            folder, card = model_folder(parsed.which, resolve(parsed.tracking_uri), made, warn)

            def progress(seconds: float) -> None:
                update(f"MLflow's scoring server starts ... {seconds:.0f} s (10 to 30 are usual)")

            log = Path(tempfile.gettempdir()) / f"recurrent-serve-{port}.log"  # it stays, for whom the server ends
            serving = scoring_server(folder, port, parsed.workers, log, progress)
            running = stack.enter_context(serving)
        print(f"{card['architecture']} ({card['search']}, trial {card['trial']}) answers at {running.url}/invocations")
        print(curl(running.url, example(folder, card)))
        print(f"its log: {log}\nCtrl-C ends the server", flush=True)
        running.wait()
    return 0
