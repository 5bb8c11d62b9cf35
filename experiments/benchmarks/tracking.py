"""What MLflow costs a search: the same search with and without tracking, interleaved.

    python -m experiments.benchmarks.tracking            three pairs of a search of about three minutes
    python -m experiments.benchmarks.tracking --pairs 1 --epochs 1

Each search is a process of its own in an empty folder: 24 GRUs of the same size with different learning rates, so that
no worker waits for a longer trial of the other one at the end. The ratio is that of the median times; what tracking
does in the launcher is timed apart.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from experiments.benchmarks.processes import measured
from experiments.spec import Spec

TRIALS = 24


def spec(epochs: int) -> Spec:
    rates = ",".join(f"{0.0005 * number:g}" for number in range(1, TRIALS + 1))
    space: dict[str, Any] = {"cells": ["gru"], "depth": "1", "width": "64", "learning_rate": rates}
    return Spec(
        name="measured", task="char_lm", options={}, batch=32, epochs=epochs, trials=TRIALS, oracle="grid", **space
    )


def one_search(tracked: bool, epochs: int) -> dict[str, float]:
    """Runs the search in the current folder; returns its seconds, and those spent in tracking."""
    from rich.console import Console

    from experiments.launch import Launch
    from tracking.record import Record
    from tracking.runs import Projection
    from tracking.store import resolve

    spent = {"start": 0.0, "flush": 0.0, "end": 0.0}
    _timed(Launch, "_open_record", spent, "start")
    _timed(Projection, "sync", spent, "flush")
    _timed(Record, "finish", spent, "end")
    began = time.perf_counter()
    Launch(spec(epochs), False, 2, resolve(None), Console(file=sys.stderr), tracked).run()
    return {"seconds": time.perf_counter() - began, "cpu": time.process_time(), **spent}


def _timed(owner: type, name: str, spent: dict[str, float], key: str) -> None:
    """Adds up the seconds spent in a method."""
    method: Callable[..., Any] = getattr(owner, name)

    def timed(*args: Any, **kwargs: Any) -> Any:
        began = time.perf_counter()
        try:
            return method(*args, **kwargs)
        finally:
            spent[key] += time.perf_counter() - began

    setattr(owner, name, timed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=3, help="searches with and without tracking (default: 3)")
    parser.add_argument(
        "--epochs", type=int, default=2, help="of each trial (default: 2, about three minutes a search)"
    )
    parser.add_argument("--once", choices=["on", "off"], help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.once:
        print(json.dumps(one_search(chosen.once == "on", chosen.epochs)))
        return
    found: dict[bool, list[dict[str, float]]] = {True: [], False: []}
    for pair in range(chosen.pairs):
        for tracked in (True, False) if pair % 2 == 0 else (False, True):
            found[tracked].append(
                measured(__spec__.name, "--once", "on" if tracked else "off", "--epochs", str(chosen.epochs))
            )
            print(f"tracking {'on ' if tracked else 'off'} {found[tracked][-1]['seconds']:7.1f} s", flush=True)
    on, off = (statistics.median(run["seconds"] for run in found[tracked]) for tracked in (True, False))
    median = {key: statistics.median(run[key] for run in found[True]) for key in ("start", "flush", "end")}
    cpu = statistics.median(run["cpu"] for run in found[True]) - statistics.median(run["cpu"] for run in found[False])
    print(f"median: {on:.1f} s with tracking, {off:.1f} s without; ratio {on / off:.3f}")
    print(
        f"of the launcher's time: {median['start']:.2f} s to open the record (the workers import TensorFlow meanwhile),"
        f" {median['end']:.2f} s to close it, {1000 * median['flush'] / TRIALS:.1f} ms per trial beside the training;"
        f" {cpu:.2f} s more of processor time in all"
    )


if __name__ == "__main__":
    main()
