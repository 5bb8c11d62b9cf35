"""What MLflow costs a search: the same search without tracking, with tracking on SQLite, and with tracking over HTTP.

    python -m experiments.benchmarks.tracking            three rounds; a search takes five minutes or more on two cores
    python -m experiments.benchmarks.tracking --rounds 1 --epochs 1 --trials 2

Each search is a process in an empty folder, and the sides take turns. A search trains 24 GRUs of one size with
different learning rates. Trials of equal length keep both workers busy until the end. Over HTTP the search talks to a
new `mlflow server` on this machine, which has an empty database and ends with the search. The ratios are those of the
median times. What tracking costs the launcher is timed too:

open         seconds until the record is open; the workers import TensorFlow at the same time
close        seconds from the end of the last worker until the record is closed
per trial    milliseconds in which the launcher sends results, divided by the number of trials
processor    seconds of processor time that the launcher needs more than without tracking
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from tracking.record import Record

TRIALS, EPOCHS = 24, 14
TARGETS = {"off": None, "sqlite": 1.03, "http": 1.05}  # each side's longest time, as a multiple of the first side's


def spec(trials: int, epochs: int) -> Spec:
    rates = ",".join(f"{0.0005 * number:g}" for number in range(1, trials + 1))
    space: dict[str, Any] = {"cells": ["gru"], "depth": "1", "width": "64", "learning_rate": rates}
    how: dict[str, Any] = {"batch": 32, "epochs": epochs, "trials": trials, "oracle": "grid", "pruner": "none"}
    return Spec(name="measured", task="char_lm", options={}, **space, **how)


def search(side: str, uri: str | None, trials: int, epochs: int) -> Run:
    """Runs the search in the current folder; returns its seconds, and the seconds spent in tracking."""
    from rich.console import Console

    from experiments.launcher.engine import Where
    from experiments.launcher.launch import Launch
    from experiments.tasks.loading import find
    from tracking.store import resolve

    began, spent = time.perf_counter(), {"open": 0.0, "flush": 0.0, "close": 0.0}

    def make_record(*arguments: Any) -> "Record":
        importing = time.perf_counter()
        from experiments.benchmarks.timed_record import TimedRecord  # imports MLflow, and that belongs to opening

        spent["open"] += time.perf_counter() - importing
        return TimedRecord(spent, *arguments)

    console, tracked = Console(file=sys.stderr), side != "off"
    wanted = spec(trials, epochs)
    task = find.make(wanted.task, wanted.options)
    Launch(wanted, task, False, Where(2), resolve(uri), console, tracked, make_record).run()
    return {"seconds": time.perf_counter() - began, "cpu": time.process_time(), **spent}


def run(side: str, trials: int, epochs: int) -> Run:
    if side != "http":
        return call_in_process(search, side, None, trials, epochs)
    with new_server() as url:
        return call_in_process(search, side, url, trials, epochs)


@contextmanager
def new_server() -> Iterator[str]:
    """The address of a new MLflow server with one worker and an empty database."""
    from tracking.store import connect
    from tracking.ui import server

    with tempfile.TemporaryDirectory() as folder:
        uri = f"sqlite:///{Path(folder) / 'mlflow.db'}"
        connect(uri, create=True)
        with server(uri) as running:
            connect(running.url)
            yield running.url


def main() -> None:
    parser = make_parser(__doc__, rounds=3)
    parser.add_argument("--epochs", type=int, default=EPOCHS, help=f"epochs of each trial (default: {EPOCHS})")
    parser.add_argument("--trials", type=int, default=TRIALS, help=f"trials of each search (default: {TRIALS})")
    chosen = parser.parse_args()
    sides = list(TARGETS)
    found = run_rounds(sides, chosen.rounds, lambda side, _: run(side, chosen.trials, chosen.epochs))
    report(medians(found), chosen.rounds, chosen.trials, chosen.epochs)


def report(sides: dict[str, Run], rounds: int, trials: int, epochs: int) -> None:
    """The medians of each side, and how much longer the search takes with tracking."""
    off = sides["off"]
    print(f"\n{setting('keras', 'tensorflow', 'mlflow')}")
    print(f"{trials} trials x {epochs} epochs, 2 workers, medians of {rounds}\n")
    print_head("tracking", "search", "ratio", "target", "open", "close", "per trial", "processor")
    print_row("off", f"{off['seconds']:.1f} s", "1", "", "", "", "", "")
    for side, target in TARGETS.items():
        if target:
            found = sides[side]
            print_row(
                side,
                f"{found['seconds']:.1f} s",
                f"{found['seconds'] / off['seconds']:.3f}",
                str(target),
                f"{found['open']:.2f} s",
                f"{found['close']:.2f} s",
                f"{1000 * found['flush'] / trials:.1f} ms",
                f"{found['cpu'] - off['cpu']:.2f} s",
            )
    print("\nopen, close, per trial and processor are what tracking costs the launcher, which does not train.")


if __name__ == "__main__":
    main()
