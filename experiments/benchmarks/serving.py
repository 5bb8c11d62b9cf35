"""How many requests `recurrent serve` answers, and how long each of them waits.

    python -m experiments.benchmarks.serving                 about three minutes on two cores

A language model and a model of sequences, each trained for one epoch, are served by one worker, on the machine that
asks. A client sends its next request when the last one is answered, over one connection. A text has 20 further
characters, a sequence 50 steps of 2 features.
"""

import http.client
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from experiments.benchmarks.rounds import make_parser, print_head, print_row, setting

SMALL = ("--cells", "gru", "--depth", "1", "--width", "128", "--trials", "1", "--epochs", "1", "--oracle", "random")
SEARCHES = {
    "text": ("char_lm", "--batch", "32"),
    "sequence": ("adding", "-o", "length=50", "-o", "train=1000", "-o", "val=100", "-o", "test=100"),
}
BODIES: dict[str, dict[str, Any]] = {
    "text": {"dataframe_records": [{"prompt": "The "}], "params": {"length": 20, "seed": 1}},
    "sequence": {"dataframe_records": [{"sequence": [[0.5, 0.0]] * 50}]},
}
CLIENTS = (1, 16, 64)
SECONDS = 15.0  # of asking, for each number of clients
WAIT_SECONDS = 60.0  # longest wait for an answer


def main() -> None:
    parser = make_parser(__doc__, sides=list(SEARCHES))
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"of each row (default: {SECONDS:g})")
    parser.add_argument("--clients", default="1,16,64", help="how many at once, between commas (default: 1,16,64)")
    chosen = parser.parse_args()
    print(f"{setting('keras', 'tensorflow', 'mlflow')}\n")
    print_head("model", "clients", "requests a second", "ms, half are faster", "ms, 99 % are faster", "not 200")
    for side in chosen.sides:
        with tempfile.TemporaryDirectory() as folder:
            words = (*SEARCHES[side], *SMALL, "--no-horizon", "--name", side)
            subprocess.run([*_recurrent("search"), *words], cwd=folder, check=True, capture_output=True)
            with _served(side, Path(folder)) as url:
                ask(url, BODIES[side], 1, 1.0)  # the first requests trace the model
                for clients in map(int, chosen.clients.split(",")):
                    times, bad = ask(url, BODIES[side], clients, chosen.seconds)
                    rate, middle, high = len(times) / chosen.seconds, *np.percentile(times, (50, 99))
                    print_row(side, str(clients), f"{rate:.0f}", f"{1000 * middle:.0f}", f"{1000 * high:.0f}", str(bad))


def ask(url: str, body: dict[str, Any], clients: int, seconds: float) -> tuple[list[float], int]:
    """(the seconds of each answer, how many were not 200) of clients that ask for some seconds."""
    parts, data, times, bad = urlsplit(url), json.dumps(body), list[float](), list[int]()
    until = time.monotonic() + seconds

    def client() -> None:
        link = http.client.HTTPConnection(parts.netloc, timeout=WAIT_SECONDS)
        while time.monotonic() < until:
            began = time.perf_counter()
            link.request("POST", parts.path, data, {"Content-Type": "application/json"})
            reply = link.getresponse()
            reply.read()
            times.append(time.perf_counter() - began)
            if reply.status != 200:
                bad.append(reply.status)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times, len(bad)


@contextmanager
def _served(name: str, folder: Path) -> Iterator[str]:
    """The address of a server of a search."""
    process = subprocess.Popen([*_recurrent("serve"), name], cwd=folder, stdout=subprocess.PIPE, text=True)
    try:
        if process.stdout is None:
            raise SystemExit("the server has no output")
        first = process.stdout.readline()
        if not first:
            raise SystemExit("the server did not start")
        yield first.split()[-1]
    finally:
        process.terminate()
        process.wait()


def _recurrent(command: str) -> list[str]:
    return [sys.executable, "-m", "experiments", command]


if __name__ == "__main__":
    main()
