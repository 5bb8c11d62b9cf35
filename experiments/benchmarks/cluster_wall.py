"""The same search on a Ray cluster and on this machine, in turns: what the way over the cluster costs.

    python -m experiments.benchmarks.cluster_wall --address HOST:6379

The cluster runs on this machine, has one place, and has been started before. One worker trains a grid of four LSTMs and
GRUs, for six epochs of more than a second each.

search   seconds from the beginning of the first trial to the end of the last one
epoch    the median of the seconds of an epoch
whole    seconds of the whole command, with imports; on the cluster it also connects and compares versions
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

from experiments.benchmarks.rounds import (
    Run,
    call_in_process,
    make_parser,
    medians,
    print_head,
    print_row,
    run_rounds,
    setting,
)

SIDES = ("local", "ray")
SEARCH = ("search", "adding", "-o", "length=100", "-o", "train=8192", "-o", "val=512", "--cells", "lstm,gru")
SPACE = ("--depth", "1", "--width", "64,96", "--learning-rate", "0.001", "--epochs", "6", "--oracle", "grid")
REST = ("--workers", "1", "--pruner", "none", "--no-horizon", "--name", "measured")


def measure(side: str, address: str) -> Run:
    """Runs one search in the current folder."""
    from experiments.config.folders import SEARCHES, SearchFolder

    where = ("--engine", "ray", "--address", address) if side == "ray" else ()
    began = time.perf_counter()
    words = [sys.executable, "-m", "experiments", *SEARCH, *SPACE, *REST, *where]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    whole = time.perf_counter() - began
    events = [event for trial in SearchFolder(Path(SEARCHES) / "measured").trials() for event in trial.journal.events()]
    search = (max(event["time"] for event in events) - min(event["time"] for event in events)) / 1000
    epochs = [event["training"] for event in events if event["event"] == "epoch"]
    return {"search": search, "epoch": statistics.median(epochs), "whole": whole}


def main() -> None:
    parser = make_parser(__doc__, rounds=3)
    parser.add_argument("--address", required=True, metavar="HOST:PORT", help="of the head of the cluster")
    chosen = parser.parse_args()
    print(setting("ray", "tensorflow", "keras"))
    found = medians(
        run_rounds(SIDES, chosen.rounds, lambda side, number: call_in_process(measure, side, chosen.address))
    )
    local, ray = (found[side] for side in SIDES)
    print_head("", *SIDES, "ratio")
    for name in ("search", "epoch", "whole"):
        print_row(name, f"{local[name]:.2f}", f"{ray[name]:.2f}", f"{ray[name] / local[name]:.3f}")


if __name__ == "__main__":
    main()
