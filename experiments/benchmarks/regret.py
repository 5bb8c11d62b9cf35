"""How soon a strategy finds a good model: ours and Keras Tuner's on a table of trainings, without training.

    python -m experiments.benchmarks.regret                                        20 seeds; half an hour on two cores
    python -m experiments.benchmarks.regret --seeds 3 --sides "ours, tpe, halving;keras tuner, hyperband"
    python -m experiments.benchmarks.regret --build searches/table                 makes the table anew

The table has the learning curves of every point of a space, three executions each, from a search of our own
(`--oracle grid --pruner none --executions 3`). A strategy sees one execution of a point, and pays for every epoch that
it looks at. What it has found after so many epochs is the point with the best score that it has seen by then; its
regret is by how much that point's score, the mean over the executions of their best epochs, is worse than the best such
mean of the table. Ours run through the real tuner loop, oracle, pruner and journals with one worker, theirs through
Keras Tuner's own search, weights of a lower rung continued at no cost. Printed are medians over the seeds.

"2 + 8 seen" lets TPE see the best 2 and the latest 8 trials: the window of 200 + 800 at 10,000 trials, in proportion.
"drawn" lets it draw points, as it must in a space of more than 5,000, instead of comparing all that are untried.
"""

import argparse
import gzip
import json
import os
import statistics
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from experiments.benchmarks.processes import measured, setting
from experiments.system.resources import usable_cores
from experiments.tasks.loading import find

TABLE = Path(__file__).with_name("regret_table.json.gz")
DEFAULT = "ours, tpe, halving"
OURS = [DEFAULT, f"{DEFAULT}, 2 + 8 seen", f"{DEFAULT}, drawn"] + [
    f"ours, {oracle}, {pruner}"
    for oracle in ("tpe", "random")
    for pruner in ("none", "median", "halving", "hyperband")
    if f"ours, {oracle}, {pruner}" != DEFAULT
]
PEERS = ["keras tuner, random", "keras tuner, bayesian", "keras tuner, hyperband"]
TRAININGS = (5, 10, 20, 30, 40)  # budgets, in trainings of all epochs; the last one is the full budget
SEEN = (2, 8)
OBJECTIVE = "val_loss"


class Spent(BaseException):
    """Ends a search: no strategy catches it."""


