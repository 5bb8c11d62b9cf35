"""What a trial costs beside its training, in searches of 100, 1,000 and 10,000 trials: ours and Keras Tuner's.

    python -m experiments.benchmarks.scale                                three rounds of 10,000 trials; takes an hour
    python -m experiments.benchmarks.scale --trials 1000 --rounds 1

The objective is a formula and costs nothing: what is left is proposing, writing down and, on our side, MLflow (SQLite).
Each search is a process of its own with one worker, all sides in turn. Printed are the milliseconds per trial over the
last hundred of the first 100, 1,000 and 10,000 trials, the process's memory, and how long the finished search takes to
list (all trials with their values and scores) and to report (what `results` prints, list included). All are medians of
the rounds, but Keras Tuner's at 10,000 trials, which are of the first round alone: its searches of that length take as
long as all else together, and our target is about ours.
"""

import argparse
import io
import json
import math
import statistics
import time
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any

from experiments.benchmarks.processes import measured, setting

SIDES = ("ours, random", "ours, tpe", "keras tuner, random", "keras tuner, hyperband")
POINTS = (100, 1_000, 10_000)
LAST = 100  # trials over which the time of one is taken
DEPTHS, WIDTHS, RATES = 3, 512, (1e-5, 1e-1)


def declare(hp: Any) -> None:
    hp.Choice("cell", ["simple_rnn", "lstm", "gru"])
    hp.Int("depth", 1, DEPTHS)
    hp.Int("width", 1, WIDTHS)
    hp.Float("learning_rate", *RATES, sampling="log")


def objective(values: dict[str, Any]) -> float:
    """Smooth, with one best point."""
    rate = math.log10(values["learning_rate"]) + 2.5
    return float(rate**2 + ((values["width"] - 300) / 300) ** 2 + 0.1 * (values["depth"] - 2) ** 2)


def ours(strategy: str, trials: int) -> dict[str, Any]:
    """Our oracle, journals and projection in one process, as a worker and its launcher use them."""
    import keras_tuner
    from keras_tuner.engine.trial import Trial
    from rich.console import Console

    from experiments.cli.tables import leaderboard
    from experiments.config.folders import SearchFolder, TrialFolder
    from experiments.strategy.oracle import StudyOracle
    from experiments.worker.tuner import SearchTuner
    from tracking.results import ranked, results
    from tracking.runs import Projection
    from tracking.searches import open_search
    from tracking.store import artifacts, connect, resolve, tune

    class Space(keras_tuner.HyperModel):
        def declare_hyperparameters(self, hp: Any) -> None:
            declare(hp)

    class Tuner(SearchTuner):
        def run_execution(self, trial: Trial, folder: TrialFolder, execution: int) -> dict[str, Any]:
            score = objective(trial.hyperparameters.values)
            folder.journal.append("epoch", execution=0, epoch=0, metrics={"val_mse": score})
            self.oracle.update_trial(trial.trial_id, {"val_mse": score}, 0)
            return {"score": score, "epoch": 0, "seconds": 0.0}

        def on_trial_end(self, trial: Trial) -> None:
            super().on_trial_end(trial)
            done = int(trial.trial_id) + 1
            if done % LAST == 0:
                projection.sync()
            if done % 1_000 == 0:
                tune(Path("mlflow.db").absolute())
            clock.append(time.perf_counter())

    folder, uri = SearchFolder(Path("searches/s").absolute()), resolve(None)
    folder.path.mkdir(parents=True)
    client = connect(uri, create=True)
    spec = {"name": "s", "task": "adding", "options": {}, "seed": 0, "digest": "0", "versions": {}, "metric": "mse"}
    parent = open_search(client, "s", "adding", artifacts(uri, "adding"), {**spec, "direction": "min"}, {"none": 1.0})
    projection = Projection(client, parent, folder.path / "trials", "mse", "min", "session", {"none": 1.0})
    space, wanted = keras_tuner.HyperParameters(), keras_tuner.Objective("val_mse", "min")
    declare(space)
    tuner = Tuner(StudyOracle(folder, wanted, strategy, trials, 0, space, "session"), Space(), 1, 0)
    clock = [time.perf_counter()]
    tuner.search()
    projection.sync(over=True)

    def report() -> None:
        found = results(client, parent)
        leaderboard(Console(file=io.StringIO()), found, ranked(found))

    return {**_result(clock), "list": _seconds(lambda: results(client, parent)), "report": _seconds(report)}


