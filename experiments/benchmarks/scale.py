"""What a trial costs beside its training, in searches of 100, 1,000 and 10,000 trials: ours and Keras Tuner's.

    python -m experiments.benchmarks.scale                                three rounds of 10,000 trials; takes an hour
    python -m experiments.benchmarks.scale --trials 1000 --rounds 1

The objective is a formula, which costs nothing. What is left is the cost of proposing and recording trials. Ours are
also recorded in MLflow, on SQLite. Each search is a process with one worker, and the sides take turns.

ms at N     milliseconds of one trial, over the last hundred of the first N trials
memory      MB of the process at the end
list        seconds to list the finished search: all trials with their values and scores
report      seconds to print what `recurrent results` prints, list included

All numbers are medians of the rounds. Keras Tuner's searches of 10,000 trials take as long as everything else together,
so they run in the first round only. Its searches in later rounds have 1,000 trials. Its list, report and memory are
those of the first round.
"""

import io
import math
import time
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
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
from experiments.benchmarks.stand_in import tuner

if TYPE_CHECKING:
    from keras_tuner.engine.trial import Trial
    from mlflow import MlflowClient

    from experiments.config.folders import SearchFolder, TrialFolder
    from tracking.runs import Projection

SIDES = ("ours, random", "ours, tpe", "keras tuner, random", "keras tuner, hyperband")
POINTS = (100, 1_000, 10_000)
PEERS_LATER = 1_000  # trials of Keras Tuner's searches from the second round on
LAST = 100  # trials over which the time of one is taken
DEPTHS, WIDTHS, RATES = 3, 512, (1e-5, 1e-1)
FLOORS = {"none": 1.0}


def declare(hp: Any) -> None:
    hp.Choice("cell", ["simple_rnn", "lstm", "gru"])
    hp.Int("depth", 1, DEPTHS)
    hp.Int("width", 1, WIDTHS)
    hp.Float("learning_rate", *RATES, sampling="log")


def objective(values: dict[str, Any]) -> float:
    """A smooth function with one best point."""
    rate = math.log10(values["learning_rate"]) + 2.5
    return float(rate**2 + ((values["width"] - 300) / 300) ** 2 + 0.1 * (values["depth"] - 2) ** 2)


def ours(strategy: str, trials: int) -> Run:
    """Our oracle, journals and projection in one process, as a worker and its launcher use them."""
    import keras_tuner

    from experiments.config.folders import SearchFolder
    from experiments.strategy.oracle import StudyOracle
    from tracking.store import connect, resolve, tune

    folder, uri = SearchFolder(Path("searches/s").absolute()), resolve(None)
    folder.path.mkdir(parents=True)
    client = connect(uri, create=True)
    projection = open_projection(client, uri, folder)

    def end_trial(done: int) -> None:
        if done % LAST == 0:
            projection.sync()
        if done % 1_000 == 0:
            tune(Path("mlflow.db").absolute())
        clock.append(time.perf_counter())

    def execute(trial: "Trial", folder: "TrialFolder") -> dict[str, Any]:
        score = objective(trial.hyperparameters.values)
        folder.journal.append("epoch", execution=0, epoch=0, metrics={"val_mse": score})
        oracle.update_trial(trial.trial_id, {"val_mse": score}, 0)
        return {"score": score, "epoch": 0, "seconds": 0.0}

    space, wanted = keras_tuner.HyperParameters(), keras_tuner.Objective("val_mse", "min")
    declare(space)
    oracle = StudyOracle(folder, wanted, strategy, trials, 0, space, "session")
    ours = tuner(oracle, declare, execute, end_trial)
    clock = [time.perf_counter()]
    ours.search()
    projection.sync(over=True)

    return {**costs(clock), **reading(projection)}


