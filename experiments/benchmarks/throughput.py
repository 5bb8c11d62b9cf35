"""Trials per hour: our search with full tracking, beside Keras Tuner alone and Keras Tuner with MLflow's autologging.

    python -m experiments.benchmarks.throughput                three rounds of 12 candidates, five epochs each
    python -m experiments.benchmarks.throughput --epochs 20 --rounds 1 --only ours

The 12 candidates of the grid 3 cells x depth 1-2 x width 32, 64 on adding, length 100, with the same sizes of data,
batch, epochs and learning rate on both sides, each search a process of its own, interleaved. `search` is the time
without imports: for us from the first trial's start until the record is closed. `busy` is the share of the workers'
time that is spent inside training steps, `compiling` that of tracing and compiling them: what a process's first epoch
of a trial takes beyond the median of the others.
"""

import argparse
import json
import statistics
import sys
import time
from typing import Any

from experiments.benchmarks.processes import measured, setting
from experiments.config.spec import Spec
from tracking.journal import Event

PEER = "experiments.benchmarks.keras_tuner_search"
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


def ours(epochs: int) -> dict[str, float]:
    """Runs our search in the current folder."""
    from rich.console import Console

    from experiments.config.folders import SEARCHES, SearchFolder
    from experiments.launcher.launch import Launch
    from tracking.store import resolve

    began = time.perf_counter()
    Launch(spec(epochs), False, WORKERS, resolve(None), Console(file=sys.stderr)).run()
    ended = time.time()
    journals = [trial.journal.events() for trial in SearchFolder(SEARCHES / "measured").trials()]
    search = ended - min(events[0]["time"] for events in journals) / 1000
    lines = [event for events in journals for event in events if event["event"] == "epoch"]
    compiling, available = sum(_compiling(events) for events in journals), WORKERS * search
    return {
        "search": search,
        "whole": time.perf_counter() - began,
        "trials": sum(events[-1].get("outcome") == "completed" for events in journals),
        "steps": len(lines) * -(-TRAIN // BATCH),
        "best": min(events[-1]["score"] for events in journals),
        "busy": (sum(line["training"] for line in lines) - compiling) / available,
        "compiling": compiling / available,
    }


def _compiling(events: list[Event]) -> float:
    """Seconds of a trial's training that went into tracing and compiling; with one epoch they cannot be told apart."""
    lines = [event for event in events if event["event"] == "epoch"]
    first, others = ([line["training"] for line in lines if line["traced"] is traced] for traced in (True, False))
    return sum(first) - len(first) * statistics.median(others) if others else 0.0


def run(side: str, epochs: int) -> dict[str, float]:
    if side == "ours":
        return measured(__spec__.name, "--once", "--epochs", str(epochs))
    how = "autolog" if side.endswith("autologging") else "off"
    return measured(PEER, "--mlflow", how, "--epochs", str(epochs), "--length", str(LENGTH), "--train", str(TRAIN))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="of all sides (default: 3)")
    parser.add_argument("--epochs", type=int, default=5, help="of each trial (default: 5)")
    parser.add_argument("--only", choices=["ours", "untracked"], help="ours alone, or without autologging")
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.once:
        print(json.dumps(ours(chosen.epochs)))
        return
    sides = SIDES[: {"ours": 1, "untracked": 2, None: 3}[chosen.only]]
    found: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
    for number in range(chosen.rounds):
        for side in sides if number % 2 == 0 else reversed(sides):
            found[side].append(run(side, chosen.epochs))
            print(f"{side:<26} {json.dumps(found[side][-1])}", flush=True)
    report(found)


def report(found: dict[str, list[dict[str, float]]]) -> None:
    """The medians, and how many times faster we are."""
    if len({run["steps"] for runs in found.values() for run in runs}) > 1:
        raise SystemExit("the sides made different numbers of training steps: nothing can be compared")
    print(setting("keras-tuner", "keras", "tensorflow", "mlflow"))
    median = {
        side: {key: statistics.median(run[key] for run in runs) for key in runs[0]} for side, runs in found.items()
    }
    mine = median["ours"]
    print("\n| | search | whole command | we are faster by, search | whole |\n|---|---|---|---|---|")
    for side, seconds in median.items():
        ratios = (f"{seconds[key] / mine[key]:.2f}" for key in ("search", "whole"))
        print(f"| {side} | {seconds['search']:.1f} s | {seconds['whole']:.1f} s | {' | '.join(ratios)} |")
    print(f"\n{mine['steps']:.0f} training steps on each side; of our workers' time {mine['busy']:.0%} is inside them")
    print(f"and {mine['compiling']:.0%} in tracing and compiling them")


if __name__ == "__main__":
    main()