class Table:
    """Learning curves of shape (points, executions, epochs), a lower score being better, and what they belong to."""

    def __init__(self, path: Path) -> None:
        content = json.loads(gzip.decompress(path.read_bytes()))
        self.facts, self.points = content["facts"], content["points"]
        self.curves = np.array(content["curves"]) * (1 if content["direction"] == "min" else -1)
        self.epochs = self.curves.shape[2]
        self.values = {name: list(dict.fromkeys(point[name] for point in self.points)) for name in self.points[0]}
        self.places = {self.key(point): place for place, point in enumerate(self.points)}
        scores = self.curves.min(axis=2).mean(axis=1)
        self.regrets = scores - scores.min()

    def key(self, values: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(values[name] for name in self.values)

    def declare(self, hp: Any) -> None:
        for name, values in self.values.items():
            hp.Choice(name, values)


class Budget:
    """The epochs that one search may look at, and the regret after each of them."""

    def __init__(self, table: Table, seed: int) -> None:
        self.table, self.seed, self.best, self.regret = table, seed, np.inf, 0.0
        self.epochs, self.regrets = TRAININGS[-1] * table.epochs, list[float]()

    def execution(self, trial: str) -> int:
        """Which execution the trial is."""
        draw = np.random.SeedSequence(self.seed, spawn_key=(int(trial),)).generate_state(1)[0]
        return int(draw) % self.table.curves.shape[1]

    def train(self, values: dict[str, Any], execution: int, epoch: int) -> float:
        """The score after an epoch (from 0). Raises Spent when there are no more epochs to look at."""
        if len(self.regrets) == self.epochs:
            raise Spent
        place = self.table.places[self.table.key(values)]
        score = float(self.table.curves[place, execution, epoch])
        if score < self.best:
            self.best, self.regret = score, float(self.table.regrets[place])
        self.regrets.append(self.regret)
        return score

    def whole(self) -> list[float]:
        """A search that has ended before its budget knows no more later."""
        return self.regrets + [self.regret] * (self.epochs - len(self.regrets))


def ours(table: Table, budget: Budget, strategy: str, pruning: str, how: str = "") -> None:
    """Our oracle, pruner and journals through the tuner's loop, as in RecurrentTuner but for the training."""
    import keras_tuner
    from keras_tuner.engine.trial import Trial

    from experiments.config.folders import SearchFolder, TrialFolder
    from experiments.strategy import proposals, tpe
    from experiments.strategy.oracle import StudyOracle
    from experiments.strategy.pruning import pruner
    from experiments.worker.tuner import Pruned, SearchTuner

    class Space(keras_tuner.HyperModel):
        def declare_hyperparameters(self, hp: Any) -> None:
            table.declare(hp)

    class Tuner(SearchTuner):
        def describe(self, values: dict[str, Any]) -> dict[str, Any]:
            return values

        def run_execution(self, trial: Trial, folder: TrialFolder, execution: int) -> dict[str, Any]:
            scores: list[float] = []
            for epoch in range(table.epochs):
                values, shown = trial.hyperparameters.values, budget.execution(trial.trial_id)
                scores.append(budget.train(values, shown, epoch))
                logs = {OBJECTIVE: scores[-1]}
                folder.journal.append("epoch", execution=0, epoch=epoch, metrics=logs)
                self.oracle.update_trial(trial.trial_id, logs, epoch)
                if epoch + 1 < table.epochs and self.oracle.should_prune(trial.trial_id):
                    raise Pruned(epoch=int(np.argmin(scores)))
            return {"score": min(scores), "epoch": int(np.argmin(scores))}

    if how == "drawn":
        proposals.FEW = 0
    elif how:
        tpe.BEST, tpe.LATEST = SEEN
    with tempfile.TemporaryDirectory() as path:
        wanted, chosen = keras_tuner.Objective(OBJECTIVE, "min"), pruner(pruning, table.epochs)
        folder = SearchFolder(Path(path))
        oracle = StudyOracle(folder, wanted, strategy, len(table.points), budget.seed, None, "session", chosen)
        Tuner(oracle, Space(), 1, 0).search()


def peer(table: Table, budget: Budget, strategy: str) -> None:
    """Keras Tuner's own tuner with its own defaults; every answer comes from the table."""
    import keras_tuner

    class Space(keras_tuner.HyperModel):
        def build(self, hp: Any) -> Any:
            table.declare(hp)

    class Answered:
        def run_trial(self, trial: Any, *_: Any, **__: Any) -> dict[str, float]:
            table.declare(trial.hyperparameters)
            values = trial.hyperparameters.values
            parent = values.get("tuner/trial_id")
            shown = executions.get(parent, budget.execution(trial.trial_id))  # a promoted one goes on where it was
            executions[trial.trial_id] = shown
            epochs = range(values.get("tuner/initial_epoch", 0), values.get("tuner/epochs", table.epochs))
            return {OBJECTIVE: min(budget.train(values, shown, epoch) for epoch in epochs)}

    executions: dict[str, int] = {}
    made = {"random": "RandomSearch", "bayesian": "BayesianOptimization", "hyperband": "Hyperband"}[strategy]
    more = {"max_trials": TRAININGS[-1]}
    if strategy == "hyperband":
        more = {"max_epochs": table.epochs, "hyperband_iterations": TRAININGS[-1]}
    seed = int(np.random.SeedSequence(budget.seed).generate_state(1)[0])  # its neighbouring seeds overlap
    with tempfile.TemporaryDirectory() as path:
        kind = type(made, (Answered, getattr(keras_tuner, made)), {})
        wanted = keras_tuner.Objective(OBJECTIVE, "min")
        kind(Space(), objective=wanted, directory=path, project_name="s", seed=seed, **more).search(verbose=0)


def regrets(table: Table, side: str, seed: int) -> tuple[list[float], str]:
    """The regret after every epoch of a search, and why it ended early."""
    budget, why = Budget(table, seed), ""
    whose, *words = side.split(", ")
    try:
        if whose == "ours":
            ours(table, budget, *words)
        else:
            peer(table, budget, words[0])
    except Spent:
        pass
    except RuntimeError as error:  # as Keras Tuner's after three failures in a row
        why = str(error)
    return budget.whole(), why or f"{len(budget.regrets)} epochs"


def build(folder: Path, path: Path) -> None:
    """Writes the table of a finished search. Raises ValueError if it is not one of equally long, completed trials."""
    from experiments.config.folders import SearchFolder

    search = SearchFolder(folder)
    facts = json.loads(search.spec.read_text("utf-8"))
    task = find.make(facts["task"], facts["options"])
    curves, points = [], []
    for trial in search.trials():
        events = trial.journal.events()
        if not events or events[-1].get("outcome") != "completed":
            raise ValueError(f"{folder}: expected a search of completed trials, got {trial.path.name}, which is not")
        lines, metric = [one for one in events if one["event"] == "epoch"], f"val_{task.metric}"
        found = {(one["execution"], one["epoch"]): one["metrics"][metric] for one in lines}
        curves.append([[found[run, epoch] for epoch in range(facts["epochs"])] for run in range(facts["executions"])])
        points.append(next(event["values"] for event in events if event["event"] == "start"))
    names = [name for name in points[0] if len({str(point.get(name)) for point in points}) > 1]
    content = {
        "facts": {name: value for name, value in facts.items() if name not in ("id", "name")},
        "direction": task.direction,
        "points": [{name: point[name] for name in names} for point in points],
        "curves": [[[float(f"{value:.5g}") for value in curve] for curve in point] for point in curves],
    }
    path.write_bytes(gzip.compress(json.dumps(content).encode(), mtime=0))
    print(f"{path}: {len(points)} points, {os.path.getsize(path) / 1000:.0f} kB")


def show(table: Table, sides: list[str], seeds: int, path: Path) -> None:
    """Runs every search in a process of its own, one a core, and prints the table and how the target is met."""
    print(f"{setting('keras-tuner', 'optuna')}; {seeds} seeds")
    what = {name: table.facts[name] for name in ("task", "options", "epochs", "executions", "commit")}
    print(f"table: {len(table.points)} points, {', '.join(f'{name} {value}' for name, value in what.items())}\n")
    print(f"| median regret after | {' | '.join(f'{count * table.epochs} epochs' for count in TRAININGS)} | ended by |")
    print(f"|---|{'---|' * (len(TRAININGS) + 1)}")
    medians: dict[str, Any] = {}

    def searched(side: str, seed: int) -> dict[str, Any]:
        return measured(__spec__.name, "--once", side, "--seed", str(seed), "--table", str(path.absolute()))

    with ThreadPoolExecutor(usable_cores()) as pool, _given_up(pool):
        found = {side: [pool.submit(searched, side, seed) for seed in range(seeds)] for side in sides}
        for side, searches in found.items():
            results = [search.result() for search in searches]
            medians[side] = np.median([one["regrets"] for one in results], axis=0)
            shown = (f"{medians[side][count * table.epochs - 1]:.3g}" for count in TRAININGS)
            ended = statistics.mode(one["ended"] for one in results)
            print(f"| {side} | {' | '.join(shown)} | {ended} |", flush=True)
    peers = [side for side in sides if side in PEERS]
    if DEFAULT in sides and peers:
        print(f"\n{target(medians, min(peers, key=lambda side: float(medians[side][-1])))}")


@contextmanager
def _given_up(pool: ThreadPoolExecutor) -> Iterator[None]:
    """What fails, or is interrupted, ends all that has not begun."""
    try:
        yield
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise


def target(medians: dict[str, Any], peer: str) -> str:
    """The share of the budget after which our default is as good as a peer after all of it."""
    wanted = medians[peer][-1]
    reached = np.flatnonzero(medians[DEFAULT] <= wanted)
    if not len(reached):
        return f"{DEFAULT} does not reach the {wanted:.3g} of {peer} (target: with half of its budget)"
    epochs, full = int(reached[0]) + 1, len(medians[peer])
    itself = int(np.flatnonzero(medians[peer] <= wanted)[0]) + 1
    share = f"{epochs} epochs, {epochs / full:.2f} of {full} (target: 0.50 at the most)"
    return f"{DEFAULT} reaches the {wanted:.3g} of {peer} after {share}; {peer} itself after {itself}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, metavar="FOLDER", help="make the table from this finished search")
    parser.add_argument("--table", type=Path, default=TABLE, help="the file (default: the one beside this module)")
    parser.add_argument("--seeds", type=int, default=20, help="searches of each strategy (default: 20)")
    parser.add_argument(
        "--sides", default=";".join(OURS + PEERS), help="which strategies, with ; between (default: all)"
    )
    parser.add_argument("--once", help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.build:
        build(chosen.build, chosen.table)
        return
    table = Table(chosen.table)
    if not chosen.once:
        os.environ["OMP_NUM_THREADS"] = "1"  # with more threads Keras Tuner's Bayesian takes longer
        sides = chosen.sides.split(";")
        if unknown := [side for side in sides if side not in OURS + PEERS]:
            parser.error(f"--sides: expected {'; '.join(OURS + PEERS)}, got {unknown[0]!r}")
        show(table, sides, chosen.seeds, chosen.table)
        return
    found, ended = regrets(table, chosen.once, chosen.seed)
    print(json.dumps({"regrets": found, "ended": ended}))


if __name__ == "__main__":
    main()
