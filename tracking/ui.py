"""Runs MLflow's own server on the store of a record, until the user ends it."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tracking.errors import StoreError
from tracking.root import ARTIFACTS
from tracking.server import Server, free_port, running
from tracking.store import database, readable, tune


@contextmanager
def server(
    tracking_uri: str, port: int | None = None, progress: Callable[[float], None] | None = None
) -> Iterator[Server]:
    """A server that answers. At the end none of its processes is left. No server is started for an http(s) store.

    Args:
        tracking_uri: as `store.resolve` gives it.
        port: None takes MLflow's usual port, or any free port if that one is taken.
        progress: called about once a second, with the seconds so far, until the server answers.

    Raises StoreError if there is no database at `tracking_uri` or the server does not start, and BadInput for a `port`
    that is taken, or that browsers refuse.
    """
    file = database(tracking_uri)
    if file is None:
        yield Server(tracking_uri.rstrip("/"))
        return
    if not file.is_file():  # MLflow would make an empty one
        raise StoreError(f"no record here: expected {file}, run `recurrent search` first")
    port = free_port(port)
    tune(file)
    log = (file.parent if os.access(file.parent, os.W_OK) else Path(tempfile.mkdtemp())) / "mlflow-server.log"
    with running(_command(file, port), port, log, progress) as found:
        yield found


def _command(file: Path, port: int) -> list[str]:
    """The server has one worker, since more are slower (MLflow 3.17). It reads artifacts where they lie."""
    options = ["--workers", "1", "--host", "127.0.0.1", "--port", str(port), "--backend-store-uri"]
    options += [readable(f"sqlite:///{file}")]
    artifacts = ["--default-artifact-root", (file.parent / ARTIFACTS).as_uri(), "--no-serve-artifacts"]
    return [sys.executable, "-m", "mlflow", "server", *options, *artifacts]
