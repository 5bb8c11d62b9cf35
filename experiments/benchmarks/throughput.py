"""Trials per hour: our search with full tracking, beside Keras Tuner alone and Keras Tuner with MLflow's autologging.

    python -m experiments.benchmarks.throughput                three rounds of 12 candidates, five epochs each
    python -m experiments.benchmarks.throughput --epochs 20 --rounds 1 --only ours
    python -m experiments.benchmarks.throughput --only untracked --beside 2     two other processes want the cores, too

The task is adding with length 100. The 12 candidates are a grid: 3 cells x depth 1-2 x width 32, 64. Both sides have
the same data, batch size, epochs and learning rate. Each search is a process, and the sides take turns.

search      seconds of the search without imports; ours are from when workers may begin until the report is written, and
            so have what is left of loading the kernels
whole       seconds of the whole command, with imports
busy        the share of our workers' time that they spend in training steps
compiling   the share of our workers' time that they spend in tracing and compiling these steps: how much longer an
            epoch that traces takes than the median of the trial's other epochs
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from experiments.benchmarks import keras_tuner_search
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
from experiments.config.spec import Spec
from tracking.journal import Event

WORKERS, LENGTH, TRAIN, BATCH = 2, 100, 2048, 64
SIDES = ("ours", "keras tuner", "keras tuner, autologging")


def spec(epochs: int) -> Spec:
    options = {"length": str(LENGTH), "train": str(TRAIN), "val": str(TRAIN // 4)}
    space: dict[str, Any] = {"depth": "1,2", "width": "32,64", "learning_rate": "0.001"}
    return Spec(
        name="measured",
        task="adding",
        options=options,
        cells=["simple_rnn", "lstm", "gru"],
        batch=BATCH,
        epochs=epochs,
        trials=12,
        oracle="grid",
        pruner="none",
        **space,
    )


def ours(epochs: int, workers: int = WORKERS) -> Run:
    """Runs our search in the current folder."""
    from rich.console import Console

    from experiments.config.folders import SEARCHES, SearchFolder
    from experiments.launcher.engine import Where
    from experiments.launcher.launch import Launch
    from experiments.system.environment import set_environment
    from experiments.tasks.loading import find
    from tracking.store import resolve

    began = time.perf_counter()
    set_environment()  # as the command does; without it each worker would compile the kernels for itself
    wanted = spec(epochs)
    task = find.make(wanted.task, wanted.options)
    Launch(wanted, task, False, Where(workers), resolve(None), Console(file=sys.stderr), early=True).run()
    ended = time.time()
    folder = SearchFolder(SEARCHES / "measured")
    journals = [trial.journal.events() for trial in folder.trials()]
    search = ended - folder.journal.events()[0]["time"] / 1000
    lines = [event for events in journals for event in events if event["event"] == "epoch"]
    compiling, available = sum(compiling_seconds(events) for events in journals), workers * search
    return {
        "search": search,
        "whole": time.perf_counter() - began,
        "trials": sum(events[-1].get("outcome") == "completed" for events in journals),
        "steps": len(lines) * -(-TRAIN // BATCH),
        "best": min(events[-1]["score"] for events in journals),
        "busy": (sum(line["training"] for line in lines) - compiling) / available,
        "compiling": compiling / available,
    }


def compiling_seconds(events: list[Event]) -> float:
    """Seconds of a trial that went into tracing and compiling; 0 for a trial of one epoch, which cannot tell."""
    lines = [event for event in events if event["event"] == "epoch"]
    first, others = ([line["training"] for line in lines if line["traced"] is traced] for traced in (True, False))
    return sum(first) - len(first) * statistics.median(others) if others else 0.0


def run(side: str, epochs: int, workers: int) -> Run:
    if side == "ours":
        return call_in_process(ours, epochs, workers)
    mlflow = "autolog" if side.endswith("autologging") else "off"
    return call_in_process(keras_tuner_search.search, mlflow, LENGTH, epochs, TRAIN)


def main() -> None:
    parser = make_parser(__doc__, rounds=3)
    parser.add_argument("--epochs", type=int, default=5, help="epochs of each trial (default: 5)")
    parser.add_argument(
        "--only",
        choices=["ours", "untracked"],
        help="ours: without Keras Tuner; untracked: without the autologging side",
    )
    parser.add_argument("--workers", type=int, default=WORKERS, help="of our search (default: %(default)s)")
    parser.add_argument("--beside", type=int, default=0, help="other processes that compute all the time (default: 0)")
    chosen = parser.parse_args()
    sides = SIDES[: {"ours": 1, "untracked": 2, None: 3}[chosen.only]]
    with others(chosen.beside):
        found = run_rounds(sides, chosen.rounds, lambda side, _: run(side, chosen.epochs, chosen.workers))
    report(found)


@contextmanager
def others(count: int) -> Iterator[None]:
    """Processes that never wait, as on a machine that somebody else uses. They end with this process."""
    code = "import os; parent = os.getppid()\nwhile os.getppid() == parent: pass"
    processes = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(count)]
    try:
        yield
    finally:
        for one in processes:
            one.kill()
            one.wait()


def report(found: dict[str, list[Run]]) -> None:
    """The medians, and how many times faster ours is."""
    if len({one["steps"] for runs in found.values() for one in runs}) > 1:
        raise SystemExit("the sides made different numbers of training steps: nothing can be compared")
    print(setting("keras-tuner", "keras", "tensorflow", "mlflow"))
    sides = medians(found)
    mine = sides["ours"]
    print()
    print_head("", "search", "whole command", "ours is faster by: search", "whole command")
    for side, seconds in sides.items():
        ratios = (f"{seconds[name] / mine[name]:.2f}" for name in ("search", "whole"))
        print_row(side, f"{seconds['search']:.1f} s", f"{seconds['whole']:.1f} s", *ratios)
    print(f"\nEach side made {mine['steps']:.0f} training steps. Our workers spent {mine['busy']:.0%} of their time in")
    print(f"these steps and {mine['compiling']:.0%} in tracing and compiling them.")


if __name__ == "__main__":
    main()
