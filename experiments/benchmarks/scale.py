"""What a trial costs beside its training, in searches of 100, 1,000 and 10,000 trials: ours and Keras Tuner's.

    python -m experiments.benchmarks.scale                     10,000 trials; takes half an hour
    python -m experiments.benchmarks.scale --trials 1000

The objective is a formula and costs nothing: what is left is proposing, writing down and, on our side, MLflow (SQLite).
Each search is a process of its own with one worker. Printed are the milliseconds per trial over the last hundred of the
first 100, 1,000 and 10,000 trials, the process's memory, and how long the finished search takes to list and to report.
"""

import argparse
import json
import math
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from experiments.benchmarks.processes import measured

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

    from experiments.folders import SearchFolder, TrialFolder
    from experiments.oracle import StudyOracle
    from experiments.tuner import SearchTuner
    from tracking.results import results
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
    began = time.perf_counter()
    listed = len(results(client, parent)["trials"])
    return {**_result(clock), "report": time.perf_counter() - began, "listed": listed}


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
        tuner.search()
    began = time.perf_counter()
    listed = len(tuner.oracle.get_best_trials(trials))
    return {**_result(clock), "report": time.perf_counter() - began, "listed": listed}


def _result(clock: list[float]) -> dict[str, Any]:
    import psutil

    costs = {str(point): 1000 * (clock[point] - clock[point - LAST]) / LAST for point in POINTS if point < len(clock)}
    return {"milliseconds": costs, "memory": psutil.Process().memory_info().rss / 2**20}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=POINTS[-1], help="of each search (default: 10000)")
    parser.add_argument("--sides", default=";".join(SIDES), help="which searches, with ; between (default: all)")
    parser.add_argument("--once", choices=SIDES, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.once:
        side, strategy = chosen.once.split(", ")
        print(json.dumps((ours if side == "ours" else peer)(strategy, chosen.trials)))
        return
    points = [str(point) for point in POINTS if point <= chosen.trials]
    print(f"| | {' | '.join(f'ms at {point}' for point in points)} | last / first | memory | report |")
    print(f"|---|{'---|' * (len(points) + 3)}")
    for side in chosen.sides.split(";"):
        found = measured(__spec__.name, "--once", side, "--trials", str(chosen.trials))
        costs = [found["milliseconds"][point] for point in points if point in found["milliseconds"]]
        shown = " | ".join(f"{cost:.1f}" for cost in costs)
        growth = f"{costs[-1] / costs[0]:.1f}"
        print(f"| {side} | {shown} | {growth} | {found['memory']:.0f} MB | {found['report']:.2f} s |", flush=True)


if __name__ == "__main__":
    main()
