"""MLflow's scoring server on a model in a local folder."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tracking.model_folder import SERVING
from tracking.server import Server, running

# Requests wait for each other. MLflow would give up a request after 60 seconds, also one whose turn has not come.
ANSWER_SECONDS = 3_600


@contextmanager
def scoring_server(
    model: Path, port: int, workers: int, log: Path, progress: Callable[[float], None] | None = None
) -> Iterator[Server]:
    """A server that answers `/ping` and `/invocations`. At the end none of its processes is left.

    Args:
        model: a folder as `write_model` makes it.
        workers: processes that answer.

    Raises StoreError if it does not start.
    """
    words = ["models", "serve", "--model-uri", str(model), "--env-manager", "local", "--host", "127.0.0.1"]
    command = [sys.executable, "-m", "mlflow", *words, "--port", str(port), "--workers", str(workers)]
    with running(
        command, port, log, progress, {"MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT": str(ANSWER_SECONDS)}
    ) as server:
        yield server


def example(model: Path, card: dict[str, Any]) -> dict[str, Any]:
    """The body of a request that the model answers."""
    body: dict[str, Any] = json.loads((model / SERVING).read_text("utf-8"))["dataframe_split"]
    records = [dict(zip(body["columns"], row, strict=True)) for row in body["data"]]
    writes = "vocabulary" in card["preprocessing"]
    return {"dataframe_records": records, **({"params": {"length": 100, "seed": 1}} if writes else {})}


def curl(url: str, body: dict[str, Any]) -> str:
    """A command line that sends a request."""
    text = json.dumps(body, ensure_ascii=False).replace("'", "'\\''")
    return f"curl -s {url}/invocations -H 'Content-Type: application/json' -d '{text}'"