def reading(projection: "Projection") -> Run:
    """Seconds in which the results of a search are listed, and printed."""
    from rich.console import Console

    from experiments.cli.tables import leaderboard
    from tracking.results import results

    def listed() -> dict[str, Any]:
        return results(projection.client, projection.parent)

    def printed() -> None:
        leaderboard(Console(file=io.StringIO()), listed())

    return {"list": seconds(listed), "report": seconds(printed)}


def open_projection(client: "MlflowClient", uri: str, folder: "SearchFolder") -> "Projection":
    from tracking.runs import Projection
    from tracking.searches import open_search
    from tracking.store import artifacts

    spec = {"name": "s", "task": "adding", "options": {}, "seed": 0, "digest": "0", "versions": {}}
    facts = {**spec, "metric": "mse", "direction": "min"}
    parent = open_search(client, "s", "adding", artifacts(uri, "adding"), facts, FLOORS)
    return Projection(client, parent, folder.path / "trials", "mse", "min", "session", FLOORS)


def peer(strategy: str, trials: int) -> Run:
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

    base, length = {
        "random": (keras_tuner.RandomSearch, {"max_trials": trials}),
        "hyperband": (keras_tuner.Hyperband, {"max_epochs": 100, "hyperband_iterations": 1_000}),
    }[strategy]
    wanted = keras_tuner.Objective("val_mse", "min")
    where = {"directory": "kt", "project_name": "s", "overwrite": True}
    tuner = type(base.__name__, (Clocked, base), {})(Space(), objective=wanted, **length, **where)
    clock = [time.perf_counter()]
    with suppress(StopIteration):
        tuner.search(verbose=0)  # the display of verbose=1 would sort all trials twice for each trial
    with redirect_stdout(io.StringIO()):
        report_seconds = seconds(lambda: tuner.results_summary(num_trials=12))
    return {**costs(clock), "list": seconds(lambda: tuner.oracle.get_best_trials(trials)), "report": report_seconds}


def costs(clock: list[float]) -> Run:
    """What the trials cost. The clock has the time before the first trial and the time after each trial."""
    import psutil

    points = [point for point in POINTS if point < len(clock)]
    times = {column(point): 1000 * (clock[point] - clock[point - LAST]) / LAST for point in points}
    return {"trials": len(clock) - 1, **times, "memory": psutil.Process().memory_info().rss / 2**20}


def column(point: int) -> str:
    return f"ms at {point}"


def seconds(what: Callable[[], Any]) -> float:
    began = time.perf_counter()
    what()
    return time.perf_counter() - began


def run(side: str, number: int, trials: int) -> Run:
    who, strategy = side.split(", ")
    if who == "ours":
        return call_in_process(ours, strategy, trials)
    found = call_in_process(peer, strategy, trials if number == 0 else min(trials, PEERS_LATER))
    whole = number == 0 or trials <= PEERS_LATER
    return found if whole else {name: value for name, value in found.items() if name.startswith("ms at")}


def report(found: dict[str, list[Run]], trials: int) -> None:
    print(f"\n{setting('keras-tuner', 'optuna', 'mlflow')}\n")
    columns = [column(point) for point in POINTS if point <= trials]
    print_head("", *columns, "last / first", "memory", "list", "report")
    for side, median in medians(found).items():
        times = [median[name] for name in columns if name in median]
        print_row(
            side,
            *(f"{one:.1f}" for one in times),
            f"{times[-1] / times[0]:.1f}",
            f"{median['memory']:.0f} MB",
            f"{median['list']:.2f} s",
            f"{median['report']:.2f} s",
        )


def main() -> None:
    parser = make_parser(__doc__, rounds=3, sides=SIDES)
    parser.add_argument("--trials", type=int, default=POINTS[-1], help="trials of each search (default: 10000)")
    chosen = parser.parse_args()
    found = run_rounds(chosen.sides, chosen.rounds, lambda side, number: run(side, number, chosen.trials))
    report(found, chosen.trials)


if __name__ == "__main__":
    main()
