"""What MLflow costs a search: the same search without tracking, with it on SQLite and over HTTP, interleaved.

    python -m experiments.benchmarks.tracking            three rounds; a search takes five minutes or more on two cores
    python -m experiments.benchmarks.tracking --rounds 1 --epochs 1 --trials 2

Each search is a process of its own in an empty folder: 24 GRUs of the same size with different learning rates, so that
no worker waits for a longer trial of the other one at the end. Over HTTP it talks to a `mlflow server` on this machine,
which has a database of its own and is started before, and ended after, each of these searches. The ratios are those of
the median times; what tracking does in the launcher is timed apart.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from experiments.benchmarks.processes import measured, setting
from experiments.config.spec import Spec

TRIALS, EPOCHS = 24, 14
TARGETS = {"off": None, "sqlite": 1.03, "http": 1.05}  # the sides, and what each may cost in times of the first


def spec(trials: int, epochs: int) -> Spec:
    rates = ",".join(f"{0.0005 * number:g}" for number in range(1, trials + 1))
    space: dict[str, Any] = {"cells": ["gru"], "depth": "1", "width": "64", "learning_rate": rates}
    how: dict[str, Any] = {"batch": 32, "epochs": epochs, "trials": trials, "oracle": "grid", "pruner": "none"}
    return Spec(name="measured", task="char_lm", options={}, **space, **how)


def one_search(side: str, uri: str | None, trials: int, epochs: int) -> dict[str, float]:
    """Runs the search in the current folder; returns its seconds, and those spent in tracking."""
    from rich.console import Console

    from experiments.launcher.launch import Launch
    from tracking.store import resolve

    spent, began = {"open": 0.0, "flush": 0.0, "close": 0.0}, time.perf_counter()
    opened = Launch._open_record

    def open_record(*args: Any) -> Any:
        from tracking.record import Record
        from tracking.runs import Projection

        _timed(Projection, "sync", spent, "flush")
        _timed(Record, "finish", spent, "close")
        return opened(*args)

    if side != "off":  # which does not import MLflow
        Launch._open_record = open_record  # type: ignore[method-assign, assignment]
        _timed(Launch, "_open_record", spent, "open")
    Launch(spec(trials, epochs), False, 2, resolve(uri), Console(file=sys.stderr), side != "off").run()
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


def run(side: str, trials: int, epochs: int) -> dict[str, Any]:
    words = ["--once", side, "--trials", str(trials), "--epochs", str(epochs)]
    if side != "http":
        return measured(__spec__.name, *words)
    with new_server() as url:
        return measured(__spec__.name, *words, "--uri", url)


@contextmanager
def new_server() -> Iterator[str]:
    """The address of an MLflow server in processes of its own, with one worker and an empty database."""
    from tracking.store import connect
    from tracking.ui import server

    with tempfile.TemporaryDirectory() as folder:
        uri = f"sqlite:///{Path(folder) / 'mlflow.db'}"
        connect(uri, create=True)
        with server(uri) as running:
            connect(running.url)
            yield running.url


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="of all three searches (default: 3)")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help=f"of each trial (default: {EPOCHS})")
    parser.add_argument("--trials", type=int, default=TRIALS, help=f"of each search (default: {TRIALS})")
    parser.add_argument("--once", choices=TARGETS, help=argparse.SUPPRESS)
    parser.add_argument("--uri", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.once:
        print(json.dumps(one_search(chosen.once, chosen.uri, chosen.trials, chosen.epochs)))
        return
    found: dict[str, list[dict[str, Any]]] = {side: [] for side in TARGETS}
    for number in range(chosen.rounds):
        for side in TARGETS if number % 2 == 0 else reversed(TARGETS):
            found[side].append(run(side, chosen.trials, chosen.epochs))
            print(f"{side:<7} {found[side][-1]['seconds']:7.1f} s", flush=True)
    report(found, chosen.trials, chosen.epochs)


def report(found: dict[str, list[dict[str, Any]]], trials: int, epochs: int) -> None:
    """The medians of each side, and how much longer the search takes with tracking."""
    median = {
        side: {key: statistics.median(one[key] for one in runs) for key in runs[0]} for side, runs in found.items()
    }
    print(f"\n{setting('keras', 'tensorflow', 'mlflow')}")
    print(f"{trials} trials x {epochs} epochs, 2 workers, medians of {len(found['off'])}\n")
    print("| tracking | search | ratio | target | open | close | per trial | processor time more |")
    print("|---|---|---|---|---|---|---|---|")
    for side, seconds in median.items():
        line = f"| {side} | {seconds['seconds']:.1f} s |"
        if target := TARGETS[side]:
            line += f" {seconds['seconds'] / median['off']['seconds']:.3f} | {target} | {seconds['open']:.2f} s |"
            line += f" {seconds['close']:.2f} s | {1000 * seconds['flush'] / trials:.1f} ms |"
            print(f"{line} {seconds['cpu'] - median['off']['cpu']:.2f} s |")
        else:
            print(f"{line} 1 | | | | | |")
    print("\nopen: while the workers import TensorFlow; per trial and processor time: of the launcher, beside training")


if __name__ == "__main__":
    main()
