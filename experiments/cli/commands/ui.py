"""MLflow's UI on the searches of this folder."""

import argparse
from contextlib import ExitStack, suppress

from experiments.cli.parsing import add_tracking_uri, search_name, whole
from experiments.system.console import console, waiting

EXAMPLE = "recurrent ui --port 5000"
SHOWN = 5  # the most links that are printed; those of the newest searches


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", metavar="N", type=whole(1), help="port of the server (default: 5000, or a free one)")
    text = "Optuna's dashboard on this search, read-only; it needs the extra optuna-dashboard (default: MLflow's UI)"
    parser.add_argument("--optuna", metavar="NAME", type=search_name, help=text)
    add_tracking_uri(parser)


def run(parsed: argparse.Namespace) -> int:
    return _optuna(parsed.optuna, parsed.port) if parsed.optuna else _mlflow(parsed)


def _optuna(name: str, port: int | None) -> int:
    from experiments.config.folders import SEARCHES, SearchFolder
    from experiments.launcher.dashboard import HOST, dashboard
    from tracking.server import free_port

    free, screen = free_port(port), console()
    with waiting(screen, "Optuna's dashboard starts ..."):
        made = dashboard(SearchFolder(SEARCHES / name), free)
    with made as server:
        screen.print(f"{name}: http://{HOST}:{free}\nCtrl-C ends the server", soft_wrap=True)
        with suppress(KeyboardInterrupt):
            server.serve_forever()
    return 0


def _mlflow(parsed: argparse.Namespace) -> int:
    from tracking.searches import all_searches, search_name
    from tracking.store import connect, resolve, working
    from tracking.ui import server
    from tracking.views import dashboard_link, home_link

    uri, screen = resolve(parsed.tracking_uri), console()
    with working(uri):
        searches = all_searches(connect(uri))
    with ExitStack() as stack:
        with waiting(screen, "MLflow's server starts ...") as update:

            def progress(seconds: float) -> None:
                update(f"MLflow's server starts ... {seconds:.0f} s (12 to 60 are usual)")

            running = stack.enter_context(server(uri, parsed.port, progress))
        for search in searches[:SHOWN]:
            name = search_name(search)
            link = dashboard_link(running.url, search.info.experiment_id, search=name)
            screen.print(f"{name}: {link}", soft_wrap=True)
        if not searches:
            screen.print(f"no search yet: {home_link(running.url)}", soft_wrap=True)
        if running.process:
            screen.print("Ctrl-C ends the server")
        running.wait()
    return 0