def peer(strategy: str, trials: int) -> dict[str, Any]:
    """Keras Tuner's own search over the same space, without MLflow."""
    import keras_tuner

    class Space(keras_tuner.HyperModel):
        def build(self, hp: Any) -> Any:
            declare(hp)
            return None

    class Clocked:
        def run_trial(self, trial: Any, *_: Any, **__: Any) -> dict[str, float]:
            declare(trial.hyperparameters)
            return {"val_mse": objective(trial.hyperparameters.values)}

        def on_trial_end(self, trial: Any) -> None:
            super().on_trial_end(trial)  # type: ignore[misc]
            clock.append(time.perf_counter())
            if len(clock) > trials:
                raise StopIteration

    wanted = keras_tuner.Objective("val_mse", "min")
    where = {"directory": "kt", "project_name": "s", "overwrite": True}
    if strategy == "random":
        made = type("Random", (Clocked, keras_tuner.RandomSearch), {})
        tuner = made(Space(), objective=wanted, max_trials=trials, **where)
    else:
        made = type("Hyperband", (Clocked, keras_tuner.Hyperband), {})
        tuner = made(Space(), objective=wanted, max_epochs=100, hyperband_iterations=1_000, **where)
    clock = [time.perf_counter()]
    with suppress(StopIteration):
        tuner.search(verbose=0)  # its display would sort all trials twice for each
    with redirect_stdout(io.StringIO()):
        report = _seconds(lambda: tuner.results_summary(num_trials=12))
    return {**_result(clock), "list": _seconds(lambda: tuner.oracle.get_best_trials(trials)), "report": report}


def _result(clock: list[float]) -> dict[str, Any]:
    import psutil

    costs = {str(point): 1000 * (clock[point] - clock[point - LAST]) / LAST for point in POINTS if point < len(clock)}
    return {"milliseconds": costs, "memory": psutil.Process().memory_info().rss / 2**20}


def _seconds(what: Callable[[], Any]) -> float:
    began = time.perf_counter()
    what()
    return time.perf_counter() - began


def rounds(sides: list[str], trials: int, count: int) -> dict[str, list[dict[str, Any]]]:
    """What each side's searches have cost."""
    found: dict[str, list[dict[str, Any]]] = {side: [] for side in sides}
    for number in range(count):
        for side in sides if number % 2 == 0 else reversed(sides):
            wanted = trials if side.startswith("ours") or number == 0 else min(trials, 1_000)
            found[side].append(measured(__spec__.name, "--once", side, "--trials", str(wanted)))
            print(f"{side:<24} {wanted:>6} trials {json.dumps(found[side][-1])}", flush=True)
    return found


def show(found: dict[str, list[dict[str, Any]]], trials: int) -> None:
    print(f"\n{setting('keras-tuner', 'optuna', 'mlflow')}\n")
    points = [str(point) for point in POINTS if point <= trials]
    print(f"| | {' | '.join(f'ms at {point}' for point in points)} | last / first | memory | list | report |")
    print(f"|---|{'---|' * (len(points) + 4)}")
    for side, runs in found.items():
        costs = [[run["milliseconds"][point] for run in runs if point in run["milliseconds"]] for point in points]
        medians = [statistics.median(cost) for cost in costs if cost]
        whole = [run for run in runs if len(run["milliseconds"]) == len(medians)]  # of full length
        memory, listed, report = (statistics.median(run[key] for run in whole) for key in ("memory", "list", "report"))
        shown = [*(f"{cost:.1f}" for cost in medians), f"{medians[-1] / medians[0]:.1f}"]
        print(f"| {side} | {' | '.join(shown)} | {memory:.0f} MB | {listed:.2f} s | {report:.2f} s |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=POINTS[-1], help="of each search (default: 10000)")
    parser.add_argument("--rounds", type=int, default=3, help="of all sides (default: 3)")
    parser.add_argument("--sides", default=";".join(SIDES), help="which searches, with ; between (default: all)")
    parser.add_argument("--once", choices=SIDES, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.once:
        side, strategy = chosen.once.split(", ")
        print(json.dumps((ours if side == "ours" else peer)(strategy, chosen.trials)))
        return
    show(rounds(chosen.sides.split(";"), chosen.trials, chosen.rounds), chosen.trials)


if __name__ == "__main__":
    main()
